"""Providers without a service, for tests: Scripted returns given answers, and Echo returns the prompt."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..answers.deltas import Delta, Finish
from ..answers.images import ImageResponse
from ..messages import Messages, last_user_message
from ..prompt import Prompt, without_secrets
from .base import BaseProvider

if TYPE_CHECKING:
    ScriptedAnswer = str | BaseException | ImageResponse | Iterable[Delta | BaseException]


@dataclass(frozen=True)
class ScriptedCall:
    """A prompt that a Scripted provider received."""

    model: str | None
    messages: Messages
    options: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        return last_user_message(self.messages)

    def __repr__(self) -> str:
        options = without_secrets(self.options)
        return f"ScriptedCall(model={self.model!r}, messages={self.messages!r}, options={options!r})"


class Scripted(BaseProvider):
    """A provider for tests, which returns the given answers and records the prompts::

        Scripted("first answer", RateLimitError("slow down"), ["pieces", " of ", "one"])

    Each call returns the next answer: a text, which is streamed word by word; a list of pieces, images and other
    deltas, in which an exception interrupts the answer; or an exception, which is raised at once.  A call after the
    last answer raises AssertionError.  Without any answers, each call returns ``"This is a scripted answer."``

    :param answers: the answers, in order
    :param model: the model for calls that name none
    :ivar calls: the prompts that were received, in order
    """

    def __init__(self, *answers: ScriptedAnswer, model: str | None = None) -> None:
        self.calls: list[ScriptedCall] = []
        self.model = model
        self._answers: deque[ScriptedAnswer] = deque(answers)
        self._endless = not answers
        self._lock = threading.Lock()

    def queue(self, *answers: ScriptedAnswer) -> None:
        """Add answers after those that are left."""
        with self._lock:
            self._endless = False
            self._answers.extend(answers)

    def get_model(self, name: str | None = None) -> str | None:
        return name or self.model

    def begin(self, prompt: Prompt) -> Generator[Delta, None, None]:
        call = ScriptedCall(self.get_model(prompt.model), prompt.messages, prompt.options)
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
            answer = self._next(call) if self._endless or self._answers else None
        if answer is None:
            raise AssertionError(
                f"no scripted answer is left for call {number}, whose last message is {call.messages[-1]!r:.200}"
            )
        yield from _pieces(answer)
        yield Finish("stop")

    def _next(self, call: ScriptedCall) -> ScriptedAnswer:
        return "This is a scripted answer." if self._endless else self._answers.popleft()


class Echo(Scripted):
    """A provider that returns the last user message."""

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
