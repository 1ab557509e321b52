"""What a provider yields: the pieces of an answer, of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import EmptyResponseError
from .images import ImageResponse


@dataclass(frozen=True)
class Reasoning:
    """A piece of what the model thinks before it answers; not part of the text.

    :param name: the service's name for it, by which it is sent back; None where it came without one of its own
    """

    text: str
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Refusal:
    """A piece of the words with which the model refuses to answer, where the service tells them from an answer."""

    text: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a call that the model wants made: the first has ``id`` and ``name``, all add to ``arguments``.

    :param type: ``"function"``, ``"custom"``, or ``"function_call"`` for the API's older form
    :param extra: what the service attaches to the call under names of its own
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    type: str = "function"
    extra: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wants made.

    :param arguments: JSON, as the model wrote it; of a custom tool, its input
    :param type: ``"function"``, ``"custom"``, or ``"function_call"`` for the API's older form
    :param extra: what the service attached to the call under names of its own, such as ``extra_content``
    """

    id: str | None
    name: str
    arguments: str
    type: str = "function"
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Give the call as the API writes it, so that it can be sent back in a message."""
        kind = "custom" if self.type == "custom" else "function"
        inner = {"name": self.name, "input" if kind == "custom" else "arguments": self.arguments}
        return {"id": self.id, "type": kind, **self.extra, kind: {**inner, **self.extra.get(kind, {})}}


@dataclass(frozen=True)
class Attached:
    """A piece of what a service adds to an answer under names of its own, such as ``annotations`` or ``audio``."""

    fields: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Usage:
    """Tokens, as the service counted them.

    :param cached_tokens: how many of the prompt's were in its cache;  :param reasoning_tokens: how many of the
        completion's were reasoning; None where it does not say
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True)
class Identity:
    """What the service calls an answer; it comes just before the first of it.

    :param id: the answer's id;  :param created: when it was begun, in seconds since 1970
    :param model: the model that really answers
    :param system_fingerprint: what stands for the service's configuration
    """

    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None


@dataclass(frozen=True)
class Finish:
    """The protocol's own end of an answer.

    :param reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or the service's own word; None
        where the service does not say
    """

    reason: str | None = "stop"


@dataclass(frozen=True)
class Revision:
    """The whole text as a service gives it at the end, where that is not the text that it streamed."""

    text: str


@dataclass(frozen=True)
class OtherChoice:
    """A delta of another choice than the first, where several were asked for.

    :param index: the choice's index, which is not 0
    """

    index: int
    delta: Delta


NOTHING_CAME = "the answer has no text, no image, no tool call and no reasoning"

Delta = (
    str | ImageResponse | Reasoning | Refusal | ToolCallDelta | Attached | Usage | Identity | Finish | Revision
    | OtherChoice
)  # fmt: skip
Piece = str | ImageResponse


def is_content(delta: Delta) -> bool:
    """Tell whether a delta belongs to the answer itself: not usage, identity, finish, a revision, or an empty piece."""
    if isinstance(delta, OtherChoice):
        return is_content(delta.delta)
    if isinstance(delta, Attached):
        return "audio" in delta.fields
    return bool(delta) and not isinstance(delta, (Usage, Identity, Finish, Revision))


def nothing_came(finish_reason: str | None = None, usage: Usage | None = None, **context: Any) -> EmptyResponseError:
    """Make the error for an answer without content, which says why the service ended it."""
    text = NOTHING_CAME
    if finish_reason is not None:
        text += f"; it ended with finish_reason {finish_reason!r}"
        if usage is not None:
            text += f" after {usage.completion_tokens:,} tokens"
    if finish_reason == "length":
        text += ": give a larger max_tokens, which a model that thinks first may use up"
    elif finish_reason == "content_filter":
        text += ": the service's filter held the answer back"
    return EmptyResponseError(text, finish_reason=finish_reason, usage=usage, **context)


def up_to_content(deltas: Iterator[Delta]) -> list[Delta]:
    """Take the deltas up to the first one that is content, and give them.

    :raises EmptyResponseError: there is none
    """
    taken: list[Delta] = []
    reason, usage = None, None
    for delta in deltas:
        taken.append(delta)
        if is_content(delta):
            return taken
        if isinstance(delta, Finish):
            reason = delta.reason
        elif isinstance(delta, Usage):
            usage = delta
    raise nothing_came(reason, usage, step="stream")
