"""Two programs that ask the same prompts with one store at once are told so, and others are not."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Fallback, Pace, Prompt
from g4f_lite.batch import run
from g4f_lite.batch.plan import Plan
from g4f_lite.messages import last_user_message

from .batch_providers import Counts

TOLD = "^another program asks the same prompts with the store .*answers.db, and both pay for those that both have in "


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


class Beside(Counts):
    """A provider that, before it answers the prompt ``a``, answers some for another program.

    :param store: the store of both
    :param prompts: those of the other one
    """

    def __init__(self, store: Path, *prompts: Any) -> None:
        super().__init__()
        self._store, self._prompts = store, prompts
        self.is_read = threading.Event()  # all that is asked: a prompt that is read later is found in the store
        self.is_read.set()

    def identity(self) -> Any:
        return ()

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        prompts, self._prompts = self._prompts, ()
        if prompts:
            assert self.is_read.wait(10)
            Client(self).map(prompts, store=self._store, workers=1, fresh=True, progress=False).texts()
        return super().begin(prompt)


@pytest.mark.parametrize(
    ("others", "counts"),
    [(["b"], (1, 0)), (["a"], (0, 1)), (["b", "a", "c"], (2, 1))],
)
@pytest.mark.parametrize("iterated", [False, True])
def test_the_caller_is_told_once(
    others: list[str], counts: Any, iterated: bool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, beside = ["a", "b", "c", "d"], Beside(store, *others)
    beside.is_read.clear()
    looked_up = Plan.stored

    def stored(plan: Plan, index: int, *rest: Any) -> Any:
        found = looked_up(plan, index, *rest)
        if index == 3:
            beside.is_read.set()
        return found

    monkeypatch.setattr(Plan, "stored", stored)
    results = Client(beside).map(iter(prompts) if iterated else prompts, store=store, workers=1)
    with pytest.warns(UserWarning, match=TOLD) as told:
        come = [(result.is_shared, result.is_stored) for result in results]
    assert [one.filename for one in told] == [__file__]
    assert come == [("a" in others, False), *((name in others, name in others) for name in "bcd")]
    assert (results.usage.elsewhere, results.usage.twice) == counts
    assert (results.usage.stored, results.usage.calls) == (counts[0], 4 - counts[0])


def test_a_column_tells_too_and_silence_is_kept(store: Path) -> None:
    with pytest.warns(UserWarning, match=TOLD) as told:
        assert Client(Beside(store, "a")).map(["a", "b"], store=store, workers=1).texts() == ["a 2", "b 3"]
    assert [one.filename for one in told] == [__file__]
    quiet = Client(Beside(store, "c")).map(["c"], store=store, progress=False)
    assert (quiet.texts(), quiet.usage.twice) == (["c 2"], 1)


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("quiet")
def test_answers_of_the_batch_itself_are_no_other_programs(store: Path) -> None:
    chain = Fallback([first := Counts("A"), Counts("B")])
    prompts = ["a", "a", {"prompt": "a", "provider": first}, {"prompt": "a", "provider": chain}, "b", "fail"]
    for options in ({}, {"fresh": True}, {"fresh": True}):
        results = Client(chain).map(prompts, store=store, **options)
        assert len(list(results)) == len(list(results)) == 6
        again = Client(chain).map(prompts, store=store, workers=1).reject(lambda result: result.provider == "A")
        for usage in (results.usage, (list(again), again.usage)[1]):
            assert (usage.elsewhere, usage.twice) == (0, 0)


@pytest.mark.usefixtures("quiet")
def test_what_replaces_stored_answers_is_paid_for_by_no_other_program(store: Path) -> None:
    Client(Beside(store)).map(["a", "b"], store=store, workers=1).texts()
    for options in ({"fresh": True}, {}):
        results = Client(Beside(store, "a")).map(["a", "b"], store=store, workers=1, **options)
        assert results.reject(lambda result: True).texts() == ["a 2", "b 3"]
        assert (results.usage.elsewhere, results.usage.twice) == (0, 0)


@pytest.mark.usefixtures("quiet")
def test_an_answer_to_a_loop_that_was_left_is_no_other_programs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_END_SECONDS", 0.0)
    begun, again, kept = threading.Event(), threading.Event(), threading.Event()

    class Slow(Counts):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            if last_user_message(prompt.messages) == "a":
                is_first = not begun.is_set()
                begun.set()
                if is_first:
                    assert again.wait(30)
                else:
                    again.set()
                    assert kept.wait(30)
            else:
                assert begun.wait(30)
            return super().begin(prompt)

    with ThreadPoolExecutor(2) as executor:  # which ends no call that has begun
        results = Client(Slow()).map(["b", "a"], store=store, executor=executor, workers=2)
        keep = results._plan.keep

        def noting(*of: Any) -> bool:
            found = keep(*of)
            if again.is_set():
                kept.set()
            return found

        results._plan.keep = noting  # type: ignore[method-assign]
        for _ in results:
            break
        assert [result.is_shared for result in results] == [False, False]
    assert len(results._plan.store.keys()) == 2  # type: ignore[union-attr]


def test_a_prompt_that_another_program_has_answered_gives_its_tokens_back(store: Path) -> None:
    long = {"prompt": "b", "max_tokens": 10**6}
    client = Client(Beside(store, long), pace=(pace := Pace(tpm=600)))
    results = client.map(["a", long], store=store, workers=1, progress=False)
    assert [result.is_stored for result in results] == [False, True]
    assert pace.meter.reserve(1) == 0
