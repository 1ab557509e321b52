"""One prompt of a batch on its way, and what a batch is given to answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..answers.answer import Answer
from ..answers.deltas import Usage
from ..prompt import Prompt
from ..store.answers import Kept, Key


@dataclass(eq=False)
class Task:
    """A prompt that is waiting, or in progress.

    :param index: its position in the batch
    :param input: the prompt as it was given
    :param prompt: the prompt as it is sent
    :param provider: the provider that it names; None for the client's
    :param key: its place in the store; None without a store
    :ivar close: ends its answer in progress; None before it has begun
    """

    index: int
    input: Any
    prompt: Prompt
    provider: Any = None
    key: Key | None = None
    close: Callable[[], None] | None = None


class Calls(Protocol):
    """What a client gives a batch, so that a batch knows no client."""

    @property
    def stored_as(self) -> str:
        """What changes the answers beside their prompts, such as their type."""

    def check(self, prompt: Prompt, provider: Any = None) -> None:
        """Raise if the provider does not accept a prompt; nothing is sent."""

    def scope(self, prompt: Prompt, provider: Any = None) -> str:
        """Return what tells the provider of a prompt from others, with its model and credentials."""

    def ask(self, prompt: Prompt, provider: Any, on_begin: Callable[[Callable[[], None]], None]) -> Kept:
        """Send a prompt and return its whole answer.

        :param on_begin: called with a function that ends the answer, before it is sent
        """

    def cost(self, prompt: Prompt, provider: Any, usage: Usage) -> float | None:
        """Return what so many tokens cost in US dollars; None if the price is not known."""

    def output(self, answer: Answer) -> Any:
        """Return the answer as the type that was asked for."""
