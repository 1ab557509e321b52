"""Answers of servers, written byte by byte, for the cases of conformance."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Answer = bytes | Callable[[dict[str, Any]], bytes]  # a function is given the body of the request


def response(body: bytes, kind: str, status: str = "200 OK", *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def as_json(value: Any, status: str = "200 OK", *fields: str) -> bytes:
    return response(json.dumps(value).encode(), "application/json", status, *fields)


def stream(*events: dict[str, Any] | bytes, end: bytes = b"data: [DONE]\n\n") -> bytes:
    lines = (each if isinstance(each, bytes) else b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)
    return response(b"".join(lines) + end, "text/event-stream")


def piece(delta: dict[str, Any] | None = None, finish: str | None = None, **choice: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish, **choice}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def completion(message: dict[str, Any], finish: str | None = "stop", **choice: Any) -> dict[str, Any]:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **choice}]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}


def refused(error: Any, status: str = "400 Bad Request", *fields: str) -> bytes:
    return as_json({"error": error}, status, *fields)


def call(id_: str | None, name: str | None, arguments: Any, **fields: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**({"id": id_, "type": "function"} if id_ else {}), "function": function, **fields}


def called(*lists: list[dict[str, Any]]) -> bytes:
    return stream(*(piece({"tool_calls": pieces}) for pieces in lists), piece({}, "tool_calls"))


def wants_back(name: str, value: Any, hello: bytes, *, in_call: bool = False) -> Answer:
    """Answer only to who sends back what was in the message, or in its tool call."""

    def answer(body: dict[str, Any]) -> bytes:
        for message in body["messages"]:
            for holder in (message.get("tool_calls") or []) if in_call else [message]:
                if holder.get(name) == value:
                    return hello
        return refused({"message": f"{name} is missing"})

    return answer


def without(field_name: str, refusal: bytes, answer: bytes) -> Answer:
    """Refuse a request that has a field."""
    return lambda body: refusal if body.get(field_name) else answer
