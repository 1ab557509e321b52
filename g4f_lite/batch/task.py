"""One prompt of a batch on its way, and what a batch is given to answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..prompt import Prompt
from ..store.answers import Key


@dataclass(eq=False)
class Task:
    """A prompt that is waiting, or in progress.

    :param index: its position in the batch
    :param input: the prompt as it was given
    :param prompt: the prompt as it is sent
    :param provider: the provider that it names; None for the client's
    :param key: its place in the store; None without a store
    :ivar stream: its answer in progress
    """

    index: int
    input: Any
    prompt: Prompt
    provider: Any = None
    key: Key | None = None
    stream: AnswerStream | None = None


class Calls(Protocol):
    """What a client gives a batch, so that a batch knows no client."""

    def answer(self, prompt: Prompt, provider: Any = None) -> AnswerStream:
        """Check a prompt, and prepare its answer; nothing is sent yet."""

    def scope(self, prompt: Prompt, provider: Any = None) -> str:
        """Return what tells the provider of a prompt from others, with its model and credentials."""

    def output(self, answer: Answer) -> Any:
        """Return the answer as the type that was asked for."""
