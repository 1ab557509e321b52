"""What has come of an answer so far, kept compactly and up to a limit."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

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
)
from .images import ImageResponse

MAX_BYTES = 4 * 1024 * 1024  # of text, reasoning and tool calls that are kept of one answer, at a byte a character
MAX_ATTACHED_BYTES = 64 * 1024 * 1024  # of images in data: URIs, and of what else a service attaches
MAX_CHOICES = 128  # as OpenAI allows
FOLDED_AT = 256 * 1024  # bytes of recent deltas that are then joined
PIECE_BYTES = 64  # what a piece takes besides its characters


@dataclass
class Buffer:
    """The deltas of an answer; neighbours of one kind are joined now and then.

    So an answer of any length can be iterated in bounded memory.

    :ivar recent: deltas that are not joined yet
    :ivar room: bytes that they may still take
    :ivar too_long: whether there was more than is kept, of which only the beginning is
    :ivar finished: whether the protocol's own end has come
    :ivar attached: what the service added under names of its own
    :ivar others: what has come of other choices, by their index
    """

    recent: list[Delta] = field(default_factory=list)
    room: int = FOLDED_AT
    too_long: bool = False
    identity: Identity | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    finished: bool = False
    attached: dict[str, Any] = field(default_factory=dict)
    others: dict[int, Buffer] = field(default_factory=dict)
    _attached_bytes: int = 0
    _folded: list[Delta] = field(default_factory=list)
    _bytes: int = 0

    def add(self, delta: Delta) -> None:
        """Remember a delta."""
        if isinstance(delta, Usage):
            self.usage = delta
        elif isinstance(delta, Finish):
            self.finish_reason, self.finished = delta.reason, True
        elif isinstance(delta, Identity):
            self.identity = delta
        elif isinstance(delta, OtherChoice):
            if delta.index in self.others or len(self.others) < MAX_CHOICES:
                self.others.setdefault(delta.index, Buffer()).add(delta.delta)
        elif isinstance(delta, Attached):
            if self._has_room_for(size_of(delta.fields)):
                join(self.attached, delta.fields)
        elif isinstance(delta, ImageResponse) and not self._has_room_for(sum(map(len, delta.urls))):
            return
        else:
            self.recent.append(delta)
            self.room -= _size(delta)
            if self.room < 0:
                self.fold()

    def _has_room_for(self, size: int) -> bool:
        """Count the bytes of something that is large by nature, and tell whether it may be kept."""
        self._attached_bytes += size
        self.too_long = self.too_long or self._attached_bytes > MAX_ATTACHED_BYTES
        return self._attached_bytes <= MAX_ATTACHED_BYTES

    def fold(self) -> None:
        """Join the recent deltas; what is beyond the bound is forgotten."""
        joined: list[Delta]
        try:
            joined = ["".join(self.recent)]  # type: ignore[arg-type]  # nearly always it is text alone
        except TypeError:
            joined = list(_joined(self.recent))
        self.recent, self.room = [], FOLDED_AT
        for delta in joined:
            left, size = MAX_BYTES - self._bytes, _size(delta)
            if size > left:
                if isinstance(delta, str) and not self.too_long:
                    self._folded.append(delta[:left])
                self.too_long = True
                return
            self._folded.append(delta)
            self._bytes += size

    @property
    def kept(self) -> Iterator[Delta]:
        """All that is kept, but identity, usage and finish."""
        return chain(self._folded, self.recent)

    @property
    def text(self) -> str:
        """The pieces joined, and behind them a refusal; where there are only images, the first one's URL."""
        pieces = [delta for delta in self.kept if isinstance(delta, (str, ImageResponse))]
        if pieces and not self.refusal and all(isinstance(piece, ImageResponse) for piece in pieces):
            return self.images[0].urls[0]
        return "".join(map(str, pieces)) + (self.refusal or "")

    @property
    def refusal(self) -> str | None:
        return "".join(delta.text for delta in self.kept if isinstance(delta, Refusal)) or None

    @property
    def has_content(self) -> bool:
        """Whether anything has come that is an answer."""
        own = self.too_long or "audio" in self.attached or any(map(is_content, self.kept))
        return own or any(other.has_content for other in self.others.values())

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


def _size(delta: Delta) -> int:
    """Give about the bytes that a delta takes; an image's are counted apart."""
    if isinstance(delta, str):
        return PIECE_BYTES + len(delta)
    if isinstance(delta, ToolCallDelta):
        own = len(delta.arguments) + len(delta.name or "") + len(delta.id or "")
        return PIECE_BYTES + own + (size_of(delta.extra) if delta.extra else 0)
    return PIECE_BYTES + (len(delta.text) if isinstance(delta, (Reasoning, Refusal, Revision)) else 0)


def _joined(deltas: list[Delta]) -> Iterator[Delta]:
    """Join neighbours that are all text, all reasoning, all refusal, or all of one tool call."""
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
    """Give what neighbours must share to be joined."""
    return type(delta), delta.index if isinstance(delta, ToolCallDelta) else 0


def _one_call(index: int, pieces: list[ToolCallDelta]) -> ToolCallDelta:
    """Join the pieces of one tool call; the first id and the first name count."""
    return ToolCallDelta(
        index,
        next((piece.id for piece in pieces if piece.id), None),
        next((piece.name for piece in pieces if piece.name), None),
        "".join(piece.arguments for piece in pieces),
        next((piece.type for piece in pieces if piece.type != "function"), "function"),
        functools.reduce(join, (piece.extra for piece in pieces if piece.extra), {}),
    )
