"""A circuit breaker, which skips a provider that keeps failing for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import (
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
)
from ..http.forks import lock_free_in_children
from ..http.retry import may_pass
from .failure_words import words_of

FAILURES_TO_OPEN = 3  # in a row, after which a provider is skipped
OPEN_SECONDS = 30.0
MAX_OPEN_SECONDS = 3600.0  # the longest Retry-After that is respected
_lock = lock_free_in_children()  # shared by all circuit breakers


class CircuitBreaker:
    """Skips a provider after ``FAILURES_TO_OPEN`` failures in a row; shared by all threads.

    The provider is skipped for ``OPEN_SECONDS``, or for its Retry-After, up to ``MAX_OPEN_SECONDS``.  The first piece
    of an answer takes back the failures without one, and a whole answer those of the answers that were cut.

    :param clock: returns the time in seconds
    :ivar failures: how many calls failed in a row; with none there is nothing to wait for
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.failures = 0
        self._cut = 0  # how many of them after the first piece
        self._open_until = 0.0
        self._on_trial = False  # whether one call is trying the provider, which others skip meanwhile
        self._reason = ""  # of the last failure, in words that any caller may read
        self._may_pass = True  # the last failure, by itself
        self._limit: type[RateLimitError] | None = None  # if the last failure was a limit with a time to wait
        self._asked_to_wait = False  # by the service, with a time

    def wait(self) -> float:
        """Return 0 if a call may use the provider, or the seconds for which to skip it.

        After that time the first call is a trial, and other calls skip the provider until the trial has ended.
        """
        with _lock:
            wait = self._open_until - self._clock()
            if wait <= 0 and self.failures >= FAILURES_TO_OPEN:
                self._open_until, self._on_trial = self._clock() + OPEN_SECONDS, True
            return max(0.0, wait)

    def known_wait(self) -> float | None:
        """Return the seconds until a call may use the provider; None if its service did not ask to wait.

        Then nobody knows whether it will answer.
        """
        with _lock:
            wait = max(0.0, self._open_until - self._clock())
            return wait if self._asked_to_wait or not wait else None

    def skipped(self, wait: float, provider: str) -> ProviderError:
        """Make the error of a call that skips the provider: a rate limit where that was the last failure.

        Its ``retry_after`` is the wait, unless that will not help, as after a wrong key.

        :param wait: the seconds for which the provider is still skipped
        :param provider: its name
        """
        with _lock:
            text = f"skipped, because it failed before ({self._reason})"
            if self._limit is not None:  # whose text says how long
                return self._limit(text, provider=provider, skipped=True, retry_after=wait)
            text += f"; it will be tried again in {wait:.0f} s"
            asked = wait if self._may_pass else None
            return ProviderError(text, provider=provider, skipped=True, retry_after=asked)

    def failed(self, error: G4FLiteError, *, begun: bool = False) -> None:
        """Count a failure, if it is one of the provider itself.

        :param begun: whether the first piece had come
        """
        words = words_of(error)
        if words is None:
            self.not_judged()
            return
        with _lock:
            self.failures += 1
            self._cut += begun
            self._on_trial, self._reason = False, words
            wait = min(getattr(error, "retry_after", None) or 0.0, MAX_OPEN_SECONDS)
            self._asked_to_wait = wait > 0 and not isinstance(error, QuotaExceededError)
            self._may_pass = may_pass(error)
            limits = (QuotaExceededError, RateLimitError) if wait > 0 else ()
            self._limit = next((kind for kind in limits if isinstance(error, kind)), None)
            if self.failures >= FAILURES_TO_OPEN:
                wait = max(wait, OPEN_SECONDS)
            self._open_until = max(self._open_until, self._clock() + wait)

    def forgive(self) -> None:
        """Forget the failures, unless the service asked to wait."""
        with _lock:
            if not self._asked_to_wait:
                self.failures, self._cut, self._open_until, self._on_trial = 0, 0, 0.0, False

    def not_judged(self) -> None:
        """Let another call try a provider, where the one that did so says nothing of whether it works."""
        with _lock:
            if self._on_trial:
                self._on_trial, self._open_until = False, 0.0

    def begun(self) -> None:
        """Count a first piece, which closes the circuit, unless as many answers as open it were cut after theirs."""
        with _lock:
            self.failures = self._cut
            if self.failures < FAILURES_TO_OPEN:
                self._open_until = 0.0

    def ended(self) -> None:
        """Count a whole answer, which closes a circuit that cut answers have opened."""
        with _lock:
            if self._cut >= FAILURES_TO_OPEN:
                self._open_until = 0.0
            self.failures, self._cut = self.failures - self._cut, 0
