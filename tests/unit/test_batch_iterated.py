"""Batches whose reading is interrupted: it goes on, and nothing is lost of an iterator, which can be read only once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Finish, Prompt, ServiceError
from g4f_lite.batch.plan import Plan

from .batch_providers import Shout, numbered


class Alarm(Exception):
    """What a signal handler of the caller's may raise."""


@pytest.fixture
def client() -> Client:
    return Client(Shout())


def read_twice(results: Any, kind: type[BaseException]) -> list[str]:
    """Read results up to an error, and then the others."""
    texts: list[str] = []
    with pytest.raises(kind):
        texts.extend(result.text for result in results)
    return texts + [result.text for result in results]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Alarm, TimeoutError])
def test_an_interrupt_while_prompts_are_read_loses_none(
    client: Client, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    task_of, interrupts = Plan.task, [kind()]

    def task(plan: Plan, index: int, item: Any, key: Any = None) -> Any:
        if index == 5 and interrupts:
            raise interrupts.pop()
        return task_of(plan, index, item, key)

    monkeypatch.setattr(Plan, "task", task)
    assert read_twice(client.map(iter(numbered(9))), kind) == [f"PROMPT {number}" for number in range(9)]


def test_an_interrupt_before_the_caller_has_a_result_does_not_lose_it(client: Client) -> None:
    class InterruptedLock:
        """A lock whose third release is interrupted, so that the result of that turn does not arrive."""

        def __init__(self) -> None:
            self._lock = threading.RLock()
            self._depth = self._turns = 0

        def __enter__(self) -> None:
            self._lock.acquire()
            self._depth += 1

        def __exit__(self, *_: object) -> None:
            self._depth -= 1
            self._turns += self._depth == 0
            self._lock.release()
            if self._turns == 3 and not self._depth:
                raise KeyboardInterrupt

    results = client.map(iter(numbered(6)))
    results._lock = InterruptedLock()  # type: ignore[assignment]
    assert read_twice(results, KeyboardInterrupt) == [f"PROMPT {number}" for number in range(6)]


def test_an_iterator_that_goes_on_after_an_error_is_read_to_its_end(client: Client) -> None:
    class Cursor:
        """Rows of a database, the connection to which is lost once."""

        def __init__(self) -> None:
            self._count = 0

        def __iter__(self) -> Cursor:
            return self

        def __next__(self) -> str:
            self._count += 1
            if self._count == 3:
                raise OSError("the connection was lost")
            if self._count > 6:
                raise StopIteration
            return f"row {self._count}"

    assert read_twice(client.map(Cursor()), OSError) == ["ROW 1", "ROW 2", "ROW 4", "ROW 5", "ROW 6"]


def test_a_bad_prompt_that_was_read_ahead_is_named_by_the_next_reading(client: Client) -> None:
    def prompts() -> Iterator[Any]:
        yield "one"
        yield None
        yield from numbered(2)

    results = client.map(prompts())
    assert next(iter(results)).text == "ONE"
    assert read_twice(results, TypeError) == ["PROMPT 0", "PROMPT 1"]


@pytest.mark.parametrize("kind", [iter, list])
def test_a_second_interrupt_while_the_calls_are_ended_lets_the_reading_go_on(
    client: Client, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    results = client.map(kind(numbered(200)), workers=4)
    reading = iter(results)
    texts = [next(reading).text]
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", interrupt)
        patch.setattr(threading.Thread, "is_alive", lambda _: True)
        with pytest.raises(KeyboardInterrupt):
            reading.close()  # type: ignore[attr-defined]
    assert not results._owners  # a run that was left would be waited for
    texts += [result.text for result in results]
    assert texts[-200:] == [f"PROMPT {number}" for number in range(200)]


class Flaky(Shout):
    """A provider whose calls fail where a list says so, and whose answers are numbered."""

    def __init__(self, *failing: int) -> None:
        super().__init__()
        self.failing = failing

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        number = len(self.asked)
        deltas = super().begin(prompt)
        next(deltas)
        if number in self.failing:
            raise ServiceError("not now")
        yield f"answer {number}"
        yield Finish("stop")


def test_of_equal_prompts_of_an_iterator_the_one_that_failed_is_asked_again(tmp_path: Path) -> None:
    provider = Flaky(1, 2)
    client = Client(provider)
    how: dict[str, Any] = {"store": tmp_path / "answers.db", "workers": 1}
    results = client.map(iter(["same", "same", "same", "other", "same"]), **how)
    first = [result.text for result in results]
    assert first == ["answer 0", None, None, "answer 3", "answer 4"]
    again = results.retry_failed()
    assert [result.text for result in again] == ["answer 5", "answer 6"]
    assert [result.text for result in client.map(["same"] * 4, **how)] == [f"answer {n}" for n in (0, 5, 6, 4)]
    assert len(provider.asked) == 7


def test_prompts_of_an_iterator_that_come_after_others_were_asked_again_have_places_of_their_own(
    tmp_path: Path,
) -> None:
    client = Client(Flaky(1))
    results = client.map(iter(["same"] * 4), store=tmp_path / "answers.db", workers=1)
    assert [result.text for result in results.head(2)] == ["answer 0", None]
    texts = [result.text for result in results.retry_failed()]
    texts += [result.text for result in results]
    assert sorted(texts) == ["answer 2", "answer 3", "answer 4"]
