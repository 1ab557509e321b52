"""How servers stream the calls of tools, and what they want back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...reply import Reply, json_reply
from ..call import Call, Event, Events
from ..dialect import Dialect
from ..failure import refusal

_SIGNATURE = {"google": {"thought_signature": "CtYBAcu98P"}}
Pieces = list[dict[str, Any]]


def _pieces(change: Callable[[Pieces], Pieces]) -> Callable[[Events, Call], Events]:
    """Change the pieces of tool calls of each chunk."""

    def events(events: Events, call: Call) -> Events:
        for event in events:
            pieces = event.delta.get("tool_calls")
            yield event.with_choice(delta={**event.delta, "tool_calls": change(pieces)}) if pieces else event

    return events


def _without(*names: str) -> Callable[[Pieces], Pieces]:
    return lambda pieces: [{name: value for name, value in piece.items() if name not in names} for piece in pieces]


def _blank(pieces: Pieces) -> Pieces:
    """Say what a later piece does not say as empty strings."""
    return [
        {**piece, "id": piece.get("id") or "", "function": {"name": "", "arguments": "", **piece.get("function", {})}}
        for piece in pieces
    ]


def _number_the_tails(pieces: Pieces) -> Pieces:
    """Begin every call at index 0, and go on at the right one."""
    return [{**piece, "index": 0} if piece.get("id") else piece for piece in pieces]


def _repeat_heads(events: Events, call: Call) -> Events:
    """Say id, type and name again in every piece."""
    heads: dict[int, dict[str, Any]] = {}
    for event in events:
        pieces = []
        for piece in event.delta.get("tool_calls") or []:
            index = piece.get("index", 0)
            if piece.get("id"):
                heads[index] = piece
            head = heads.get(index, {})
            function = {**piece.get("function", {}), "name": head.get("function", {}).get("name")}
            pieces.append({**piece, "id": head.get("id"), "type": "function", "function": function})
        yield event.with_choice(delta={**event.delta, "tool_calls": pieces}) if pieces else event


def _end_without_function(events: Events, call: Call) -> Events:
    """Send a piece without ``function`` behind the pieces of a call."""
    index = None
    for event in events:
        pieces = event.delta.get("tool_calls") or []
        if index is not None and not pieces:
            yield Event(call.delta({"tool_calls": [{"index": index, "type": "function"}]}))
        index = pieces[-1].get("index", 0) if pieces else None
        yield event


def _parse_arguments(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function", {})
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        return call
    return {**call, "function": {**function, "arguments": json.loads(arguments or "{}")}}


def _join(events: Events, call: Call) -> Events:
    """Hold the pieces of tool calls back, and send each call whole."""
    calls: dict[int, dict[str, Any]] = {}
    for event in events:
        pieces = event.delta.get("tool_calls") or []
        for piece in pieces:
            known = calls.setdefault(piece.get("index", 0), {"function": {"name": "", "arguments": ""}})
            joined = {
                name: known["function"][name] + (piece.get("function", {}).get(name) or "")
                for name in ("name", "arguments")
            }
            known |= {**piece, "id": piece.get("id") or known.get("id"), "type": "function", "function": joined}
        if pieces:
            continue
        for whole in calls.values():
            yield Event(call.delta({"tool_calls": [whole]}), text=True)
        calls = {}
        yield event


def _objects(events: Events, call: Call) -> Events:
    return _pieces(lambda pieces: [_parse_arguments(piece) for piece in pieces])(_join(events, call), call)


def _object_message(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_parse_arguments(call) for call in calls]} if calls else message


def _object_whole(whole: dict[str, Any], call: Call) -> dict[str, Any]:
    choices = [{**choice, "message": _object_message(choice["message"])} for choice in whole["choices"]]
    return {**whole, "choices": choices}


def _stop(events: Events, call: Call) -> Events:
    for event in events:
        choice = event.choice
        yield event.with_choice(finish_reason="stop") if choice and choice.get("finish_reason") else event


def _stop_whole(whole: dict[str, Any], call: Call) -> dict[str, Any]:
    return {**whole, "choices": [{**choice, "finish_reason": "stop"} for choice in whole["choices"]]}


def _legacy(message: dict[str, Any]) -> dict[str, Any]:
    """Say a tool call as a function call, the field of 2023."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    return {**rest, "function_call": calls[0].get("function", {})}


def _sign(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return message
    first, *others = calls
    signed = {**first, "extra_content": _SIGNATURE} if first.get("id") else first
    return {**message, "tool_calls": [signed, *others]}


def _want_signature(call: Call) -> Reply | None:
    for message in call.messages:
        calls = message.get("tool_calls") or []
        if calls and calls[0].get("extra_content") != _SIGNATURE:
            text = (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to"
                " work correctly"
            )
            return json_reply(400, [{"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}])
    return None


def _want_reasoning(call: Call) -> Reply | None:
    for index, message in enumerate(call.messages):
        if message.get("tool_calls") and "reasoning_content" not in message:
            text = f"Missing `reasoning_content` field in the assistant message at message index {index}."
            return refusal(400, text, code="invalid_request_error")
    return None


def _split_calls(events: Events, call: Call) -> Events:
    """Return the tool calls a choice of their own."""
    called = False
    for event in events:
        if event.delta.get("tool_calls"):
            called = True
            event = event.with_choice(index=1)
        yield event
        if called and event.choice and event.choice.get("finish_reason"):
            yield event.with_choice(index=1)


def _split_whole(whole: dict[str, Any], call: Call) -> dict[str, Any]:
    (choice,) = whole["choices"][:1]
    message = dict(choice["message"])
    calls = message.pop("tool_calls", None)
    if not calls:
        return whole
    second = {**choice, "message": {"role": "assistant", "content": None, "tool_calls": calls}}
    return {**whole, "choices": [{**choice, "message": message}, second]}


DIALECTS = [
    Dialect(
        "tool-calls-one-index",
        "Give every tool call the index 0.",
        "Gemini, and proxies of it",
        events=_pieces(lambda pieces: [{**piece, "index": 0} for piece in pieces]),
    ),
    Dialect(
        "tool-calls-no-index",
        "Send tool calls without an index.",
        "Gemini, and proxies of it",
        events=_pieces(_without("index")),
    ),
    Dialect(
        "tool-calls-split-index",
        "Begin every tool call at index 0, and send the rest of it under its own index.",
        "DeepSeek V4 through agno",
        events=_pieces(_number_the_tails),
    ),
    Dialect(
        "tool-calls-empty-strings",
        "Send `id` and `name` as empty strings in the later pieces of a tool call.",
        "DashScope",
        events=_pieces(_blank),
    ),
    Dialect(
        "tool-calls-repeated",
        "Send `id`, `type` and `name` in every piece of a tool call.",
        "gateways that fill in each chunk",
        events=_repeat_heads,
    ),
    Dialect("tool-calls-no-id", "Send tool calls without an id.", "older Ollama", events=_pieces(_without("id"))),
    Dialect(
        "tool-calls-no-function",
        "End a tool call with a piece that has no `function`.",
        "gateways before Claude",
        events=_end_without_function,
    ),
    Dialect("tool-calls-whole", "Send each tool call in one piece.", "Gemini, Groq, Mistral, Ollama", events=_join),
    Dialect(
        "tool-calls-objects",
        "Send the arguments of a tool call as an object, `{}` if there are none.",
        "Ollama's own protocol, and proxies of it",
        events=_objects,
        whole=_object_whole,
    ),
    Dialect(
        "tool-calls-finish-stop",
        "End with the finish reason `stop`, though tools are called.",
        "Gemini, older Ollama",
        events=_stop,
        whole=_stop_whole,
    ),
    Dialect(
        "function-call",
        "Say a tool call as `function_call`, the older field.",
        "servers of 2023 and their proxies",
        message=_legacy,
    ),
    Dialect(
        "gemini-thought-signature",
        "Sign tool calls in `extra_content`, and refuse them without it when they come back.",
        "Gemini 3",
        message=_sign,
        refuses=_want_signature,
    ),
    Dialect(
        "deepseek-reasoning-content",
        "Refuse the message of a tool call that comes back without `reasoning_content`.",
        "DeepSeek, Kimi",
        refuses=_want_reasoning,
    ),
    Dialect(
        "two-choices",
        "Answer with the text in one choice and the tool calls in another.",
        "GitHub Copilot with Claude",
        events=_split_calls,
        whole=_split_whole,
    ),
]
