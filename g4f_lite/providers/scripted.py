"""Answers without a service: what a test tells, or what was asked."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..answer import AnswerStream
from ..deltas import Delta, Finish
from ..http.deadline import Timeout, TimeoutLike
from ..images import ImageResponse
from ..messages import Image, Message, Messages, last_user_message
from .arguments import what_is_said
from .base import BaseProvider

if TYPE_CHECKING:
    ScriptedAnswer = str | BaseException | ImageResponse | Iterable[Delta | BaseException]


@dataclass(frozen=True)
class ScriptedCall:
    """What a Scripted provider was asked."""

    model: str | None
    messages: Messages
    options: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        return last_user_message(self.messages)


class Scripted(BaseProvider):
    """A provider that says what a test tells it to, piece by piece, and remembers what it was asked.

        Scripted("first answer", RateLimitError("slow down"), ["pieces", " of ", "one"])

    Each call takes the next answer: a text, which comes word by word; a list of pieces, images and
    other deltas, in which an exception fails the answer in its middle; or an exception, which fails
    it at once.  When all are taken, a further call is an AssertionError; without any, each call
    gets ``"This is a scripted answer."``

    :ivar calls: what it was asked, in order
    """

    def __init__(self, *answers: ScriptedAnswer, model: str | None = None) -> None:
        self.calls: list[ScriptedCall] = []
        self.model = model
        self._answers: deque[ScriptedAnswer] = deque(answers)
        self._endless = not answers
        self._lock = threading.Lock()

    def answer(self, *answers: ScriptedAnswer) -> None:
        """Add answers to those that are left."""
        with self._lock:
            self._endless = False
            self._answers.extend(answers)

    def create_generator(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> AnswerStream:
        said = what_is_said(model, messages, system, images)
        Timeout.of(timeout)
        call = ScriptedCall(model or self.model, said, options)
        return AnswerStream(lambda: self._deltas(call), provider=self.name, model=call.model)

    def _deltas(self, call: ScriptedCall) -> Generator[Delta, None, None]:
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
            answer = self._next(call) if self._endless or self._answers else None
        if answer is None:
            raise AssertionError(f"call {number} has no scripted answer left; it asked {call.messages[-1]!r:.200}")
        yield from _pieces(answer)
        yield Finish("stop")

    def _next(self, call: ScriptedCall) -> ScriptedAnswer:
        return "This is a scripted answer." if self._endless else self._answers.popleft()


class Echo(Scripted):
    """A provider that answers with the last user message."""

    def _next(self, call: ScriptedCall) -> ScriptedAnswer:
        return call.prompt


def _pieces(answer: ScriptedAnswer) -> Iterator[Delta]:
    if isinstance(answer, str):
        yield from re.findall(r"\s*\S+|\s+$", answer)
        return
    for piece in [answer] if isinstance(answer, (BaseException, ImageResponse)) else answer:
        if isinstance(piece, BaseException):
            raise piece
        yield piece
