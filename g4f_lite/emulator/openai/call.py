"""One request for a completion, and the events of its stream before they are bytes."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..answers import Message, text_of
from ..exchange import Exchange
from ..settings import Settings
from ..sse import sse_event


@dataclass(frozen=True)
class Call:
    """Hold a request and what every chunk of its answer repeats."""

    exchange: Exchange
    body: dict[str, Any]
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def messages(self) -> list[Message]:
        """Return the messages of the request."""
        messages = self.body.get("messages")
        return messages if isinstance(messages, list) else []

    @property
    def streams(self) -> bool:
        """Return whether the request asks for a stream."""
        return self.body.get("stream") is True

    @property
    def streams_usage(self) -> bool:
        """Return whether the request asks for the usage in a stream."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    @property
    def common(self) -> dict[str, Any]:
        """Return the fields that the answer repeats in every chunk."""
        return {"id": self.id, "created": self.created, "model": self.body.get("model", "")}

    def chunk(self, **fields: Any) -> dict[str, Any]:
        """Make one chunk."""
        return {**self.common, "object": "chat.completion.chunk", **fields}

    def delta(self, delta: object, finish_reason: object = None, index: int = 0, **fields: Any) -> dict[str, Any]:
        """Make a chunk with one choice; ``fields`` are the choice's."""
        return self.chunk(choices=[{"index": index, "delta": delta, "finish_reason": finish_reason, **fields}])

    def usage(self, completion: int) -> dict[str, int]:
        """Count tokens: words of the prompt, and pieces of the answer."""
        prompt = sum(len(text_of(message.get("content")).split()) for message in self.messages)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@dataclass(frozen=True)
class Event:
    """Hold one event of a stream: an object, a text such as ``[DONE]``, or bytes as they are.

    ``text`` marks a piece of the answer, ``name`` is the event's type and ``field`` its line's name.
    """

    data: dict[str, Any] | str | bytes
    text: bool = False
    name: str | None = None
    field: str = "data"

    def encode(self, settings: Settings, *, last: bool = False) -> bytes:
        """Write the event."""
        if isinstance(self.data, bytes):
            return self.data
        data = self.data if isinstance(self.data, str) else json.dumps(self.data)
        return sse_event(data, settings, event=self.name, field=self.field, last=last)

    @property
    def choice(self) -> dict[str, Any] | None:
        """Return the first choice of a chunk; ``None`` for every other event."""
        choices = self.data.get("choices") if isinstance(self.data, dict) else None
        return choices[0] if choices else None

    @property
    def delta(self) -> dict[str, Any]:
        """Return the delta of a chunk; empty for every other event."""
        return (self.choice or {}).get("delta") or {}

    def with_fields(self, **fields: Any) -> Event:
        """Copy a chunk with other fields."""
        return replace(self, data={**self.data, **fields}) if isinstance(self.data, dict) else self

    def with_choice(self, **fields: Any) -> Event:
        """Copy a chunk with other fields of its first choice."""
        return self.with_fields(choices=[{**(self.choice or {}), **fields}])


DONE = Event("[DONE]")
Events = Iterator[Event]
