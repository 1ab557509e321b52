"""How servers say that they failed: before an answer, and in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...reply import Piece, Reply, json_reply
from ...sse import CONTENT_TYPE
from ..call import DONE, Call, Event
from ..dialect import Dialect
from ..failure import Failure


def _stream(events: list[Event], call: Call) -> Reply:
    pieces = [Piece(event.encode(call.exchange.settings)) for event in events]
    return Reply(200, [("Content-Type", CONTENT_TYPE)], pieces)


def _numbered(failure: Failure) -> dict[str, Any]:
    return {"code": failure.status, "message": failure.message, "type": failure.type}


def _error_line(failure: Failure, call: Call) -> list[Event]:
    return [Event(json.dumps(_numbered(failure)), field="error"), DONE]


def _choice_error(failure: Failure, call: Call) -> list[Event]:
    error = {"code": failure.status, "message": failure.message}
    return [Event(call.delta({"content": ""}, "error", error=error)), DONE]


def _top_error(failure: Failure, call: Call) -> list[Event]:
    chunk = call.delta({"content": ""}, "error")
    return [Event({**chunk, "error": {"code": failure.status, "message": failure.message}}), DONE]


def _delta_error(failure: Failure, call: Call) -> list[Event]:
    return [Event(call.delta({"content": "", "error": failure.error})), DONE]


def _bare_error(failure: Failure, call: Call) -> list[Event]:
    return [Event(call.delta({"content": ""}, "error")), DONE]


def _error_event(failure: Failure, call: Call) -> list[Event]:
    return [Event({"type": "error", "error": {"type": failure.type, "message": failure.message}}, name="error")]


def _in_the_answer(events: Callable[[Failure, Call], list[Event]]) -> Callable[[Failure, Call], Reply | None]:
    """Fail with 200: in a stream, or in the JSON of a whole answer, as the event would be one."""

    def fail(failure: Failure, call: Call) -> Reply | None:
        if failure.forced:
            return None
        first, *_ = events(failure, call)
        if call.streams:
            return _stream(events(failure, call), call)
        if first.choice is None or not isinstance(first.data, dict):
            return None
        choice = {name: value for name, value in first.choice.items() if name != "delta"}
        choice["message"] = {"role": "assistant", **first.delta}
        return json_reply(200, {**first.data, "object": "chat.completion", "choices": [choice]})

    return fail


def _in_answer(name: str, summary: str, software: str, events: Callable[[Failure, Call], list[Event]]) -> Dialect:
    return Dialect(name, summary, software, failure=_in_the_answer(events), failure_events=events)


def _form(
    name: str, summary: str, software: str, body: Callable[[Failure], object], status: int | None = None
) -> Dialect:
    """Describe servers whose error is another JSON, the same before an answer and within a stream."""
    return Dialect(
        name,
        summary,
        software,
        failure=lambda failure, call: json_reply(status or failure.status, body(failure)),
        failure_events=lambda failure, call: [Event(json.dumps(body(failure)))],
    )


def _google(failure: Failure) -> object:
    status = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED"}.get(failure.status, "INTERNAL")
    return [{"error": {"code": failure.status, "message": failure.message, "status": status}}]


def _provider_error(failure: Failure) -> object:
    raw = json.dumps({"error": {"message": failure.message}})
    metadata = {"raw": raw, "provider_name": "Crucible"}
    return {"error": {"message": "Provider returned error", "code": failure.status, "metadata": metadata}}


def _failed_generation(failure: Failure) -> object:
    message = "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details."
    error = {"message": message, "type": "invalid_request_error", "code": "tool_use_failed"}
    return {"error": {**error, "failed_generation": failure.message}}


def _filtered(failure: Failure, call: Call) -> Reply | None:
    if failure.kind != "rejected":
        return None
    filtered = {"hate": {"filtered": False, "severity": "safe"}, "violence": {"filtered": True, "severity": "medium"}}
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": filtered}
    error = {
        "message": failure.message,
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": inner,
    }
    return json_reply(400, {"error": error})


DIALECTS = [
    _in_answer(
        "llama.cpp-error-line",
        "Report a failure in a stream on a line `error:`, then end it with `[DONE]`.",
        "llama.cpp's server of 2025",
        _error_line,
    ),
    _in_answer(
        "error-in-choice",
        "Report a failure as `error` in a choice whose finish reason is `error`, with status 200.",
        "OpenRouter, Bifrost",
        _choice_error,
    ),
    _in_answer(
        "error-beside-choices",
        "Report a failure as `error` beside `choices`, with status 200.",
        "OpenRouter in the middle of a stream",
        _top_error,
    ),
    _in_answer(
        "error-in-delta",
        "Report a failure as `error` in a delta or a message, with status 200.",
        "gateways before other services",
        _delta_error,
    ),
    _in_answer(
        "error-finish-reason",
        "Report a failure by the finish reason `error` and nothing else.",
        "OpenRouter, Bifrost",
        _bare_error,
    ),
    _in_answer(
        "error-event",
        "Report a failure in a stream as an event of type `error`, and end the stream there.",
        "Anthropic, LM Studio",
        _error_event,
    ),
    _form(
        "error-in-200",
        "Report a failure as the usual JSON, with status 200.",
        "one-api and other gateways",
        lambda failure: {"error": failure.error},
        200,
    ),
    _form(
        "error-string",
        "Report a failure as a string `error`.",
        "Ollama, LM Studio",
        lambda failure: {"error": failure.message},
    ),
    _form(
        "error-object",
        "Report a failure as fields at the top, with `object` being `error`.",
        "vLLM, FastChat, Mistral",
        lambda failure: {
            "object": "error",
            "message": failure.message,
            "type": failure.type,
            "param": None,
            "code": failure.status,
        },
    ),
    _form(
        "error-detail",
        "Report a failure as a string `detail`.",
        "servers made with FastAPI",
        lambda failure: {"detail": failure.message},
    ),
    _form(
        "error-message",
        "Report a failure as a string `message`.",
        "Cohere, AWS API Gateway",
        lambda failure: {"message": failure.message},
    ),
    _form("error-list", "Report a failure as a list of one object.", "Gemini", _google),
    _form(
        "error-errors",
        "Report a failure as a list `errors`, beside `success: false`.",
        "Cloudflare Workers AI",
        lambda failure: {
            "result": {},
            "success": False,
            "errors": [{"code": failure.status, "message": failure.message}],
            "messages": [],
        },
    ),
    _form(
        "error-type-field",
        "Report a failure as a string `error`, beside its `error_type`.",
        "Hugging Face's Text Generation Inference",
        lambda failure: {"error": failure.message, "error_type": "generation"},
    ),
    _form(
        "minimax-base-resp",
        "Report a failure as `base_resp` beside `choices: null`, with status 200.",
        "MiniMax",
        lambda failure: {"choices": None, "base_resp": {"status_code": 1002, "status_msg": failure.message}},
        200,
    ),
    _form(
        "openrouter-provider-error",
        "Hide the reason of a failure in `error.metadata.raw`, as JSON in a string.",
        "OpenRouter",
        _provider_error,
    ),
    _form(
        "groq-failed-generation",
        "Hide the reason of a failure in `error.failed_generation`.",
        "Groq",
        _failed_generation,
    ),
    Dialect(
        "azure-content-filter",
        "Reject a prompt with code `content_filter` and the filter's findings in `innererror`.",
        "Azure OpenAI",
        failure=_filtered,
    ),
]
