"""A pace that many processes share: what is counted in its storage, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import Client, Pace, ProviderNotConfiguredError
from g4f_lite.batch.pace import Meter, SharedMeter, evenly

from .batch_providers import Shout

pytest.importorskip("limits")

MINUTE = 60.0


@pytest.fixture
def meter_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Meter, SimpleNamespace]]:
    """Make a meter and its clock, which begins with a minute."""

    def make(**limits: float) -> tuple[Meter, SimpleNamespace]:
        clock = SimpleNamespace(now=1000 * MINUTE)
        monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=lambda: clock.now))
        return Pace(**limits, storage="memory://").meter, clock

    return make


def test_a_prompt_with_more_tokens_than_a_minute_has_takes_all_of_it(meter_of: Any) -> None:
    meter, _ = meter_of(tpm=600)
    assert meter.reserve(8000) == 0
    assert meter.reserve(1) < 0


def test_an_answer_with_more_tokens_than_are_left_is_counted_in_the_next_minutes(meter_of: Any) -> None:
    meter, clock = meter_of(tpm=600)
    assert meter.reserve(100) == 0
    meter.correct(1000)  # of which 500 fit into this minute
    waits = []
    for _ in range(4):
        clock.now += MINUTE / 2  # in which half a minute's tokens are forgotten, of a minute that has passed
        waits.append(meter.reserve(100) < 0)
    assert waits == [True, True, True, False]


def test_fewer_tokens_than_were_reserved_are_owed_no_more(meter_of: Any) -> None:
    meter, clock = meter_of(tpm=600)
    assert meter.reserve(8000) == 0
    meter.correct(-7400)
    clock.now += 2 * MINUTE
    assert meter.reserve(600) == 0


def test_a_number_of_tokens_that_cannot_be_holds_nobody_up_for_ever(meter_of: Any) -> None:
    meter, clock = meter_of(tpm=600)
    meter.correct(2**62)
    for _ in range(24):
        clock.now += MINUTE
        wait = meter.reserve(1)
    assert wait == 0


@pytest.mark.parametrize("limits", [{"rpm": 10 / 1440}, {"tpm": 0.4}])
def test_a_limit_of_very_few_is_one(meter_of: Any, limits: dict[str, float]) -> None:
    meter, _ = meter_of(**limits)
    assert [meter.reserve(1) == 0, meter.reserve(1) < 0] == [True, True]


@pytest.mark.parametrize(
    ("rpm", "requests", "seconds"),
    [
        (600, 10, 1),
        (599, 19, 2),
        (119, 17, 9),
        (61, 1, 1),
        (60, 1, 1),
        (45, 3, 4),
        (30, 1, 2),
        (7, 1, 9),
        (1, 1, 60),
        (0.1, 1, 600),
        (0.001, 1, 60_000),
    ],
)
def test_requests_go_a_few_at_a_time(rpm: float, requests: int, seconds: int) -> None:
    assert evenly(rpm) == (requests, seconds)


def test_a_batch_keeps_an_answer_whose_tokens_a_storage_cannot_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ProviderNotConfiguredError("the storage failed")

    monkeypatch.setattr(SharedMeter, "correct", fail)
    client = Client(Shout(), pace=Pace(tpm=600, storage="memory://"))
    results = client.map(["one", "two"], store=tmp_path / "answers.db")
    assert [result.text for result in results] == ["ONE", "TWO"]
    assert client.map(["one", "two"], store=tmp_path / "answers.db").estimate().calls == 0
    assert "the tokens of a call are not counted" in caplog.text
