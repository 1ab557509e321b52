"""The deltas of an answer, as a provider yields them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import EmptyResponseError
from .images import ImageResponse


@dataclass(frozen=True)
class Reasoning:
    """A piece of the model's reasoning, which is not part of the text."""

    text: str


@dataclass(frozen=True)
class Refusal:
    """A piece of the model's refusal, if the service distinguishes it from an answer."""

    text: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a tool call: the first one has ``id`` and ``name``, and each one adds to ``arguments``."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class ToolCall:
    """A tool call that the model requests; ``arguments`` is JSON, as the model wrote it."""

    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    """Token counts, as the service reports them.

    :param prompt_tokens: tokens of the prompt
    :param completion_tokens: tokens of the answer
    :param total_tokens: the sum of both
    :param cached_tokens: tokens of the prompt that were in the service's cache, or None if not reported
    :param reasoning_tokens: tokens of the answer that were reasoning, or None if not reported
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True)
class Identity:
    """The service's own data about an answer, which precedes its first delta.

    :param id: the id of the answer
    :param created: when the service began it, in seconds since 1970
    :param model: the model that really answers
    :param system_fingerprint: identifies the service's configuration
    """

    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None


@dataclass(frozen=True)
class Finish:
    """The end of an answer, as the protocol marks it.

    :param reason: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or a reason of the service's own
    """

    reason: str = "stop"


@dataclass(frozen=True)
class Revision:
    """The whole text that a service sends at the end, if it differs from the text that it streamed."""

    text: str


NO_CONTENT = "the answer has no text, no image, no tool call and no reasoning"

Delta = str | ImageResponse | Reasoning | Refusal | ToolCallDelta | Usage | Identity | Finish | Revision
Piece = str | ImageResponse


def is_content(delta: Delta) -> bool:
    """Return whether a delta is part of the answer itself: not usage, identity, finish, revision or an empty piece."""
    return bool(delta) and not isinstance(delta, (Usage, Identity, Finish, Revision))


def up_to_content(deltas: Iterator[Delta]) -> list[Delta]:
    """Read deltas up to and including the first one that is content, and return them.

    :raises EmptyResponseError: if none is content
    """
    taken = []
    for delta in deltas:
        taken.append(delta)
        if is_content(delta):
            return taken
    raise EmptyResponseError(NO_CONTENT, step="stream")
