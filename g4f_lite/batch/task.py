"""One prompt of a batch on its way, and what a batch is given to answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.deltas import Usage
from ..prompt import Prompt
from ..store.answers import Kept, Key


class Place(NamedTuple):
    """Where the store has the answer to a prompt.

    :param key: the key of the question
    :param alone: of a question to a chain, the key of the same question to its first member alone
    :param first: the name that this member has in the chain
    :param mark: the mark of its scope
    :param others: the keys of the same question that was asked with other credentials, and has answers there
    :param others_alone: likewise of the same question to the first member alone
    """

    key: Key
    alone: Key | None = None
    first: str = ""
    mark: bytes = b""
    others: tuple[Key, ...] = ()
    others_alone: tuple[Key, ...] = ()


@dataclass(eq=False)
class Task:
    """A prompt that is waiting, or in progress.

    :param index: its position in the batch
    :param input: the prompt as it was given
    :param prompt: the prompt as it is sent
    :param provider: the provider that it names; None for the client's
    :param place: its place in the store; None without a store
    :ivar sent: how many times it was sent before it was put back, because the service refused it for now
    :ivar answers_before: how many answers the run had when it was put back
    :ivar has_failed: whether it was put back because its answer was cut, or the server failed or was too slow
    :ivar began_at: when it was sent last
    :ivar outage: the number of the outage for which it was put back; 0 if there was none
    """

    index: int
    input: Any
    prompt: Prompt
    provider: Any = None
    place: Place | None = None
    sent: int = 0
    answers_before: int = -1
    outage: int = 0
    has_failed: bool = False
    began_at: float = 0.0

    def times(self, attempts: int | None) -> int | None:
        """Return how many times it was sent, those before it was put back included.

        :param attempts: how many times since; None if that is not known
        """
        return attempts if attempts is None or not self.sent else attempts + self.sent


@dataclass(eq=False)
class Bundle:
    """Prompts that a worker answers one after the other: one, or several on their way to an executor.

    :ivar close: ends the answer in progress; None before it has begun
    """

    tasks: list[Task]
    close: Callable[[], object] | None = None


class Calls(Protocol):
    """What a client gives a batch, so that a batch knows no client."""

    @property
    def stored_as(self) -> str:
        """What changes the answers beside their prompts, such as their type."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the answers in a table."""

    def check(self, prompt: Prompt, provider: Any = None) -> None:
        """Raise if the provider does not accept a prompt; nothing is sent."""

    def scope(self, prompt: Prompt, provider: Any = None) -> tuple[str, str]:
        """Return what tells the provider of a prompt from others, with its model and credentials, and without these."""

    def first_scope(self, prompt: Prompt, provider: Any = None) -> tuple[tuple[str, str], str] | None:
        """Return the scope of the member that a chain asks first, and its name there; None without a chain."""

    def ask(self, prompt: Prompt, provider: Any, on_begin: Callable[[Callable[[], None]], None]) -> Kept:
        """Send a prompt and return its whole answer.

        :param on_begin: called with a function that ends the answer, before it is sent
        """

    def for_workers(self) -> Calls:
        """Return the calls for the workers of an executor, which neither keep a pace nor count what they took."""

    def keep_used(self) -> None:
        """Let ``used()`` return what these calls take from now on, which counts all the same."""

    def used(self) -> list[CallUsage]:
        """Return what the calls of a worker took since the last time, or calls that are kept; and count none of it."""

    def count(self, used: list[CallUsage]) -> None:
        """Count what the calls of a worker took."""

    def model(self, prompt: Prompt, provider: Any) -> str:
        """Return the model that a prompt asks, of a chain the first one; "" if the server chooses it."""

    def asked_first(self, prompt: Prompt, provider: Any) -> str:
        """Return the name of the provider that a chain asks first; "" without a chain."""

    def tokens(self, prompt: Prompt, provider: Any) -> int:
        """Estimate the tokens of a prompt, with the schema and the tools that are sent with it."""

    def cost(self, prompt: Prompt, provider: Any, usage: Usage) -> float | None:
        """Return what so many tokens cost in US dollars, at the provider that is asked first; None if not known."""

    def lacks_price(self, prompt: Prompt, provider: Any) -> str:
        """Return who may answer a prompt at a price that nobody will know; "" if there is none."""

    def spent(self) -> tuple[float, int]:
        """Return what all calls of the client have cost in US dollars, and how many of them have no known price."""

    def output(self, answer: Answer) -> Any:
        """Return the answer as the type that was asked for.

        :raises OutputError: if it is not a value of the type
        """
