"""How many calls of a batch are in progress at once: a number, or as many as the service takes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from ..arguments import check_whole_number
from ..http.waits import named_wait

MOST = 64
_FIRST = 4
_SHRINK = 0.75  # what a refusal leaves of the number
_CALM_SECONDS = 1.0  # after a refusal, in which others belong to the same crowd
_RECENT_SECONDS = 1.0  # in which the calls that were sent say how many the service takes
_CARE = 0.92  # of what it took then
_GROWTH, _DOUBLING_SECONDS = 0.001, 30.0  # how the pace grows again: by 5 % in half a minute, sevenfold in two
_TOO_MANY = 429


class Workers:
    """The number of workers, which is a number, or adapts itself.

    ``"auto"`` starts with 4, and each half of them that succeed bring one more.  If a call is refused by 429, a quarter
    of them goes, and calls are sent a little more slowly than in the second before, evenly spread; this pace then grows
    again.  There are never more workers than the service says is left of its limits, and at most 64.

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
        self._left = math.inf  # requests that the service says are left
        self._sent: deque[float] = deque()  # when the last calls were sent
        self._refused_at = -math.inf
        self._calm_until = -math.inf
        self._waits_until = -math.inf  # because the service asked everybody to wait
        self._rate = math.inf  # calls a second at the last refusal
        self._next = -math.inf  # when the next call may be sent
        self.refusals = 0

    @property
    def number(self) -> int:
        """How many calls may be in progress now."""
        return max(1, min(self._number, math.floor(min(self._left, MOST)))) if self.adapts else self._number

    def reserve(self) -> float:
        """Take a place for a call, and return the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            at = max(now, self._waits_until)
            if self.adapts:
                at = max(at, self._next)
                self._next = at + self._gap(now)
                self._sent.append(at)
                self._forget(now)
            return at - now

    def wait(self) -> float:
        """Return the seconds for which the service asked everybody to wait meanwhile; 0 for none."""
        return max(0.0, self._waits_until - self._clock())

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the status and the headers of a response, which may be one that the provider tries again after."""
        if status == _TOO_MANY:
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
            self._forget(now)
            taken = sum(at <= now for at in self._sent) - 1  # without the one that was refused
            self._rate = max(1.0, taken) / _RECENT_SECONDS
            self._number = max(1, math.floor(self._number * _SHRINK))
            self._successes = 0
            self._refused_at = now
            self._calm_until = self._next = now + max(_CALM_SECONDS, wait or 0.0)

    def succeeded(self) -> None:
        """Count an answer."""
        if not self.adapts or self._number >= MOST:
            return
        with self._lock:
            if self._clock() < self._calm_until:
                return
            self._successes += 1
            if self._successes >= max(1, self._number // 2):
                self._number += 1
                self._successes = 0

    def _gap(self, now: float) -> float:
        """Return the seconds between two calls."""
        if math.isinf(self._rate):
            return 0.0
        passed = min(now - self._refused_at, 600.0)
        growth = min(_GROWTH * passed * 2 ** (passed / _DOUBLING_SECONDS), 10.0)
        return 1 / (self._rate * _CARE * math.exp(growth))

    def _forget(self, now: float) -> None:
        """Forget calls that were not sent in the last second."""
        while self._sent and self._sent[0] < now - _RECENT_SECONDS:
            self._sent.popleft()

    def __repr__(self) -> str:
        return f"Workers({self.number}{', adapting' if self.adapts else ''})"


def _left(headers: Mapping[str, str]) -> int | None:
    """Return how many requests the service says are left, or None where it does not say so."""
    value = headers.get("x-ratelimit-remaining-requests") or headers.get("x-ratelimit-remaining") or ""
    return int(value) if value.strip().isascii() and value.strip().isdigit() else None
