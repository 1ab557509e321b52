"""The pace that ``workers="auto"`` finds, with services that are played in virtual time."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite.batch.workers import Workers

WAIT = 1.0  # seconds that a refusal asks to wait
SHORT, LONG = (0.05, 0.3), (1.0, 3.0)  # seconds that an answer takes, from and to

IsRefused = Callable[[float], bool]


def strays(share: float, seed: int) -> IsRefused:
    """A service that refuses a share of the calls, however slowly they come."""
    draw = random.Random(seed).random
    return lambda now: draw() < share


def bucket(rate: float, size: float) -> IsRefused:
    """A service that takes so many calls a second, and so many at once."""
    left, filled_at = size, 0.0

    def is_refused(now: float) -> bool:
        nonlocal left, filled_at
        left, filled_at = min(size, left + (now - filled_at) * rate), now
        is_taken = left >= 1
        left -= is_taken
        return not is_taken

    return is_refused


def window(limit: int, seconds: float = 1.0) -> IsRefused:
    """A service that takes so many calls in any such time."""
    taken: deque[float] = deque(maxlen=limit)

    def is_refused(now: float) -> bool:
        if len(taken) == limit and now < taken[0] + seconds:
            return True
        taken.append(now)
        return False

    return is_refused


class Played:
    """A batch in virtual time, whose calls a service takes or refuses.

    :param number: the workers
    :param prompts: how many prompts there are
    :param is_refused: whether the service refuses a call at a time
    :param seconds: how long an answer takes, from and to
    """

    def __init__(
        self,
        number: int | str,
        prompts: int,
        is_refused: IsRefused,
        seconds: tuple[float, float],
        seed: int,
        wait: float = WAIT,
    ) -> None:
        self._wait = wait
        self.now = 0.0
        self.refused = 0
        self._workers = Workers(number, clock=lambda: self.now)
        self._left = self._waiting = prompts
        self._running = 0
        self._is_refused = is_refused
        self._seconds = seconds
        self._draw = random.Random(seed).uniform
        self._events: list[tuple[float, int, Callable[..., None], Any]] = []
        self._order = itertools.count()

    def seconds(self) -> float:
        """Return how long the batch takes."""
        self._dispatch()
        while self._left:
            self.now, _, happens, argument = heapq.heappop(self._events)
            happens(argument)
        return self.now

    def _after(self, seconds: float, happens: Callable[..., None], argument: Any) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), happens, argument))

    def _dispatch(self) -> None:
        while self._waiting and self._running < self._workers.number:
            self._waiting -= 1
            self._running += 1
            self._after(0, self._reserve, 1)

    def _reserve(self, attempt: int) -> None:
        if paused := self._workers.paused:
            self._after(paused, self._reserve, attempt)
        else:
            self._after(self._workers.reserve(), self._at_place, attempt)

    def _at_place(self, attempt: int) -> None:
        (self._send if self._workers.may_send() else self._reserve)(attempt)

    def _send(self, attempt: int) -> None:
        if self._is_refused(self.now):
            self._after(0.003, self._note_refusal, attempt)
        else:
            seconds = self._draw(*self._seconds)
            self._after(seconds, self._note_answer, seconds)

    def _note_refusal(self, attempt: int) -> None:
        self.refused += 1
        self._workers.observe(429, {"Retry-After": f"{self._wait:.0f}"})
        if attempt < 3:  # the call's own retries
            self._after(self._wait + self._draw(0, 0.2), self._send, attempt + 1)
        else:
            self._waiting, self._running = self._waiting + 1, self._running - 1
            self._dispatch()

    def _note_answer(self, seconds: float) -> None:
        self._workers.succeeded(0, seconds)
        self._left, self._running = self._left - 1, self._running - 1
        self._dispatch()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("share", "seconds", "prompts", "most"),
    [
        (0.0, SHORT, 300, 8),
        (0.01, SHORT, 300, 20),
        (0.03, SHORT, 300, 24),
        (0.05, SHORT, 300, 36),
        (0.03, LONG, 300, 100),
    ],
)
def test_refusals_that_do_not_depend_on_the_pace_are_waited_for(
    share: float, seconds: tuple[float, float], prompts: int, most: float, seed: int
) -> None:
    assert Played("auto", prompts, strays(share, seed), seconds, seed).seconds() < most


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rate", "size", "seconds", "prompts", "ideal", "refused"),
    [
        (15, 15, SHORT, 450, 29, 25),
        (50, 50, SHORT, 1500, 29, 25),
        (15, 60, SHORT, 450, 26, 60),
        (2, 10, LONG, 200, 95, 30),
    ],
)
def test_a_limit_of_calls_a_second_is_used(
    rate: float, size: float, seconds: tuple[float, float], prompts: int, ideal: float, refused: int, seed: int
) -> None:
    played = Played("auto", prompts, bucket(rate, size), seconds, seed)
    assert ideal <= played.seconds() < (1.1 if seconds is SHORT else 1.2) * ideal
    assert played.refused < refused


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wait", "most"), [(1, 35), (2, 45), (5, 65)])
def test_a_limit_of_few_calls_a_second_is_found_by_how_regularly_it_refuses(
    wait: float, most: float, seed: int
) -> None:
    played = Played("auto", 300, window(12), (0.25, 0.75), seed + 1, wait)
    assert 25 <= played.seconds() < most
    assert played.refused < 20


@pytest.mark.parametrize("name", ["x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens"])
@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_that_is_left_and_has_too_many_digits_is_not_one(name: str, digits: int) -> None:
    workers = Workers()
    workers.succeeded(tokens=20)
    workers.observe(200, {name: "9" * digits})
    assert workers.number == 4
