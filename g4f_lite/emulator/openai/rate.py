"""A limit of requests per second."""

from __future__ import annotations

import threading
import time
from collections import deque

_WINDOW = 1.0


class RateLimiter:
    """Let at most ``rate`` requests pass in every second. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed: deque[float] = deque()

    def wait(self, rate: float) -> float | None:
        """Count a request that passes.

        :param rate: requests per second; below 1 it is one request in more than a second
        :returns: the seconds to wait if the request does not pass, else ``None``
        """
        count = max(1, int(rate))
        window = _WINDOW * count / rate
        now = time.monotonic()
        with self._lock:
            while self._passed and now - self._passed[0] >= window:
                self._passed.popleft()
            if len(self._passed) >= count:
                return window - (now - self._passed[0])
            self._passed.append(now)
            return None

    def clear(self) -> None:
        """Forget the requests that have passed."""
        with self._lock:
            self._passed.clear()
