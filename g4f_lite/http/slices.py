"""Waits in slices of time for Windows, where neither Ctrl-C nor another thread ends a wait for a socket or an event."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

NEEDED = os.name == "nt"
SLICE_SECONDS = 0.1


class SlicedReads(io.RawIOBase):
    """A file over a socket whose reads return to Python now and then.

    Between two slices Python runs the handlers of signals, and a call that was ended finds its file at the end,
    as after a shutdown of the socket.

    :param file: the unbuffered file that is replaced
    :param sock: its socket
    :param ended: tells whether the call was ended
    """

    def __init__(self, file: io.RawIOBase, sock: Any, ended: Callable[[], bool]) -> None:
        self._file, self._sock, self._ended = file, sock, ended

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        limit: float | None = self._sock.gettimeout()
        left = float("inf") if limit is None else limit
        until = time.monotonic() + left
        try:
            while True:
                self._sock.settimeout(min(SLICE_SECONDS, max(left, 0.001)))
                try:
                    # Not by the file, which refuses all later reads when one has timed out.
                    count: int = self._sock.recv_into(buffer)
                    return count
                except TimeoutError:
                    left = until - time.monotonic()
                    if self._ended():
                        return 0
                    if left <= 0:
                        raise
        finally:
            if self._sock.fileno() >= 0:
                self._sock.settimeout(limit)

    def close(self) -> None:
        self._file.close()
        super().close()


class Flag:
    """A flag that threads wait for, such as an event of ``threading``, which is Python code.

    What a signal handler raises within that code may leave an event's own lock taken, and whoever sets the event later
    would wait for ever.  A lock in C is taken or not.
    """

    def __init__(self) -> None:
        self._is_down = threading.Lock()
        self._is_down.acquire()

    def is_set(self) -> bool:
        return not self._is_down.locked()

    def set(self) -> None:
        """Wake who waits, and let nobody wait any more."""
        with suppress(RuntimeError):  # it was set before
            self._is_down.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most some seconds, and return whether it is."""
        is_set = self._is_down.acquire(timeout=max(0.0, seconds))  # -1 would wait for ever
        if is_set:
            self.set()  # for whoever else waits
        return is_set


def wait(flag: Flag, seconds: float) -> None:
    """Wait for a flag, at most some seconds."""
    while NEEDED and seconds > SLICE_SECONDS and not flag.wait(SLICE_SECONDS):
        seconds -= SLICE_SECONDS
    flag.wait(seconds)
