"""Waits in slices of time for Windows, where neither Ctrl-C nor another thread ends a wait for a socket or an event."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
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


def wait(event: threading.Event, seconds: float) -> None:
    """Wait for an event, at most some seconds."""
    while NEEDED and seconds > SLICE_SECONDS and not event.wait(SLICE_SECONDS):
        seconds -= SLICE_SECONDS
    event.wait(seconds)
