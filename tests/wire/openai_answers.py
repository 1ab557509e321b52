"""Answers of servers that speak OpenAI's API, written byte by byte."""

from __future__ import annotations

import json
from typing import Any

from .raw_server import DONE, chunked, length


def piece(delta: dict[str, Any] | None = None, finish: str | None = None, **choice: Any) -> dict[str, Any]:
    """Write a chunk of one choice."""
    return {"id": "c-1", "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish, **choice}]}


def call(id_: Any = None, name: Any = None, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """Write a piece of a call, with only the fields that are given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**({"id": id_} if id_ is not None else {}), **({"function": function} if function else {}), **fields}


def data(*events: dict[str, Any] | bytes) -> bytes:
    """Write events, a dict as the data of one and bytes as they are."""
    return b"".join(
        event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events
    )


def streamed(*events: dict[str, Any] | bytes, end: bytes = DONE) -> bytes:
    """Write an answer as an event stream."""
    return chunked(data(*events) + end, fields=("Content-Type: text/event-stream",))


def whole(value: Any, *fields: str, status: str = "200 OK") -> bytes:
    """Write a JSON answer."""
    return length(json.dumps(value).encode(), "Content-Type: application/json", *fields, status=status)


def completion(message: dict[str, Any], finish: str | None = "stop", **choice: Any) -> dict[str, Any]:
    """Write a whole completion."""
    message = {"role": "assistant", **message}
    return {"id": "c-1", "choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}]}


def refused(error: Any, status: str = "400 Bad Request", *fields: str) -> bytes:
    """Write a refusal in the usual form."""
    return whole({"error": error}, *fields, status=status)


STOP = piece(finish="stop")
HELLO = streamed(piece({"content": "Hello"}), STOP)
