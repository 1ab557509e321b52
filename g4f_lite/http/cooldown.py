"""Cool-downs after a rate limit, which all calls of a provider to the same model wait for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from .forks import lock_free_in_children

SPREAD = 4.0  # seconds at most over which the calls that waited are sent, so that they do not all come at once
CROWD = 4  # calls that wait; before there are so many, they are spread over a part of that
_lock = lock_free_in_children()  # of all cool-downs


class CoolDowns:
    """When each model of a provider may be called again after a rate limit.

    Without them, each thread of a program would find out by a refused request of its own.

    :param clock: tells the time in seconds; a test gives its own
    :param draw: draws a number between two others; a test gives its own
    :ivar running: when the cool-down of a model ends, how long it is, and how many calls have waited for it
    :ivar on_wait: called before each wait of a call with its seconds
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._clock = clock
        self._draw = draw
        self.running: dict[str, tuple[float, float, int]] = {}
        self.on_wait: Callable[[float], None] | None = None

    def begin(self, model: str, seconds: float, most: float) -> None:
        """Block calls to a model for so many seconds, unless a cool-down that ends later is in progress.

        :param most: the longest time that a call may wait; a longer one is no cool-down, as nobody would keep it
        """
        if seconds > most:
            return
        now = self._clock()
        with _lock:
            self.running = {name: kept for name, kept in self.running.items() if kept[0] > now}
            if now + seconds > self.running.get(model, (now, 0.0, 0))[0]:
                self.running[model] = now + seconds, seconds, 0

    def wait(self, model: str, most: float) -> float:
        """Return the seconds that a call should wait now: 0 where there is no cool-down, or where it does not fit.

        The first call that waits does so for as long as the service said; the more wait, the further they are spread.

        :param most: the longest time that the call may wait
        """
        with _lock:
            ends, length, before = self.running.get(model, (0.0, 0.0, 0))
            left = ends - self._clock()
            if left <= 0 or left > most:
                return 0.0
            self.running[model] = ends, length, before + 1
        return left + self._draw(0.0, min(min(length, SPREAD) * min(before, CROWD) / CROWD, most - left))

    def __reduce__(self) -> tuple[Any, ...]:
        return CoolDowns, ()
