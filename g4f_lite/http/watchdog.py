"""One thread per process that looks at the calls in progress, so that each of them can end in time."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import Protocol

from ..errors import G4FLiteError

logger = logging.getLogger(__name__)

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

        :raises G4FLiteError: Python is ending, or no thread can be started
        """
        # The thread would not run any more, nor would a new one: starting it would wait for ever on Python 3.11.
        if sys.is_finalizing():
            raise G4FLiteError("Python is ending, and no call can be made any more")
        with self.lock:
            if self.thread is None:
                self._start()
            self.calls.add(call)

    def remove(self, call: Watched) -> None:
        """Look at a call no longer."""
        with self.lock:
            self.calls.discard(call)

    def _start(self) -> None:
        try:
            starter = threading.get_native_id()
            thread = threading.Thread(target=self._run, args=(starter,), name="g4f_lite-watchdog", daemon=True)
            thread.start()
        except RuntimeError as error:  # too many threads, or an isolated subinterpreter, which has no daemon threads
            raise G4FLiteError(f"the thread that keeps a call's time limit could not be started: {error}") from error
        self.thread = thread

    def _run(self, starter: int) -> None:
        if threading.get_native_id() != starter:  # under gevent a "thread" is a greenlet of the thread that starts it
            _leave_interrupts_to_main_thread()
        looks = idle = 0
        try:
            while idle <= IDLE_LOOKS:
                time.sleep(WATCH_INTERVAL)
                with self.lock:
                    calls = list(self.calls)
                for call in calls:
                    _look(call)
                looks, idle = looks + 1, 0 if calls else idle + 1
        finally:
            self._ended(looks)

    def _ended(self, looks: int) -> None:
        """Let a new thread take over where this one ends with calls left, whatever ended it.

        :param looks: how often this thread has looked; a thread that could not look at all has no successor
        """
        with self.lock:
            self.thread = None
            if self.calls and looks:
                self._start()


def _look(call: Watched) -> None:
    """Look at one call; whatever goes wrong with it, the others have a time limit too."""
    try:
        call.look(time.monotonic())
    except BaseException:
        logger.exception("a call could not be ended in time")


def _leave_interrupts_to_main_thread() -> None:
    """Block SIGINT in this thread: the kernel may deliver it to any thread, although the main one has blocked it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


_watchdog = Watchdog()


def watch(call: Watched) -> None:
    """Look at a call from now on.

    :raises G4FLiteError: Python is ending, or no thread can be started
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
