"""The chunks of a streamed answer in OpenAI's API, as plain dataclasses like the results in ``results.py``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ..answers.deltas import ToolCallDelta
from .logprobs import ChoiceLogprobs
from .result import Extended
from .results import CompletionUsage


@dataclass(slots=True)
class DeltaFunction(Extended):
    """A function name or a fragment of the arguments, in a streamed tool call."""

    name: str | None = None
    arguments: str | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class DeltaCustom(Extended):
    """A tool name or a fragment of the input, in a streamed call of a custom tool."""

    name: str | None = None
    input: str | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class DeltaToolCall(Extended):
    """A piece of a tool call: the first one has ``id`` and the name, and each one adds to the arguments."""

    index: int
    id: str | None = None
    function: DeltaFunction | None = None
    type: Literal["function", "custom"] | None = None
    custom: DeltaCustom | None = None
    extra: dict[str, Any] | None = None

    @classmethod
    def of(cls, delta: ToolCallDelta) -> DeltaToolCall:
        """Convert a piece of a tool call as a provider yields it; what it does not say is None."""
        extra = dict(delta.extra)
        inner = extra.pop(delta.type, None)
        arguments = delta.arguments if delta.arguments or delta.name else None
        piece = cls(delta.index, delta.id, extra=extra or None)
        has_fields = delta.name or arguments is not None or inner
        if delta.type == "custom":
            piece.type = "custom" if delta.id else None
            piece.custom = DeltaCustom(delta.name, arguments, inner) if has_fields else None
        else:
            piece.type = "function" if delta.id else None
            piece.function = DeltaFunction(delta.name, arguments, inner) if has_fields else None
        return piece


@dataclass(slots=True)
class ChoiceDelta(Extended):
    """The content of a chunk: a piece of text, reasoning, a tool call, a refusal, or a field of the service's own."""

    documented = frozenset({"audio"})

    content: str | None = None
    role: Literal["assistant"] | None = None
    reasoning: str | None = None
    tool_calls: list[DeltaToolCall] | None = None
    refusal: str | None = None
    function_call: DeltaFunction | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class ChunkChoice(Extended):
    """The choice that a chunk adds to; ``finish_reason`` is set in its last chunk."""

    nullable = frozenset({"finish_reason"})

    delta: ChoiceDelta
    finish_reason: str | None = None
    index: int = 0
    logprobs: ChoiceLogprobs | None = None
    extra: dict[str, Any] | None = None


@dataclass(slots=True)
class CompletionChunk(str, Extended):
    """A piece of an answer; ``usage`` is in the last one, without choices, if ``stream_options`` requests it.

    It is also the text that it adds to the first answer, as a ``str``, so that ``st.write_stream`` of Streamlit takes
    it, and ``print``.
    """

    documented = frozenset({"moderation"})

    id: str
    created: int
    model: str
    provider: str | None
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, Any] | None = None
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"

    def __new__(cls, *fields: Any, **named: Any) -> CompletionChunk:
        choices = named["choices"] if "choices" in named else fields[4]
        first = [choice.delta for choice in choices if choice.index == 0]  # of several answers, one text is readable
        return str.__new__(cls, (first[0].content or first[0].refusal or "") if first else "")

    def __bool__(self) -> bool:  # also without text, as OpenAI's
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, each.name) for each in fields(self))
