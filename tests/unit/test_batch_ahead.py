"""How far a batch goes on behind a prompt whose answer takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from g4f_lite import Client

from .batch_providers import Holding, numbered

SOON = 20.0  # seconds; some hundredths where nothing else runs


@pytest.fixture
def holding() -> Iterator[Holding]:
    provider = Holding()
    yield provider
    provider.let_go.set()


def read_beside(holding: Holding, prompts: Iterable[str], until: int) -> list[str | None]:
    """Read the answers in a thread, and let the third come when so many prompts have been asked, or much later."""
    read: list[str | None] = []
    results = Client(holding).map(prompts, workers=2)
    reader = threading.Thread(target=lambda: read.extend(result.text for result in results))
    reader.start()
    ends = time.monotonic() + SOON
    while len(holding.asked) < until - 1 and time.monotonic() < ends:
        time.sleep(0.001)
    holding.let_go.set()
    reader.join(SOON)
    return read


def place_of_third(holding: Holding) -> int:
    """Tell how many prompts were asked before the third was let go."""
    return holding.asked.index("prompt 2")


def test_the_others_of_a_list_are_answered_meanwhile(holding: Holding) -> None:
    assert read_beside(holding, numbered(200), 200) == [text.upper() for text in numbered(200)]
    assert place_of_third(holding) == 199


def test_those_of_a_generator_so_far_as_memory_allows(holding: Holding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.reading._MOST_UNTAKEN", 100)
    most = 2 + 64 + 100  # taken, read ahead, and behind the third
    assert read_beside(holding, iter(numbered(400)), most) == [text.upper() for text in numbered(400)]
    assert place_of_third(holding) == most - 1


def test_who_takes_what_is_there_and_leaves_has_paid_for_few_others(holding: Holding) -> None:
    holding.let_go.set()
    read: list[str] = []

    def prompts() -> Iterator[str]:
        for prompt in numbered(400):
            read.append(prompt)
            yield prompt

    results = iter(Client(holding).map(prompts(), workers=1))
    next(results)  # which had to be waited for
    for taken in range(2, 20):
        while len(holding.asked) < len(read):  # all others but the last are there
            time.sleep(0.001)
        most = max(len(read), taken - 1 + 64)
        next(results)
        assert len(read) <= most
