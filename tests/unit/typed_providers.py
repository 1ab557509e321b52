"""Providers that take a schema in one way or another, for the tests of typed answers."""

from __future__ import annotations

from typing import Any

from g4f_lite import (
    Finish,
    ServiceError,
    ToolCallDelta,
)
from g4f_lite.testing import Scripted

from .typed_types import Person

ADA = Person("Ada", 36)
TEXT = '{"name": "Ada", "age": 36}'
WRONG = '{"name": "Ada"}'
REFUSED = ServiceError("This response_format type is unavailable now", status=400)


class Formats(Scripted):
    """A service that takes a schema, and tools."""

    known_options = frozenset({"response_format", "tools", "tool_choice", "max_tokens"})


class Reads(Formats):
    """One that shows the schema to its model, as OpenAI."""

    reads_schema = True


class Tools(Scripted):
    """A service that takes tools."""

    known_options = frozenset({"tools", "tool_choice"})


class Ends(Scripted):
    """A service that ends its answers in its own way."""

    def begin(self, prompt):
        for delta in super().begin(prompt):
            yield delta
            if isinstance(delta, Finish):
                return


class EndsCalls(Ends, Tools):
    """One that takes tools."""


def call(*arguments: str) -> list[Any]:
    """The deltas of a tool call."""
    first, *rest = arguments
    return [ToolCallDelta(0, "1", "Person", first), *(ToolCallDelta(0, arguments=each) for each in rest)]


def sent(provider: Scripted, number: int = -1) -> list[str]:
    return [message["content"] for message in provider.calls[number].messages]
