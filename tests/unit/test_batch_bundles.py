"""Batches whose calls an executor makes: short answers travel several at a time; this process counts and paces them."""

from __future__ import annotations

import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from g4f_lite import BaseProvider, BatchStoppedError, Client, Finish, Pace, Prompt, Usage
from g4f_lite.batch.pace import LocalMeter
from g4f_lite.http.observer import observer
from g4f_lite.messages import last_user_message

from .batch_providers import Shout, numbered

MOST = 10  # prompts in a bundle


@pytest.fixture(autouse=True)
def _all_answers_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any answer for a short one, however slow the machine is."""
    monkeypatch.setattr("g4f_lite.batch.workers._BUNDLE_SECONDS", 1e6)


class Notes(Executor):
    """An executor that answers in the thread that submits, once it may, and notes what it was given.

    :param begins: what its answers wait for
    :param pickles: whether it gets everything by pickle, as processes do
    """

    def __init__(self, begins: threading.Event | None = None, *, pickles: bool = False) -> None:
        self._begins = begins
        self._pickles = pickles
        self.bundles: list[list[str]] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        *_, prompts = arguments
        texts = [last_user_message(prompt.messages) for prompt, _ in prompts]
        self.bundles.append(texts)
        if self._begins is not None:
            assert self._begins.wait(10)
        if self._pickles:
            function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        future: Future[Any] = Future()
        try:
            future.set_result(self._run(function, arguments, texts))
        except ValueError as error:
            future.set_exception(error)
        return future

    def _run(self, function: Callable[..., Any], arguments: Any, texts: list[str]) -> Any:
        return function(*arguments)

    @property
    def sizes(self) -> list[int]:
        return [len(bundle) for bundle in self.bundles]


def yielding(prompts: list[str], read: threading.Event, most: int = 64) -> Iterator[str]:
    """Yield prompts, and tell when so many were read, or all."""
    for number, prompt in enumerate(prompts, start=1):
        if number == min(most, len(prompts)):
            read.set()
        yield prompt


def mapped(provider: BaseProvider, prompts: list[str], executor_of: Any = Notes, **options: Any) -> tuple[Any, Notes]:
    """Answer prompts by an executor that begins when they are waiting, and return the results and the executor."""
    read = threading.Event()
    executor = executor_of(read)
    results = Client(provider).map(yielding(prompts, read), executor=executor, **{"workers": 1, **options})
    return results, executor


def test_short_answers_travel_several_at_a_time() -> None:
    shout = Shout()
    results, executor = mapped(shout, numbered(200), workers=2)
    assert [(result.index, result.text) for result in results] == [(n, f"PROMPT {n}") for n in range(200)]
    assert Counter(shout.asked) == Counter(numbered(200))
    assert executor.sizes[0] == 1  # nobody knows yet how short the answers are
    assert max(executor.sizes) == MOST
    assert 1 in executor.sizes[-3:]  # so that all workers end together


def test_a_failure_in_a_bundle_is_that_of_one_prompt() -> None:
    shout = Shout()
    prompts = [f"fail {n}" if n % 7 == 6 else f"prompt {n}" for n in range(100)]
    results, executor = mapped(shout, prompts, max_failures_in_a_row=2)
    assert [None if result.error is None else str(result.error) for result in results] == [
        f"Shout, stream: {prompt}" if prompt.startswith("fail") else None for prompt in prompts
    ]
    assert Counter(shout.asked) == Counter(prompts)
    assert max(executor.sizes) > 1
    assert shout.asked == prompts  # what was behind a failure is next


def test_what_would_meet_every_prompt_stops_a_bundle() -> None:
    shout = Shout()
    prompts = [*numbered(35), "key", *numbered(20)]
    results, executor = mapped(shout, prompts)
    with pytest.raises(BatchStoppedError, match="a wrong key"):
        list(results)
    assert shout.asked == prompts[:36]
    assert executor.bundles[-1][-1] != "key"  # others were behind it


class Refusing(BaseProvider):
    """A provider whose prompt ``refused`` meets a 429 that it is answered in spite of, as after a retry."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.asked.append(last_user_message(prompt.messages))
        if self.asked[-1] == "refused" and (observe := observer.get()) is not None:
            observe(429, {})
        yield self.asked[-1]
        yield Finish()


def test_a_refusal_ends_the_bundle_and_all_others() -> None:
    refusing = Refusing()
    prompts = [*numbered(35), "refused", *numbered(10)]
    results, executor = mapped(refusing, prompts)
    assert results.texts() == prompts
    assert refusing.asked == prompts
    last = next(number for number, bundle in enumerate(executor.bundles) if "refused" in bundle)
    assert executor.bundles[last][-1] != "refused"
    assert executor.bundles[last + 1 :] == [[prompt] for prompt in prompts[36:]]


@pytest.mark.parametrize("limit", [{"rpm": 6e6}, {"tpm": 6e6}])
def test_prompts_with_a_pace_travel_one_by_one(limit: dict[str, float]) -> None:
    results, executor = mapped(Shout(), numbered(40), **limit)
    assert len(results.texts()) == 40
    assert set(executor.sizes) == {1}


class Choking(Notes):
    """An executor that fails whenever it is given a certain prompt."""

    def _run(self, function: Callable[..., Any], arguments: Any, texts: list[str]) -> Any:
        if "choke" in texts:
            raise ValueError("it cannot be pickled")
        return super()._run(function, arguments, texts)


def test_an_error_of_the_executor_is_that_of_one_prompt_too() -> None:
    prompts = [*numbered(40), "choke", *numbered(20)]
    results, executor = mapped(Shout(), prompts, Choking)
    failed = {result.input: str(result.error) for result in results if result.error is not None}
    assert failed == {"choke": "it cannot be pickled"}
    assert ["choke"] in executor.bundles


def test_a_generator_is_read_as_far_ahead_as_four_bundles_of_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.reading._MOST_UNTAKEN", 0)
    read: list[str] = []

    def prompts() -> Iterator[str]:
        for prompt in numbered(500):
            read.append(prompt)
            yield prompt

    for number, _ in enumerate(Client(Shout()).map(prompts(), executor=Notes(), workers=2), start=1):
        assert len(read) <= number + 4 * 2 * MOST


@pytest.mark.parametrize("pickles", [True, False])
def test_the_client_counts_what_the_calls_of_an_executor_took(pickles: bool) -> None:
    client = Client(Shout())
    results = client.map(["a", "b", "fail"], executor=Notes(pickles=pickles))
    assert [result.error is None for result in results] == [True, True, False]
    usage = client.usage
    assert (usage.calls, usage.failures, usage.prompt_tokens, usage.completion_tokens) == (3, 1, 6, 4)
    assert usage.prompt_tokens == results.usage.prompt_tokens


class Thinks(BaseProvider):
    def begin(self, prompt: Prompt) -> Iterator[Any]:
        yield "yes"
        yield Usage(30, 20, 50)
        yield Finish()


@pytest.mark.parametrize("pickles", [True, False])
def test_the_pace_of_a_client_holds_for_the_calls_of_an_executor(pickles: bool) -> None:
    reserved: list[int] = []
    corrected: list[int] = []

    class Counting(LocalMeter):
        def reserve(self, tokens: int, longest: float = 0.0) -> float:
            reserved.append(tokens)
            return 0.0

        def correct(self, tokens: int) -> None:
            corrected.append(tokens)

    pace = Pace(rpm=60)
    pace._meter = Counting(tpm=600)
    client = Client(Thinks(), pace=pace)
    executor = Notes(pickles=pickles)
    assert client.map(["12345678"] * 12, executor=executor, workers=1).texts() == ["yes"] * 12
    assert (reserved, corrected) == ([3] * 12, [47] * 12)  # once each
    assert set(executor.sizes) == {1}
