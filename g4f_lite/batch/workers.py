"""How many calls of a batch are in progress at once: a number, or as many as the service takes."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Mapping

from ..arguments import check_whole_number
from ..http.waits import named_wait

MOST = 64
_FIRST = 4
_SHRINK = 0.75  # what a refusal leaves of the number
_CROWD_SECONDS = 1.0  # after a refusal, and the wait that the service asks for, in which others belong to it
_RECENT_SECONDS = 1.0  # in which the calls that were sent say how many the service takes
_CARE = 0.95  # of what it took then
_GROWTH, _DOUBLING_SECONDS = 0.001, 30.0  # how the pace grows again: by 5 % in half a minute, sevenfold in two
_FEW, _DOUBLING_SECONDS_OF_FEW = 20, 3.0  # a refusal among few calls says little: twofold in 12 seconds
# The pace is not the reason of a refusal before which fewer calls were sent than the service has taken in such a time.
_COMPARED_SECONDS, _FEWER = 4.0, 0.85
_ALIKE = 1.25  # times as many answers at most between two of the last refusals as between others: they come regularly
_SOON = 10  # answers between two refusals; with fewer, the service takes less than before
_MOST_KEPT = 4096  # times of calls, for the comparison
LONGEST_OUTAGE = 600.0  # seconds
_FIRST_TRY, _LAST_TRY = 1.0, 15.0  # seconds between two tries in an outage, which become more
_ALONE_SECONDS = 60.0  # of an outage that a single prompt has met
LONGEST_PAUSE = 86_400.0  # seconds; what is used up for a day is back within it, and a longer wait is no pause
LEAST_PAUSE = 1.0  # seconds; a shorter wait is one for a call, which has kept it before its last attempt
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 60.0  # seconds, where a service refuses and names no time; each is twice the last
_MOST_DIGITS = 19  # of a number of less than 64 bits
_KEPT = 0.9  # of the means of tokens and seconds, with each answer
_BUNDLE_SECONDS, _MOST_IN_BUNDLE = 0.75, 10
TOO_MANY = 429
REQUESTS_LEFT = ("x-ratelimit-remaining-requests", "x-ratelimit-remaining")
TOKENS_LEFT = ("x-ratelimit-remaining-tokens",)


class Workers:
    """The number of workers, which is a number, or adapts itself.

    ``"auto"`` starts with 4, and each half of them that succeed bring one more. If a call is refused by 429, a quarter
    of them goes, and calls are sent a little more slowly than in the second before, evenly spread, if that was one of
    many calls, or refusals come soon or regularly; this pace then grows again. Where the service has taken more calls
    than those before a refusal, the pace is not the reason, and there is none. There are never more workers than the
    service says is left of its limits, and at most 64.

    :param number: the number, or ``"auto"``
    :param longest_pause: the seconds for which the service may ask to wait
    :param longest_outage: the seconds for which it may be out of reach
    :param clock: tells the time in seconds; a test gives its own
    :raises TypeError: if it is neither a whole number nor ``"auto"``
    :raises ValueError: if it is less than 1
    """

    def __init__(
        self,
        number: int | str = "auto",
        *,
        longest_pause: float = LONGEST_PAUSE,
        longest_outage: float = LONGEST_OUTAGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.adapts = number == "auto"
        if isinstance(number, str) and not self.adapts:
            raise TypeError(f"workers must be a whole number or 'auto', not {number!r}")
        self._number = _FIRST if isinstance(number, str) else check_whole_number(number, "workers")
        self.longest_pause = longest_pause
        self.longest_outage = longest_outage
        self._clock = clock
        self._lock = threading.Lock()
        self._successes = 0  # since the number changed
        self._left = math.inf  # requests that the service says are left
        self._tokens = 0.0  # of a call, as a mean of the last ones
        self._seconds = math.inf  # likewise
        self._sent: list[float] = []  # when the last calls were sent, without those that were refused
        self._most_taken = 0  # of the calls that were sent in some seconds, the last of which was answered
        self._refused_at = -math.inf
        self._crowd_until = -math.inf
        self._calm_until = -math.inf
        self._waits_until = -math.inf  # because the service asked everybody to wait
        self._out_since = math.inf  # when the service was found out of reach
        self._back_at = -math.inf  # when it was in reach again
        self._outages = 0
        self._met_by: set[int] = set()  # the prompts that found the service out of reach in the last outage
        self._pause_ends = -math.inf  # of the last pause that calls were put back for
        self._own_pause = _FIRST_PAUSE  # the next one where the service names no time
        self._rate = math.inf  # calls a second at the last refusal
        self._answers = 0
        self._answers_before = -math.inf  # the last refusal
        self._answers_between: deque[float] = deque(maxlen=3)  # the last refusals
        self._doubling = _DOUBLING_SECONDS
        self._next = -math.inf  # when the next call may be sent
        self.refusals = 0
        self.was_reached = False  # the service has answered, in this run, an earlier one, or for the store

    @property
    def number(self) -> int:
        """How many calls may be in progress now."""
        return max(1, min(self._number, math.floor(min(self._left, MOST)))) if self.adapts else self._number

    @property
    def paused(self) -> float:
        """The seconds for which the service has asked everybody to wait; 0 if it has not, or they have passed."""
        return max(0.0, self._waits_until - self._clock())

    @property
    def outage(self) -> float:
        """The seconds for which the service has been out of reach; 0 if it is not."""
        return max(0.0, self._clock() - self._out_since)

    @property
    def is_met_by_one(self) -> bool:
        """Whether a single prompt has met the outage for so long that it may be the reason: a service fails at it."""
        return len(self._met_by) == 1 and self.outage >= _ALONE_SECONDS

    @property
    def pace(self) -> float | None:
        """The most calls a second that are sent, because the service refused more; None if nothing waits for that."""
        gap = self._gap(self._clock()) if self.adapts else 0.0
        return 1 / gap if gap > self._seconds / self.number else None

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
            if self._out_since < math.inf:
                self._wait_for_service(now)  # the others wait for what comes of this one
            if self.adapts:
                self._sent.append(now)
                if len(self._sent) > _MOST_KEPT:
                    del self._sent[: _MOST_KEPT // 2]
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
            if now < self._crowd_until:
                self._rate = max(1.0, self._rate - 1 / _RECENT_SECONDS)  # it was counted among those that were taken
                return
            ends = max(now, self._waits_until)
            self._crowd_until = ends + _CROWD_SECONDS
            self._number = max(1, math.floor(self._number * _SHRINK))
            self._successes = 0
            self._set_rate(now, ends, is_named=wait is not None)

    def _set_rate(self, now: float, ends: float, *, is_named: bool) -> None:
        """Slow the calls down after a refusal, if the pace may be its reason.

        :param ends: when the wait ends that the service asked for
        :param is_named: whether it asked for one; where it does not, refusals cost less than a pace that is too slow
        """
        before, taken = self._sent_within(_COMPARED_SECONDS, now), self._sent_within(_RECENT_SECONDS, now) - 1
        if self._sent:
            self._sent.pop()  # the one that was refused
        between = self._answers_between
        between.append(self._answers - self._answers_before)
        is_soon = between[-1] < _SOON
        is_regular = (
            is_named and not is_soon and len(between) == between.maxlen and max(between) <= _ALIKE * min(between)
        )
        self._answers_before = self._answers
        if is_soon:
            self._most_taken = 0
        if before <= _FEWER * self._most_taken:
            self._forget_rate(now)
        elif is_soon or is_regular or taken >= _FEW or not math.isinf(self._rate):
            # In the second after a wait there are fewer than the service takes.
            self._rate = max(1.0, taken if math.isinf(self._rate) else max(taken, self._rate * _SHRINK))
            self._doubling = _DOUBLING_SECONDS if is_regular or taken >= _FEW else _DOUBLING_SECONDS_OF_FEW
            self._refused_at = now
            self._next = ends
            self._calm_until = self._crowd_until

    @property
    def has_paused_in_vain(self) -> bool:
        """Whether nothing was answered in the pauses of a minute, for which the service named no time."""
        return self._own_pause >= min(_LAST_PAUSE, self.longest_pause)

    def pause(self, seconds: float | None, began_at: float) -> bool:
        """Let everybody wait, and return whether this is a new pause: a crowd of calls is refused at once.

        :param seconds: those that the service names; None if it names none: the pauses then become longer until it
            answers
        :param began_at: when the call that was refused began; before the end of the last pause, it is of its crowd
        """
        with self._lock:
            now = self._clock()
            is_new = began_at >= self._pause_ends
            if seconds is None:
                if not is_new:
                    return False
                seconds = min(self._own_pause, self.longest_pause)
                self._own_pause = min(2 * self._own_pause, _LAST_PAUSE)
            self._pause_ends = max(self._pause_ends, now + seconds)
            self._waits_until = max(self._waits_until, now + seconds)
            return is_new

    def missed(self, began_at: float, prompt: int) -> int:
        """Let all but one call at a time wait for a service that is out of reach, and return the number of the outage.

        :param began_at: when the call began that found it so; an outage that has ended since is the one
        :param prompt: the position of its prompt
        """
        with self._lock:
            if math.isinf(self._out_since):
                if began_at <= self._back_at:
                    return self._outages
                self._out_since = self._clock()
                self._outages += 1
                self._met_by.clear()
            self._met_by.add(prompt)
            self._wait_for_service(self._clock())
            return self._outages

    def reached(self, began_at: float) -> None:
        """Count an answer, which ends an outage unless its call had begun before."""
        with self._lock:
            self.was_reached = True
            self._own_pause = _FIRST_PAUSE
            if began_at > self._out_since:
                self._out_since, self._back_at = math.inf, self._clock()
                self._waits_until = min(self._waits_until, self._back_at)

    def _wait_for_service(self, now: float) -> None:
        gap = min(_LAST_TRY, max(_FIRST_TRY, now - self._out_since))
        self._waits_until = max(self._waits_until, now + gap)

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
            self._most_taken = max(self._most_taken, self._sent_within(_COMPARED_SECONDS, now - seconds))
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

    def _sent_within(self, seconds: float, end: float) -> int:
        """Count the calls that were sent in the seconds before a time."""
        return bisect_right(self._sent, end) - bisect_left(self._sent, end - seconds)

    def __repr__(self) -> str:
        return f"Workers({self.number}{', adapting' if self.adapts else ''})"


def _left(headers: Mapping[str, str], *names: str) -> float:
    """Return how many requests or tokens the service says are left; infinity where it does not say so."""
    value = next((value.strip() for name in names if (value := headers.get(name))), "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS else math.inf
