"""Cool-downs: who waits after a rate limit, for how long, and who does not."""

from __future__ import annotations

import pickle

import pytest

from g4f_lite.http.cooldown import CROWD, CoolDowns


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cool(clock: Clock) -> CoolDowns:
    return CoolDowns(clock=clock, draw=lambda low, high: high)


def crowd(cool: CoolDowns, model: str = "m") -> None:
    """Let so many calls wait that those after them are spread as far as any."""
    for _ in range(CROWD):
        cool.wait(model, 60)


def test_nobody_waits_before_a_limit(cool: CoolDowns) -> None:
    assert cool.wait("m", 60) == 0


@pytest.mark.parametrize(
    ("after", "most", "wait"),
    [
        (0, 60, 4),  # what is left, and as much again for the spread
        (1.5, 60, 2.5),
        (2, 60, 0),
        (0, 3, 3),  # the spread goes no further than the call may wait
        (0, 2, 2),
        (0, 1.9, 0),  # what does not fit is not waited for
    ],
)
def test_a_call_waits_for_what_is_left(after: float, most: float, wait: float, cool: CoolDowns, clock: Clock) -> None:
    cool.begin("m", 2, 60)
    crowd(cool)
    clock.now += after
    assert cool.wait("m", most) == pytest.approx(wait)


def test_a_call_that_waits_alone_waits_as_long_as_the_service_said(cool: CoolDowns) -> None:
    cool.begin("m", 3, 60)
    assert [cool.wait("m", 60) for _ in range(6)] == [3, 3.75, 4.5, 5.25, 6, 6]
    cool.begin("m", 4, 60)
    assert cool.wait("m", 60) == 4


def test_the_spread_is_bounded(cool: CoolDowns) -> None:
    cool.begin("m", 30, 60)
    crowd(cool)
    assert cool.wait("m", 60) == 34


def test_each_model_has_its_own(cool: CoolDowns) -> None:
    cool.begin("m", 2, 60)
    assert (cool.wait("n", 60), cool.wait("m", 60)) == (0, 2)


def test_the_one_that_ends_last_counts(cool: CoolDowns, clock: Clock) -> None:
    cool.begin("m", 3, 60)
    clock.now += 1
    cool.begin("m", 1, 60)
    assert cool.wait("m", 60) == 2
    cool.begin("m", 4, 60)
    assert cool.wait("m", 60) == 4


def test_a_time_that_nobody_would_wait_is_none(cool: CoolDowns) -> None:
    for seconds in (61, float("inf")):
        cool.begin("m", seconds, 60)
    assert cool.wait("m", 60) == 0
    cool.begin("m", 1, 60)
    assert cool.wait("m", 60) == 1


def test_what_is_over_takes_no_room(cool: CoolDowns, clock: Clock) -> None:
    for number in range(100):
        cool.begin(str(number), 1, 60)
        clock.now += 2
    assert len(cool.running) == 1


def test_a_copy_has_none(cool: CoolDowns) -> None:
    cool.begin("m", 2, 60)
    assert pickle.loads(pickle.dumps(cool)).wait("m", 60) == 0
