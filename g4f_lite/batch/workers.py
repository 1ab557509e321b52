"""How many calls of a batch are in progress at once: a number, or as many as the service takes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..arguments import check_whole_number

MOST = 64
_FIRST = 4
_SHRINK = 0.75  # what a refusal leaves of the number
_CALM_SECONDS = 1.0  # after a refusal, in which others belong to the same crowd
_PROBE = 100  # times as many successes as workers before a number that was refused is tried; twice as many next time
_TOO_MANY = 429


class Workers:
    """The number of workers, which is a number, or adapts itself.

    ``"auto"`` starts with 4.  Each half of them that succeed bring one more, until a call is refused by 429: a quarter
    of them goes, and from then on the number at which that happened is approached with care.  It is never more than
    what the service says is left of its limits, and at most 64.

    :param number: the number, or ``"auto"``
    :param clock: tells the time in seconds; a test gives its own
    :raises TypeError: if it is neither a whole number nor ``"auto"``
    :raises ValueError: if it is less than 1
    """

    def __init__(self, number: int | str = "auto", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.adapts = number == "auto"
        if isinstance(number, str) and not self.adapts:
            raise TypeError(f"workers must be a whole number or 'auto', not {number!r}")
        self._number = _FIRST if isinstance(number, str) else check_whole_number(number, "workers")
        self._clock = clock
        self._lock = threading.Lock()
        self._successes = 0  # since the number changed
        self._ceiling: float = math.inf  # the number at which a call was refused
        self._probe = _PROBE
        self._left = math.inf  # requests that the service says are left
        self._calm_until = 0.0
        self._waits_until = 0.0
        self.refusals = 0

    @property
    def number(self) -> int:
        """How many calls may be in progress now."""
        return max(1, min(self._number, math.floor(min(self._left, MOST)))) if self.adapts else self._number

    def wait(self) -> float:
        """Return the seconds for which the service asked everybody to wait; 0 for none."""
        return max(0.0, self._waits_until - self._clock()) if self._waits_until else 0.0

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the status and the headers of a response, which may be one that the provider tries again after."""
        if status == _TOO_MANY:
            from ..http.waits import named_wait

            self.refused(named_wait(headers))
        elif self.adapts and (left := _left(headers)) is not None:
            self._left = left

    def refused(self, wait: float | None = None) -> None:
        """Count a call that was refused because of a rate limit.

        :param wait: the seconds that the service asked for
        """
        with self._lock:
            now = self._clock()
            self.refusals += 1
            if wait is not None:
                self._waits_until = max(self._waits_until, now + wait)
            if not self.adapts or now < self._calm_until:
                return
            self._probe *= 2 if self._number >= self._ceiling else 1
            self._ceiling = self._number
            self._number = max(1, math.floor(self._number * _SHRINK))
            self._successes = 0
            self._calm_until = now + max(_CALM_SECONDS, wait or 0.0)

    def succeeded(self) -> None:
        """Count an answer."""
        if not self.adapts or self._number >= MOST:
            return
        with self._lock:
            if self._clock() < self._calm_until:
                return
            self._successes += 1
            if self._number >= self._ceiling and self._successes >= self._number:
                self._ceiling = math.inf  # the service takes more than before
            is_known = self._number + 1 < self._ceiling
            if self._successes >= (max(1, self._number // 2) if is_known else self._probe * self._number):
                self._number += 1
                self._successes = 0

    def __repr__(self) -> str:
        return f"Workers({self.number}{', adapting' if self.adapts else ''})"


def _left(headers: Mapping[str, str]) -> int | None:
    """Return how many requests the service says are left, or None where it does not say so."""
    value: Any = headers.get("x-ratelimit-remaining-requests") or headers.get("x-ratelimit-remaining")
    return int(value) if value and value.strip().isascii() and value.strip().isdigit() else None
