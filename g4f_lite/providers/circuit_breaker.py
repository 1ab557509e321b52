"""A provider that keeps failing is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import G4FLiteError, ModelNotSupportedError, ServiceError, StreamInterruptedError
from ..http.forks import lock_free_in_children

FAILURES_TO_OPEN = 3  # in a row, after which a provider is left out for a while
OPEN_SECONDS = 30.0
MAX_OPEN_SECONDS = 3600.0  # however long a service asks to be left alone
_lock = lock_free_in_children()  # of all circuit breakers


class CircuitBreaker:
    """Leaves a provider alone after ``FAILURES_TO_OPEN`` failures in a row; shared by all threads.

    It is left alone for ``OPEN_SECONDS``, or as long as it asks, up to ``MAX_OPEN_SECONDS``.

    :param clock: gives the time in seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def wait(self) -> float:
        """Give 0 to let a call through, or the seconds to leave the provider alone.

        When the time is over, the first call through is the trial; the others go on waiting.
        """
        with _lock:
            wait = self._open_until - self._clock()
            if wait <= 0 and self._failures >= FAILURES_TO_OPEN:
                self._open_until = self._clock() + OPEN_SECONDS
            return max(0.0, wait)

    def failed(self, error: G4FLiteError) -> None:
        """Count a failure, if it is the provider's."""
        if isinstance(error, (ModelNotSupportedError, ServiceError, StreamInterruptedError)):
            return
        with _lock:
            self._failures += 1
            wait = min(getattr(error, "retry_after", None) or 0.0, MAX_OPEN_SECONDS)
            if self._failures >= FAILURES_TO_OPEN:
                wait = max(wait, OPEN_SECONDS)
            self._open_until = max(self._open_until, self._clock() + wait)

    def succeeded(self) -> None:
        """Count a success, which closes the circuit."""
        with _lock:
            self._failures, self._open_until = 0, 0.0
