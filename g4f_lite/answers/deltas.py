"""What a provider yields: the pieces of an answer, of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import EmptyResponseError
from .images import ImageResponse


@dataclass(frozen=True)
class Reasoning:
    """A piece of what the model thinks before it answers; not part of the text."""

    text: str


@dataclass(frozen=True)
class Refusal:
    """A piece of the words with which the model refuses to answer, where the service tells them from an answer."""

    text: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a call that the model wants made: the first has ``id`` and ``name``, all add to ``arguments``."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class ToolCall:
    """A call that the model wants made; ``arguments`` is JSON, as the model wrote it."""

    id: str | None
    name: str
    arguments: str


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

    :param reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or the service's own word
    """

    reason: str = "stop"


@dataclass(frozen=True)
class Revision:
    """The whole text as a service gives it at the end, where that is not the text that it streamed."""

    text: str


NOTHING_CAME = "the answer has no text, no image, no tool call and no reasoning"

Delta = str | ImageResponse | Reasoning | Refusal | ToolCallDelta | Usage | Identity | Finish | Revision
Piece = str | ImageResponse


def is_content(delta: Delta) -> bool:
    """Tell whether a delta belongs to the answer itself: not usage, identity, finish, a revision, or an empty piece."""
    return bool(delta) and not isinstance(delta, (Usage, Identity, Finish, Revision))


def up_to_content(deltas: Iterator[Delta]) -> list[Delta]:
    """Take the deltas up to the first one that is content, and give them.

    :raises EmptyResponseError: there is none
    """
    taken = []
    for delta in deltas:
        taken.append(delta)
        if is_content(delta):
            return taken
    raise EmptyResponseError(NOTHING_CAME, step="stream")
