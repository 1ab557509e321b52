"""The JSON of OpenAI's chat completions, as servers really send it → deltas and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Delta, Finish, Identity, Reasoning, Refusal, ToolCallDelta, Usage
from ...errors import (
    AuthenticationError,
    DeadlineExceededError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    TransportError,
)
from ...http.body import BLANK, Body, parse_json
from ...http.checks import rate_limit, says_rate_limit, shorten
from ...timeout import PASSING_STATUSES

# The API's own parameters, and what llama.cpp, Ollama, vLLM and LM Studio add to them.
OPTIONS = frozenset(
    """
    audio cache_prompt dry_allowed_length dry_base dry_multiplier dry_penalty_last_n
    extra_body frequency_penalty function_call functions grammar json_schema keep_alive
    logit_bias max_completion_tokens max_tokens metadata min_p min_tokens mirostat
    mirostat_eta mirostat_tau modalities n_predict parallel_tool_calls prediction
    presence_penalty prompt_cache_key provider reasoning reasoning_effort repeat_last_n
    repeat_penalty repetition_penalty response_format safety_identifier seed service_tier
    stop store stream_options temperature thinking tool_choice tools top_k top_p typical_p
    user verbosity web_search_options
    """.split()  # noqa: SIM905  a list of fifty quoted names is no easier to read
)
# How a line of events begins, or an answer without anything in it; what begins otherwise is JSON, or should be.
EVENT_BEGINNINGS = (b"d", b"e", b"i", b"r", b":", b"")


def choice_of(chunk: Any, part: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a chunk's first choice and its ``delta`` or ``message``; empty ones where it has none.

    :raises G4FLiteError: the chunk is an error object, or no chunk
    """
    if not isinstance(chunk, dict):
        raise ResponseFormatError(f"no object where a chunk belongs: {shorten(json.dumps(chunk), 100)}")
    if chunk.get("error"):
        raise error_of(chunk["error"], _status_in(chunk["error"])) or ServiceError(shorten(json.dumps(chunk)))
    choices = chunk.get("choices")
    if not choices:
        if choices is None and not chunk.get("usage"):
            raise ResponseFormatError(f"a chunk without choices: {shorten(json.dumps(chunk), 200)}")
        return {}, {}
    choice = choices[0] if isinstance(choices, list) else None
    if not isinstance(choice, dict):
        raise ResponseFormatError(f"choices are not what the protocol says: {shorten(json.dumps(choices), 200)}")
    content = choice.get(part) or {}
    if not isinstance(content, dict):
        raise ResponseFormatError(f"a {part} is not what the protocol says: {shorten(json.dumps(content), 200)}")
    return choice, content


def read_answer(response: Body) -> Iterator[Delta]:
    """Read an answer as it comes, as events or, from a server that does not stream, as one JSON object."""
    if response.peek().lstrip(BLANK)[:1] not in EVENT_BEGINNINGS:
        yield from read_completion(response.json())
        return
    reason, ended, named = None, False, False
    try:
        for event in response.events(accept_unfinished=True):
            data = event.data
            if data == "[DONE]":
                ended = True
                break
            try:
                chunk = parse_json(data)
            except ResponseFormatError:
                if response.complete:  # the end of the body came first: cut in the middle of an event
                    break
                raise
            choice, delta = choice_of(chunk, "delta")
            text = delta.get("content")
            if not named and (text or next(read_rest(delta), None)):  # a chunk with no more than a role is no beginning
                named = True
                yield from read_identity(chunk)
            if text:
                if type(text) is str:
                    yield text
                else:
                    yield from read_parts(text)
            if len(delta) > 1 or not text:
                yield from read_rest(delta)
            if choice.get("finish_reason"):
                reason = str(choice["finish_reason"])
            if chunk.get("usage"):
                yield from read_usage(chunk)
    except (TransportError, DeadlineExceededError):
        if reason is None:  # else all was there; only the end of the body was not
            raise
    if ended or reason:
        yield Finish(reason or "stop")


def read_completion(completion: Any) -> Iterator[Delta]:
    """Read an answer that came whole, as one JSON object."""
    choice, message = choice_of(completion, "message")
    yield from read_identity(completion)
    yield from read_rest(message)
    content = message.get("content")
    if content:
        yield from [content] if isinstance(content, str) else read_parts(content)
    yield from read_usage(completion)
    if choice:
        yield Finish(str(choice.get("finish_reason") or "stop"))


def read_parts(content: Any) -> Iterator[Delta]:
    """Read content that is a list of parts, as Mistral's reasoning models send it."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ResponseFormatError(f"content is neither text nor parts: {shorten(json.dumps(content), 100)}")
    for part in content:
        if part.get("type") == "thinking":
            yield from (Reasoning(_text(inner, "text")) for inner in part.get("thinking") or [] if _text(inner, "text"))
        elif _text(part, "text"):
            yield _text(part, "text")


def read_rest(delta: dict[str, Any]) -> Iterator[Delta]:
    """Read what a delta or message has besides its content: reasoning, tool calls, a refusal's words."""
    reasoning = _text(delta, "reasoning_content") or _text(delta, "reasoning")
    if reasoning:
        yield Reasoning(reasoning)
    calls = delta.get("tool_calls") or []
    if not isinstance(calls, list):
        raise ResponseFormatError(f"tool calls are no list: {shorten(json.dumps(calls), 100)}")
    for position, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise ResponseFormatError(f"a tool call is not what the protocol says: {shorten(json.dumps(call), 100)}")
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments) if arguments else ""
        index = call.get("index")
        yield ToolCallDelta(
            index if isinstance(index, int) else position, _text(call, "id"), _text(function, "name"), arguments
        )
    if _text(delta, "refusal"):
        yield Refusal(delta["refusal"])


def read_identity(chunk: dict[str, Any]) -> Iterator[Delta]:
    """Read what the server calls the answer, where it says so."""
    created: Any = chunk.get("created")
    identity = Identity(
        _text(chunk, "id") or None,
        int(created) if type(created) in (int, float) and 0 < created < 1e11 else None,
        _text(chunk, "model") or None,
        _text(chunk, "system_fingerprint") or None,
    )
    if identity != Identity():
        yield identity


def read_usage(chunk: dict[str, Any]) -> Iterator[Delta]:
    """Read the tokens that the server counted, where it says so."""
    usage = chunk.get("usage")
    if not isinstance(usage, dict):
        return
    prompt, completion, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if isinstance(prompt, int) and isinstance(completion, int):
        yield Usage(
            prompt,
            completion,
            total if isinstance(total, int) else prompt + completion,
            _count(usage.get("prompt_tokens_details"), "cached_tokens"),
            _count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        )


def read_models(listed: Any) -> list[str]:
    """Read a list of models.

    :raises ResponseFormatError: it is none
    """
    rows = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        raise ResponseFormatError(f"no list of models: {shorten(json.dumps(listed), 200)}")
    return [row["id"] for row in rows]


def service_error(status: int, parsed: Any) -> G4FLiteError | None:
    """Read the JSON of a refused request; None where it is no error of the service's own."""
    if isinstance(parsed, list) and len(parsed) == 1:  # as Google sends it
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return None
    return error_of(parsed.get("error") or parsed.get("detail") or parsed.get("message"), status)


def error_of(error: Any, status: int | None) -> G4FLiteError | None:
    """Make our error of an error object, of any of the shapes in use.

    :param status: the HTTP status, or None inside a stream
    """
    if not error:
        return None
    fields = error if isinstance(error, dict) else {}
    said = fields.get("message") or error
    text = shorten(said if isinstance(said, str) else json.dumps(said))
    label = " ".join(str(fields.get(name) or "") for name in ("code", "type"))
    kind: type[ProviderError] = ServiceError
    if status == 429 or says_rate_limit(f"{label} {text}"):
        return rate_limit(f"{label} {text}", text, status=status)
    if "model_not_found" in label or (status == 404 and "model" in text.lower()):
        return ModelNotSupportedError(text, status=status)
    if status in (401, 403) or "authentication" in label or "invalid_api_key" in label:
        kind = AuthenticationError
    elif status == 402:
        kind = QuotaExceededError
    elif status in PASSING_STATUSES or (status is not None and status >= 500):
        return ResponseStatusError(f"status {status}: {text}", status=status, body=text)
    return kind(text, status=status)


def _status_in(error: Any) -> int | None:
    """Find the HTTP status that some gateways put into an error inside a stream, as its code."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and code in (401, 402, 403, 404, 429) else None


def _count(fields: Any, name: str) -> int | None:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, int) else None


def _text(fields: Any, name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""
