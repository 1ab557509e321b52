"""What servers refuse in a request, and whether they stream."""

from __future__ import annotations

from collections.abc import Callable

from ...reply import Reply, json_reply
from ..call import Call
from ..dialect import Dialect
from ..failure import refusal


def _refuse_stream(call: Call) -> Reply | None:
    if call.body.get("stream"):
        message = "Your organization must be verified to stream this model."
        return refusal(400, message, code="unsupported_value", param="stream")
    if call.body.get("stream_options"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return refusal(400, message, param="stream_options")
    return None


def _require_stream(call: Call) -> Reply | None:
    if call.streams:
        return None
    message = "This model only support stream mode, please enable the stream parameter to access the model. "
    return refusal(400, message, code="invalid_parameter_error")


def _forbid(field: str) -> Callable[[Call], Reply | None]:
    """Refuse a field as vLLM does: its validator's findings are a string."""

    def refuse(call: Call) -> Reply | None:
        if field not in call.body:
            return None
        finding = (
            f"[{{'type': 'extra_forbidden', 'loc': ('body', '{field}'), 'msg': 'Extra inputs are not permitted'}}]"
        )
        error = {"object": "error", "message": finding, "type": "BadRequestError", "param": None, "code": 400}
        return json_reply(400, error)

    return refuse


def _forbid_422(*fields: str) -> Callable[[Call], Reply | None]:
    """Refuse fields as FastAPI does: its validator's findings are a list."""

    def refuse(call: Call) -> Reply | None:
        findings = [
            {
                "type": "extra_forbidden",
                "loc": ["body", field],
                "msg": "Extra inputs are not permitted",
                "input": call.body[field],
            }
            for field in fields
            if field in call.body
        ]
        return json_reply(422, {"detail": findings}) if findings else None

    return refuse


def _refuse_max_tokens(call: Call) -> Reply | None:
    if "max_tokens" not in call.body:
        return None
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    return refusal(400, message, code="unsupported_parameter", param="max_tokens")


def _refuse_temperature(call: Call) -> Reply | None:
    temperature = call.body.get("temperature", 1)
    if temperature == 1:
        return None
    message = (
        f"Unsupported value: 'temperature' does not support {temperature} with this model. Only the default (1) value"
        " is supported."
    )
    return refusal(400, message, code="unsupported_value", param="temperature")


DIALECTS = [
    Dialect(
        "always-streams",
        "Stream whether or not the request asks for it.",
        "proxies of chat pages, one-api before models that only stream",
        streams=True,
    ),
    Dialect(
        "never-streams",
        "Answer with one JSON, though the request asks for a stream.",
        "servers and proxies without streaming",
        streams=False,
    ),
    Dialect(
        "refuses-stream",
        "Refuse `stream`, and `stream_options` without it, with 400.",
        "OpenAI's o3 and gpt-5 for organizations that are not verified",
        refuses=_refuse_stream,
    ),
    Dialect(
        "requires-stream", "Refuse a request without `stream` with 400.", "DashScope's QwQ", refuses=_require_stream
    ),
    Dialect(
        "refuses-stream-options",
        "Refuse the field `stream_options` with 400.",
        "vLLM, Azure OpenAI, Fireworks",
        refuses=_forbid("stream_options"),
    ),
    Dialect(
        "refuses-stream-options-422",
        "Refuse the field `stream_options` with 422 and a list of findings.",
        "Mistral, servers made with FastAPI",
        refuses=_forbid_422("stream_options"),
    ),
    Dialect(
        "refuses-max-tokens",
        "Refuse `max_tokens` with 400, in favour of `max_completion_tokens`.",
        "OpenAI's o1, o3 and gpt-5, Azure OpenAI",
        refuses=_refuse_max_tokens,
    ),
    Dialect(
        "refuses-max-completion-tokens",
        "Refuse `max_completion_tokens` with 422, for it knows `max_tokens` only.",
        "Mistral, older servers",
        refuses=_forbid_422("max_completion_tokens"),
    ),
    Dialect(
        "refuses-temperature",
        "Refuse every `temperature` but 1 with 400.",
        "OpenAI's o1, o3 and gpt-5",
        refuses=_refuse_temperature,
    ),
    Dialect(
        "events-as-json",
        "Stream under the content type of JSON.",
        "proxies that set one content type for all",
        content_type="application/json",
    ),
    Dialect(
        "events-as-text",
        "Stream under the content type of plain text.",
        "servers that set none, and their frameworks' default",
        content_type="text/plain; charset=utf-8",
    ),
]
