"""Providers that know what they were asked, for the tests of batches and of the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from g4f_lite import (
    Attached,
    AuthenticationError,
    BaseProvider,
    Client,
    Finish,
    G4FLiteError,
    Identity,
    ModelNotSupportedError,
    OtherChoice,
    Prompt,
    QuotaExceededError,
    Reasoning,
    Refusal,
    ResponseStatusError,
    Revision,
    ServiceError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.messages import last_user_message

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
DELTAS: list[Any] = [
    Identity("id", 5, "model", "print"),
    Reasoning("because", "reasoning_content"),
    "text with \N{SNOWMAN}",
    Refusal("no"),
    ToolCallDelta(0, "call_1", "look", '{"x": 1}', extra={"extra_content": {"a": 1}}),
    Attached({"annotations": [1]}),
    Revision("other text"),
    OtherChoice(1, "second"),
    OtherChoice(1, Finish("stop")),
    Usage(1, 2, 3, 0, None),
    Finish("length"),
]


class Shout(BaseProvider):
    """A provider that answers in capitals, fails where a prompt says so, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.models = ["m", "other"]

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        text = last_user_message(prompt.messages)
        self.asked.append(text)
        if text.startswith("fail"):
            raise ServiceError(text)
        if text.startswith("down"):
            raise ResponseStatusError(text, status=500)
        if text.startswith("quota"):
            raise QuotaExceededError("no credit is left")
        if text.startswith("key"):
            raise AuthenticationError("a wrong key")
        yield text.upper()
        yield Usage(3, 2, 5)
        yield Finish("length" if text.startswith("cut") else "stop")

    def get_model(self, name: str | None = None) -> str | None:
        if name is not None and name not in self.models:
            raise ModelNotSupportedError(f"no model {name}")
        return name or "m"


class Refuses(BaseProvider):
    """A provider that refuses the prompts for which a function returns an error.

    :param error_of: gets the prompt, and how many prompts have come
    """

    def __init__(self, error_of: Callable[[str, int], G4FLiteError | None]) -> None:
        self.asked: list[str] = []
        self._error_of = error_of
        self._lock = threading.Lock()

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        text = last_user_message(prompt.messages)
        with self._lock:
            self.asked.append(text)
            count = len(self.asked)
        error = self._error_of(text, count)
        if error is not None:
            raise error
        yield text.upper()
        yield Finish()


class Counts(BaseProvider):
    """A provider that numbers its answers."""

    def __init__(self, name: str = "Counts") -> None:
        self.name = name
        self.asked: list[str] = []

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.asked.append(last_user_message(prompt.messages))
        if self.asked[-1] == "fail":
            raise ServiceError("failed")
        yield f"{self.asked[-1]} {len(self.asked)}"
        yield Finish()


def numbered(count: int) -> list[str]:
    return [f"prompt {number}" for number in range(count)]


class People(BaseProvider):
    """A provider that makes a person of a prompt such as ``"Ada 36"``, and of others something else."""

    def __init__(self) -> None:
        self.asked = 0

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.asked += 1
        text = last_user_message(prompt.messages).split("\n")[0]
        if text == "fail":
            raise ServiceError("failed")
        name, _, age = text.partition(" ")
        yield f'{{"name": "{name}", "age": {age}}}' if age else "no person"
        yield Usage(4, 2, 6)
        yield Finish()


@pytest.fixture(name="people")
def make_people() -> People:
    return People()


@pytest.fixture(name="client")
def ask_people(people: People) -> Client:
    return Client(people)


class Holding(Shout):
    """Answers "prompt 2" when it is let go, and not before."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    @property
    def asked_before_it(self) -> list[str]:
        """The other prompts; the interrupted call of this one may still run, beside the next."""
        return [prompt for prompt in self.asked if prompt != "prompt 2"]

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        if last_user_message(prompt.messages) == "prompt 2" and not self.let_go.wait(30):
            raise ServiceError("was never let go")
        yield from super().begin(prompt)
