"""One thread per process that looks at the calls in progress, so that each of them can end in time."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Protocol

from ..errors import G4FLiteError

WATCH_INTERVAL = 0.05  # seconds between two looks
IDLE_LOOKS = 20  # looks without any call, after which the thread ends


class Watched(Protocol):
    """A call in progress, as the watchdog sees it."""

    def look(self, now: float) -> None:
        """End the call if it is late.

        :param now: what ``time.monotonic()`` says
        """

    def leave_to_parent(self) -> None:
        """End the call in a forked child without touching the parent's connection."""


class Watchdog:
    """The calls in progress of this process, and the thread that looks at them.

    One thread serves all calls: a ``threading.Timer`` for each would make a call a third slower.  The thread starts
    with the first call and ends when there has been none for a while, so that an idle program has no thread of ours.
    """

    def __init__(self) -> None:
        self.calls: set[Watched] = set()
        # Reentrant: the garbage collector may close an answer, which removes its call, at any line.
        self.lock = threading.RLock()
        self.thread: threading.Thread | None = None

    def add(self, call: Watched) -> None:
        """Look at a call from now on.

        :raises G4FLiteError: no thread can be started
        """
        with self.lock:
            if self.thread is None:
                starter = threading.get_native_id()
                thread = threading.Thread(target=self._run, args=(starter,), name="g4f_lite-watchdog", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise G4FLiteError(f"nothing could keep the time limit of this call: {error}") from error
                self.thread = thread
            self.calls.add(call)

    def remove(self, call: Watched) -> None:
        """Look at a call no longer."""
        with self.lock:
            self.calls.discard(call)

    def _run(self, starter: int) -> None:
        if threading.get_native_id() != starter:  # under gevent a "thread" is a greenlet of the thread that starts it
            _leave_interrupts_to_main_thread()
        idle = 0
        while True:
            time.sleep(WATCH_INTERVAL)
            with self.lock:
                calls = list(self.calls)
                idle = 0 if calls else idle + 1
                if idle > IDLE_LOOKS:
                    self.thread = None
                    return
            now = time.monotonic()
            for call in calls:
                call.look(now)


def _leave_interrupts_to_main_thread() -> None:
    """Block SIGINT in this thread: the kernel may deliver it to any thread, although the main one has blocked it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


_watchdog = Watchdog()


def watch(call: Watched) -> None:
    """Look at a call from now on.

    :raises G4FLiteError: no thread can be started
    """
    _watchdog.add(call)


def unwatch(call: Watched) -> None:
    """Look at a call no longer."""
    _watchdog.remove(call)


def _forget_parent() -> None:
    global _watchdog
    calls, _watchdog = _watchdog.calls, Watchdog()
    for call in list(calls):
        call.leave_to_parent()


if hasattr(os, "register_at_fork"):  # a child has neither its parent's threads nor its calls
    os.register_at_fork(after_in_child=_forget_parent)
