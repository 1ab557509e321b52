"""What has been received of an answer so far, in bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from itertools import chain, groupby
from typing import Any

from ..errors import ResponseFormatError
from .attached import join, size_of
from .deltas import (
    Attached,
    Delta,
    Finish,
    Identity,
    OtherChoice,
    Reasoning,
    Refusal,
    Revision,
    ToolCall,
    ToolCallDelta,
    Usage,
    is_content,
    no_content,
    no_end,
    not_a_delta,
)
from .images import ImageResponse

MAX_BYTES = 4 * 1024 * 1024  # kept of one answer: text, reasoning and tool calls, one byte per character
MAX_ATTACHED_BYTES = 64 * 1024 * 1024  # of images in data: URIs, the service's own fields, and other choices
MAX_CHOICES = 128  # as OpenAI allows
COMPACT_BYTES = 256 * 1024  # of recent deltas, before they are joined
PIECE_BYTES = 64  # memory of a piece beyond its characters
_KEPT_IN_ORDER = (str, Reasoning, Refusal, Revision, ToolCallDelta)


class Buffer:
    """The deltas of an answer, up to ``MAX_BYTES``.

    Adjacent deltas of one kind are joined from time to time, so that an answer of any length can be iterated in
    bounded memory.

    :ivar recent: the deltas that are not joined yet
    :ivar room: bytes left before they are joined
    :ivar too_long: whether the answer is longer than what is kept; only its beginning is kept then
    :ivar has_content: whether any text, image, tool call or reasoning has arrived
    :ivar has_answer: the same without reasoning
    :ivar finished: whether the end of the protocol has arrived
    :ivar attached: fields that the service added to the message
    :ivar choice_fields: fields that the service added beside the message
    :ivar others: the other choices, by their index
    """

    def __init__(self) -> None:
        self.recent: list[Delta] = []
        self.room = COMPACT_BYTES
        self.too_long = self.has_content = self.has_answer = False
        self.identity: Identity | None = None
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.finished = False
        self.attached: dict[str, Any] = {}
        self.choice_fields: dict[str, Any] = {}
        self.others: dict[int, Buffer] = {}
        self._attached_bytes = self._bytes = 0
        self._is_full = False
        self._joined: list[Delta] = []

    @property
    def begun(self) -> bool:
        """Whether anything has arrived."""
        return self.has_content or self.finished or bool(self.identity or self.usage)

    def add(self, delta: Delta) -> None:
        """Keep a delta.

        :raises HookError: if it is something else
        """
        if type(delta) is str:  # as _keep does; nearly all are, and each call counts
            if delta:
                self.has_content = self.has_answer = True
            self.recent.append(delta)
            self.room -= PIECE_BYTES + len(delta)
            if self.room < 0:
                self.compact()
            return
        if isinstance(delta, Usage):
            self.usage = delta
        elif isinstance(delta, Finish):
            self.finish_reason, self.finished = delta.reason, True
        elif isinstance(delta, Identity):
            self.identity = delta
        else:
            self._add_part(delta)

    def _add_part(self, delta: Delta) -> None:
        if is_content(delta):
            self.has_content = True
            self.has_answer = self.has_answer or not isinstance(delta, Reasoning)
        if isinstance(delta, OtherChoice):
            is_known = delta.index in self.others or len(self.others) < MAX_CHOICES
            if is_known and self._has_room_for(_size(delta.delta)):
                self.others.setdefault(delta.index, Buffer()).add(delta.delta)
        elif isinstance(delta, Attached):
            if self._has_room_for(_size(delta)):
                join(self.attached if delta.to == "message" else self.choice_fields, delta.fields)
        elif isinstance(delta, ImageResponse):
            if self._has_room_for(_size(delta)):
                self._keep(delta, PIECE_BYTES)
        elif isinstance(delta, _KEPT_IN_ORDER):
            self._keep(delta, _size(delta))
        else:
            raise not_a_delta(delta, "begin")

    def _keep(self, delta: Delta, size: int) -> None:
        self.recent.append(delta)
        self.room -= size
        if self.room < 0:
            self.compact()

    def _has_room_for(self, size: int) -> bool:
        """Count the bytes of something large, and return whether it may be kept."""
        self._attached_bytes += size
        self.too_long = self.too_long or self._attached_bytes > MAX_ATTACHED_BYTES
        return self._attached_bytes <= MAX_ATTACHED_BYTES

    def compact(self) -> None:
        """Join the recent deltas and drop what exceeds ``MAX_BYTES``, and all that comes after it."""
        joined: list[Delta]
        try:
            joined = ["".join(self.recent)]  # type: ignore[arg-type]  # nearly always all of them are text
        except TypeError:
            joined = list(_join(self.recent))
        self.recent, self.room = [], COMPACT_BYTES
        for delta in () if self._is_full else joined:
            left = MAX_BYTES - self._bytes
            size = PIECE_BYTES if isinstance(delta, ImageResponse) else _size(delta)
            if size > left:
                if isinstance(delta, str):
                    self._joined.append(delta[:left])
                self.too_long = self._is_full = True
                return
            self._joined.append(delta)
            self._bytes += size

    def check_complete(self) -> None:
        """Raise unless this is a whole answer.

        :raises StreamInterruptedError: if it has no end
        :raises EmptyResponseError: if it has no content, or was cut before its reasoning ended
        """
        if not self.has_content or (self.finish_reason == "length" and not self.has_answer):
            raise no_content(self.end, self.usage, self.reasoning)
        if not self.finished:
            raise no_end()

    @property
    def end(self) -> Finish | None:
        """The end of the protocol; None if it has not arrived."""
        return Finish(self.finish_reason) if self.finished else None

    @property
    def kept(self) -> Iterator[Delta]:
        """The deltas that are kept, except identity, usage and finish."""
        return chain(self._joined, () if self._is_full else self.recent)

    @property
    def deltas(self) -> list[Delta]:
        """Everything that is kept, in few deltas, which make the same answer again."""
        if self.recent:
            self.compact()
        others = [OtherChoice(index, delta) for index, other in self.others.items() for delta in other.deltas]
        return [
            *([self.identity] if self.identity else []),
            *self._joined,
            *([Attached(self.attached)] if self.attached else []),
            *([Attached(self.choice_fields, "choice")] if self.choice_fields else []),
            *others,
            *([self.usage] if self.usage else []),
            *([] if self.end is None else [self.end]),
        ]

    @property
    def parts(self) -> dict[str, Any]:
        """What an Answer consists of, by the names of its parameters."""
        return {
            "text": self.text,
            "usage": self.usage,
            "finish_reason": self.finish_reason,
            "reasoning": self.reasoning,
            "tool_calls": self.tool_calls,
            "images": self.images,
            "refusal": self.refusal,
            "revision": self.revision,
            "message_fields": self.message_fields,
            "choice_fields": self.choice_fields,
        }

    @property
    def text(self) -> str:
        """The text, followed by any refusal; the URL of the first image if there is no text at all."""
        pieces = [delta for delta in self.kept if isinstance(delta, (str, ImageResponse))]
        if pieces and not self.refusal and all(isinstance(piece, ImageResponse) for piece in pieces):
            return self.images[0].urls[0]
        return "".join(map(str, pieces)) + (self.refusal or "")

    @property
    def refusal(self) -> str | None:
        return "".join(delta.text for delta in self.kept if isinstance(delta, Refusal)) or None

    @property
    def reasoning(self) -> str:
        return "".join(delta.text for delta in self.kept if isinstance(delta, Reasoning))

    @property
    def message_fields(self) -> dict[str, Any]:
        """What a message for the history has besides its text and its tool calls, under the service's own names."""
        name = next((delta.name for delta in self.kept if isinstance(delta, Reasoning) and delta.name), None)
        return {**({name: self.reasoning} if name else {}), **self.attached}

    @property
    def images(self) -> list[ImageResponse]:
        return [delta for delta in self.kept if isinstance(delta, ImageResponse)]

    @property
    def revision(self) -> str | None:
        return next((delta.text for delta in reversed(list(self.kept)) if isinstance(delta, Revision)), None)

    @property
    def tool_calls(self) -> list[ToolCall]:
        pieces: dict[int, list[ToolCallDelta]] = {}
        for delta in self.kept:
            if isinstance(delta, ToolCallDelta):
                pieces.setdefault(delta.index, []).append(delta)
        calls = (_one_call(index, pieces[index]) for index in sorted(pieces))
        return [ToolCall(call.id, call.name or "", call.arguments, call.type, call.extra) for call in calls]


def up_to_content(deltas: Generator[Delta, None, None], before: Buffer) -> list[Delta]:
    """Read deltas up to the first one that is content, and return it behind those before it, which are joined to few.

    :param before: keeps those before it as they come, so that they are known at an error
    :raises EmptyResponseError: if none is content
    :raises ResponseFormatError: if there is more before the content than is kept of an answer
    """
    for delta in deltas:
        if is_content(delta):
            return [*before.deltas, delta]
        if delta:
            before.add(delta)
        if before.too_long:
            deltas.close()
            raise ResponseFormatError("what came before the answer is larger than what is kept of one", step="stream")
    raise no_content(before.end, before.usage, step="stream")


def _size(delta: Delta) -> int:
    """Estimate the bytes that a delta takes."""
    if isinstance(delta, str):
        return PIECE_BYTES + len(delta)
    if isinstance(delta, ToolCallDelta):
        own = len(delta.arguments) + len(delta.name or "") + len(delta.id or "")
        return PIECE_BYTES + own + (size_of(delta.extra) if delta.extra else 0)
    if isinstance(delta, Attached):
        return size_of(delta.fields)
    if isinstance(delta, ImageResponse):
        return PIECE_BYTES + sum(map(len, delta.urls))
    return PIECE_BYTES + (len(delta.text) if isinstance(delta, (Reasoning, Refusal, Revision)) else 0)


def _join(deltas: list[Delta]) -> Iterator[Delta]:
    """Join adjacent deltas that are all text, all reasoning, all refusal, or all part of one tool call."""
    for (kind, index), group in groupby(deltas, _kind):
        same: list[Any] = list(group)
        if issubclass(kind, str):
            yield "".join(same)
        elif kind is Reasoning:
            yield Reasoning(
                "".join(delta.text for delta in same), next((delta.name for delta in same if delta.name), None)
            )
        elif kind is Refusal:
            yield Refusal("".join(delta.text for delta in same))
        elif kind is ToolCallDelta:
            yield _one_call(index, same)
        else:
            yield from same


def _kind(delta: Delta) -> tuple[type, int]:
    """Return what adjacent deltas must have in common to be joined."""
    return type(delta), delta.index if isinstance(delta, ToolCallDelta) else 0


def _one_call(index: int, pieces: list[ToolCallDelta]) -> ToolCallDelta:
    """Join the pieces of one tool call, with the first id and the first name."""
    return ToolCallDelta(
        index,
        next((piece.id for piece in pieces if piece.id), None),
        next((piece.name for piece in pieces if piece.name), None),
        "".join(piece.arguments for piece in pieces),
        next((piece.type for piece in pieces if piece.type != "function"), "function"),
        functools.reduce(join, (piece.extra for piece in pieces if piece.extra), {}),
    )
