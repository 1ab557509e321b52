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
_CARE = 0.95  # of what it took then
_GROWTH, _DOUBLING_SECONDS = 0.001, 30.0  # how the pace grows again: by 5 % in half a minute, sevenfold in two
_FEW, _DOUBLING_SECONDS_OF_FEW = 20, 3.0  # a refusal among few calls says little: twofold in 12 seconds
# Refusals have another reason than the pace if each has many answers before it, and there are some at a small share of
# the pace, too.
_LEAST, _LAST, _MANY, _SMALL = 5, 12, 20, 0.4
LONGEST_PAUSE = 86_400.0  # seconds; what is used up for a day is back within it, and a longer wait is no pause
_KEPT = 0.9  # of the means of tokens and seconds, with each answer
_BUNDLE_SECONDS, _MOST_IN_BUNDLE = 0.75, 10
TOO_MANY = 429
REQUESTS_LEFT = ("x-ratelimit-remaining-requests", "x-ratelimit-remaining")
TOKENS_LEFT = ("x-ratelimit-remaining-tokens",)


class Workers:
    """The number of workers, which is a number, or adapts itself.

    ``"auto"`` starts with 4, and each half of them that succeed bring one more.  If a call is refused by 429, a quarter
    of them goes, and calls are sent a little more slowly than in the second before, evenly spread; this pace then grows
    again.  Where few calls are refused, and at less than half of the pace too, the pace is not the reason and stays.
    There are never more workers than the service says is left of its limits, and at most 64.

    :param number: the number, or ``"auto"``
    :param longest_pause: the seconds for which the service may ask to wait
    :param clock: tells the time in seconds; a test gives its own
    :raises TypeError: if it is neither a whole number nor ``"auto"``
    :raises ValueError: if it is less than 1
    """

    def __init__(
        self,
        number: int | str = "auto",
        *,
        longest_pause: float = LONGEST_PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.adapts = number == "auto"
        if isinstance(number, str) and not self.adapts:
            raise TypeError(f"workers must be a whole number or 'auto', not {number!r}")
        self._number = _FIRST if isinstance(number, str) else check_whole_number(number, "workers")
        self.longest_pause = longest_pause
        self._clock = clock
        self._lock = threading.Lock()
        self._successes = 0  # since the number changed
        self._left = math.inf  # requests that the service says are left
        self._tokens = 0.0  # of a call, as a mean of the last ones
        self._seconds = math.inf  # likewise
        self._sent: deque[float] = deque()  # when the last calls were sent
        self._refused_at = -math.inf
        self._calm_until = -math.inf
        self._waits_until = -math.inf  # because the service asked everybody to wait
        self._pause_ends = -math.inf  # of the last pause that calls were put back for
        self._rate = math.inf  # calls a second at the last refusal
        self._first_rate = math.inf  # likewise, at the first of those that made it less and less
        self._answers = 0
        self._answers_before: deque[int] = deque(maxlen=_LAST)  # each of the last refusals
        self._is_chance = False  # whether refusals have another reason than the pace
        self._doubling = _DOUBLING_SECONDS
        self._next = -math.inf  # when the next call may be sent
        self.refusals = 0

    @property
    def number(self) -> int:
        """How many calls may be in progress now."""
        return max(1, min(self._number, math.floor(min(self._left, MOST)))) if self.adapts else self._number

    @property
    def paused(self) -> float:
        """The seconds for which the service has asked everybody to wait; 0 if it has not, or they have passed."""
        return max(0.0, self._waits_until - self._clock())

    @property
    def bundle(self) -> int:
        """How many prompts an executor gets at once: those of half a second, unless a limit of the service is known.

        Executors take milliseconds to hand a prompt over, and short answers do not take much more.
        """
        if self.refusals or self._left < math.inf:
            return 1
        return max(1, min(_MOST_IN_BUNDLE, math.floor(_BUNDLE_SECONDS / max(self._seconds, 1e-9))))

    def reserve(self) -> float:
        """Take a place for a call, and return the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            at = max(now, self._waits_until, self._next)
            if self.adapts:
                self._next = at + self._gap(now)
            return at - now

    def may_send(self) -> bool:
        """Return whether a call may be sent now, at its place; if not, the service has asked everybody to wait."""
        with self._lock:
            now = self._clock()
            if now < self._waits_until:
                return False
            if self.adapts:
                self._sent.append(now)
                self._forget(now)
            return True

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the status and the headers of a response, which may be one that the provider tries again after."""
        if status == TOO_MANY:
            self.refused(named_wait(headers))
        elif self.adapts:
            requests, tokens = _left(headers, *REQUESTS_LEFT), _left(headers, *TOKENS_LEFT)
            self._left = min(requests, tokens / self._tokens if self._tokens else math.inf)

    def refused(self, wait: float | None = None) -> None:
        """Count a call that was refused because of a rate limit.

        :param wait: the seconds that the service asked for
        """
        with self._lock:
            now = self._clock()
            self.refusals += 1
            if wait is not None and wait <= self.longest_pause:
                self._waits_until = max(self._waits_until, now + wait)
            if not self.adapts:
                return
            self._answers_before.append(self._answers)
            count = len(self._answers_before)
            are_few = count >= _LEAST and self._answers - self._answers_before[0] >= (count - 1) * _MANY
            self._is_chance = self._is_chance and are_few
            if self._is_chance:
                return
            if now < self._calm_until:
                self._rate = max(1.0, self._rate - 1 / _RECENT_SECONDS)  # it was counted among those that were taken
                return
            self._forget(now)
            taken = (len(self._sent) - 1) / _RECENT_SECONDS  # without the one that was refused
            self._doubling = _DOUBLING_SECONDS if taken >= _FEW else _DOUBLING_SECONDS_OF_FEW
            # In the second after a wait there are fewer than the service takes.
            rate = max(1.0, taken if math.isinf(self._rate) else max(taken, self._rate * _SHRINK))
            if math.isinf(self._rate) or rate > self._first_rate:
                self._first_rate = rate
            self._is_chance = are_few and rate < _SMALL * self._first_rate
            if self._is_chance:
                self._forget_rate(now)
                return
            self._rate = rate
            self._number = max(1, math.floor(self._number * _SHRINK))
            self._successes = 0
            self._refused_at = now
            self._next = max(now, self._waits_until)
            self._calm_until = max(self._next, now + _CALM_SECONDS)

    def pause(self, seconds: float) -> bool:
        """Let everybody wait, and return whether this is a new pause: a crowd of calls is refused at once."""
        with self._lock:
            now = self._clock()
            is_new = now >= self._pause_ends
            self._pause_ends = max(self._pause_ends, now + seconds)
            self._waits_until = max(self._waits_until, now + seconds)
            return is_new

    def resume(self) -> None:
        """End a pause: another provider of a chain answers meanwhile."""
        with self._lock:
            now = self._clock()
            self._waits_until = min(self._waits_until, now)
            self._calm_until = min(self._calm_until, now + _CALM_SECONDS)
            self._forget_rate(now)  # that of the provider which refused

    def succeeded(self, tokens: int = 0, seconds: float = 0.0) -> None:
        """Count an answer.

        :param tokens: those of its prompt and its own
        :param seconds: how long it took
        """
        if tokens:
            self._tokens = tokens if not self._tokens else _KEPT * self._tokens + (1 - _KEPT) * tokens
        self._seconds = seconds if math.isinf(self._seconds) else _KEPT * self._seconds + (1 - _KEPT) * seconds
        if not self.adapts:
            return
        with self._lock:
            now = self._clock()
            self._answers += 1
            if self._number >= MOST:
                return
            if now < self._calm_until or self._next > now + self._gap(now):  # others are waiting for their places
                return
            self._successes += 1
            if self._successes >= max(1, self._number // 2):
                self._number += 1
                self._successes = 0

    def _gap(self, now: float) -> float:
        """Return the seconds between two calls."""
        if math.isinf(self._rate):
            return 0.0
        passed = min(now - self._refused_at, 200.0)
        growth = min(_GROWTH * passed * 2 ** (passed / self._doubling), 10.0)
        return 1 / (self._rate * _CARE * math.exp(growth))

    def _forget_rate(self, now: float) -> None:
        """Send calls as fast as the workers do."""
        self._rate = math.inf
        self._next = min(self._next, now)

    def _forget(self, now: float) -> None:
        """Forget calls that were not sent in the last second."""
        while self._sent and self._sent[0] < now - _RECENT_SECONDS:
            self._sent.popleft()

    def __repr__(self) -> str:
        return f"Workers({self.number}{', adapting' if self.adapts else ''})"


def _left(headers: Mapping[str, str], *names: str) -> float:
    """Return how many requests or tokens the service says are left; infinity where it does not say so."""
    value = next((value.strip() for name in names if (value := headers.get(name))), "")
    return int(value) if value.isascii() and value.isdigit() else math.inf
