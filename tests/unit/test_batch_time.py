"""A batch that may take a certain time: what is sent until then, what is kept, and how it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import BaseProvider, BatchResults, BatchStoppedError, Client, Finish, Prompt, RateLimitError
from g4f_lite.messages import last_user_message

from .batch_providers import numbered

STEP = 10.0  # seconds that an answer takes by the clock of these tests


class Slow(BaseProvider):
    """A provider with a clock, which each answer moves on.

    :param refused: how many prompts it refuses for an hour
    """

    def __init__(self, refused: int = 0) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self._refused = refused

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        self.asked.append(last_user_message(prompt.messages))
        self.now += STEP
        if len(self.asked) <= self._refused:
            raise RateLimitError("too many requests", retry_after=3600)
        yield self.asked[-1].upper()
        yield Finish()


def batch(provider: Slow, prompts: Any, **settings: Any) -> BatchResults[Any]:
    results = Client(provider).map(prompts, **{"workers": 1, **settings})
    results._plan.clock = lambda: provider.now
    return results


def test_nothing_is_sent_after_the_time_that_a_batch_may_take() -> None:
    provider = Slow()
    results = batch(provider, numbered(9), max_time=2.5 * STEP)
    with pytest.raises(BatchStoppedError) as caught:
        results.texts()
    assert str(caught.value) == "the batch stopped after 3 answers: the max_time of 25 s has passed"
    assert caught.value.results is results
    assert results.so_far.texts() == ["PROMPT 0", "PROMPT 1", "PROMPT 2"]
    assert provider.asked == numbered(3)
    with pytest.raises(BatchStoppedError):  # reading goes on, for as long once more
        results.texts()
    assert provider.asked == numbered(6)
    assert results.failed == []


def test_the_same_batch_goes_on_from_its_store(tmp_path: Path) -> None:
    for nights in range(1, 4):
        provider = Slow()
        results = batch(provider, numbered(5), max_time=1.5 * STEP, store=tmp_path / "answers.db")
        if nights < 3:
            with pytest.raises(BatchStoppedError):
                results.texts()
        assert provider.asked == (numbered(5)[2 * nights - 2 : 2 * nights] if nights < 3 else [])
    assert results.texts() == [text.upper() for text in numbered(5)]
    assert provider.asked == ["prompt 4"]


def test_time_that_ends_while_the_service_lets_everybody_wait() -> None:
    provider = Slow(refused=1)
    with pytest.raises(BatchStoppedError, match="after 0 answers: the max_time of 5 s has passed"):
        batch(provider, numbered(3), max_time=STEP / 2, progress=False).texts()
    assert provider.asked == ["prompt 0"]


def test_time_that_ends_while_a_batch_keeps_its_pace() -> None:
    provider = Slow()
    with pytest.raises(BatchStoppedError, match="after 1 answer: the max_time of 5 s has passed"):
        batch(provider, numbered(3), max_time=STEP / 2, rpm=1).texts()
    assert provider.asked == ["prompt 0"]


@pytest.mark.parametrize("prompts", [numbered(3), iter(numbered(3))], ids=["a list", "an iterator"])
def test_a_batch_that_has_sent_all_does_not_stop(prompts: Any) -> None:
    assert len(batch(Slow(), prompts, max_time=2.5 * STEP).texts()) == 3


def test_prompts_of_an_iterator_go_on_with_the_next_one() -> None:
    provider = Slow()
    results = batch(provider, iter(numbered(5)), max_time=2.5 * STEP)
    read = []
    with pytest.raises(BatchStoppedError, match="after 3 answers"):
        read += [result.text for result in results]
    assert results.texts() == ["PROMPT 3", "PROMPT 4"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("6 h", TypeError, "max_time must be seconds, not str"),
        (True, TypeError, "max_time must be seconds, not bool"),
        (0, ValueError, "max_time must be above 0 seconds, not 0"),
        (float("nan"), ValueError, "max_time must be above 0 seconds, not nan"),
    ],
)
def test_a_time_that_is_none_is_refused_at_once(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        Client(Slow()).map(["a"], max_time=given)
