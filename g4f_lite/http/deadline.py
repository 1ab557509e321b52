"""The time that a call has, and the watchdog that ends it when the time is over.

A socket's own timeout starts anew with every byte, so a server that drips holds a reader for ever.
Here one thread per process looks at the calls in progress and shuts the socket of a late one down,
which wakes its reader wherever it is.  The thread starts with the first call and goes when none is left.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ..errors import DeadlineExceededError, G4FLiteError, StreamInterruptedError
from ..timeout import Timeout

WATCH_INTERVAL = 0.05  # seconds between two looks of the watchdog
IDLE_LOOKS = 20  # looks without any call, after which the watchdog goes


running_call: ContextVar[Deadline | None] = ContextVar("g4f_lite_running_call", default=None)


class Deadline:
    """One call's limits, the socket that it may be blocked on, and whether somebody ended it.

    As a context manager it is watched from entry to exit.  ``end`` may come from any thread; the
    reader learns of it by calling ``check`` after every read, and throws that read away: what a
    socket gives after it was shut down is not the answer.
    """

    def __init__(self, timeout: Timeout, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeout = timeout
        self.began = clock()
        self.ended: str | None = None
        self.socket: socket.socket | None = None
        self.address_guard: Callable[[str], None] | None = None
        self.connecting = False  # a connection is being made
        self.past_proxy = False  # whatever happens now, no proxy has refused it
        self.reused_connection = False  # the request in progress went out on one that was kept alive
        self.answer_began = False  # a byte of its answer has come
        self.answer: Any = None  # while its head is read
        self._clock = clock
        self._bind("first" if (timeout.first or math.inf) < (timeout.total or math.inf) else "total")
        self._drain_ends_at = math.inf
        self._shutdown: Callable[[], Any] | None = None
        self._lock = threading.RLock()  # between hold and let_go on one side, and whoever shuts down
        self._woken = threading.Event()

    def __enter__(self) -> Deadline:
        _watch(self)
        return self

    def __exit__(self, *_: object) -> None:
        _unwatch(self)
        self.let_go()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock() - self.began

    def remaining(self) -> float:
        """Give the seconds left, 0 when none is, infinity without a total limit."""
        return max(0.0, self._ends_at - self._clock())

    def limit(self, kind: str) -> float | None:
        """Give the seconds that a socket may wait now: the ``"connect"`` or ``"read"`` limit, or what is left.

        :raises G4FLiteError: nothing is left
        """
        self.check()
        own: float | None = getattr(self.timeout, kind)
        left = self.remaining()
        if own is None:
            return None if left == math.inf else left
        return min(own, left)

    def answer_came(self) -> None:
        """Lift the limit until the first piece, which is here."""
        if self._bound == "first":
            self._bind("total")
            try:
                if self.socket is not None:
                    self.socket.settimeout(self.limit("read"))
            except OSError:
                return  # it is closed already, which the next read will tell

    def _bind(self, limit: str) -> None:
        seconds = getattr(self.timeout, limit)
        self._bound, self._ends_at = limit, math.inf if seconds is None else self.began + seconds

    def hold(self, sock: socket.socket | None, shutdown: Callable[[], Any] | None = None) -> None:
        """Remember the socket that the call is about to wait for.

        :param shutdown: another way to shut down what is not a socket of ours
        """
        with self._lock:
            self.socket = getattr(sock, "socket", sock)  # TLS inside TLS wraps the socket
            self._shutdown = shutdown
        if self.ended:
            self._shut()

    def let_go(self) -> None:
        """Forget the socket: it may serve another call from now on."""
        with self._lock:
            self.socket = self._shutdown = None

    def leave_to_parent(self) -> None:
        """End the call in a forked child, where its connection is still the parent's: touch nothing."""
        self._lock = threading.RLock()  # which a thread of the parent may have held
        self._woken = threading.Event()
        self.ended = "forked"
        self.let_go()

    def end(self, reason: str) -> None:
        """End the call now: ``"total"`` or ``"first"`` for its time, ``"closed"`` for its caller's wish."""
        if self.ended is None:
            self.ended = reason
        self._woken.set()
        self._shut()

    def look(self, now: float) -> None:
        """End the call if it is late at the time ``now``."""
        if self.ended is None and now >= self._ends_at:
            self.end(self._bound)
        elif now >= self._drain_ends_at:
            self._shut()

    def drain_within(self, seconds: float) -> None:
        """Shut the socket down in ``seconds``: the answer is complete, only its framing is not."""
        self._drain_ends_at = self._clock() + seconds
        try:
            if self.socket is not None:
                self.socket.settimeout(seconds)
        except OSError:
            return  # it is closed already: nothing is left to be waited for

    def drained(self) -> None:
        """Say that ``drain_within`` need not be kept any more."""
        self._drain_ends_at = math.inf

    def check(self) -> None:
        """Raise if the call was ended or its time is over.

        :raises DeadlineExceededError: the total limit passed, or that until the first piece
        :raises StreamInterruptedError: somebody closed the answer
        """
        if self.ended is None and self._clock() < self._ends_at:
            return
        raise self.error()

    def error(self) -> G4FLiteError:
        """Make the error that says why the call ended."""
        if self.ended == "closed":
            return StreamInterruptedError("the answer was closed while it was being read")
        if self.ended == "forked":
            return StreamInterruptedError("the answer belongs to the parent process; ask again in the child")
        limit = self.ended or self._bound
        seconds = f"{getattr(self.timeout, limit):g} s"
        what = f"the total time limit of {seconds} passed"
        if limit == "first":
            what = f"nothing of the answer came within {seconds}"
        return DeadlineExceededError(f"{what}; give a longer timeout= if that is too short", limit=limit)

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the call.

        :raises G4FLiteError: the call ended meanwhile
        """
        self._woken.wait(min(seconds, self.remaining()))
        self.check()

    def _shut(self) -> None:
        try:
            with self._lock:
                if self.socket is not None:
                    # Past ssl.SSLSocket.shutdown, which would turn the next reads into ciphertext.
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
                elif self._shutdown is not None:
                    self._shutdown()
        except (OSError, TypeError, ValueError, RuntimeError):
            return  # it is closed already, which is all that is wanted


class _Watchdog:
    """The calls in progress of this process, and the thread that looks at them."""

    def __init__(self) -> None:
        self.calls: set[Deadline] = set()
        # Reentrant: the garbage collector may close an answer, and so remove it, in any line.
        self.lock = threading.RLock()
        self.thread: threading.Thread | None = None

    def add(self, call: Deadline) -> None:
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

    def remove(self, call: Deadline) -> None:
        with self.lock:
            self.calls.discard(call)

    def _run(self, starter: int) -> None:
        if threading.get_native_id() != starter:  # under gevent it is no thread of its own
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
    """Keep Ctrl-C from being delivered in this thread, where nobody who put it off would be asked."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


_watchdog = _Watchdog()


def _watch(call: Deadline) -> None:
    _watchdog.add(call)


def _unwatch(call: Deadline) -> None:
    _watchdog.remove(call)


def _forget_parent() -> None:
    global _watchdog
    calls, _watchdog = _watchdog.calls, _Watchdog()
    for call in list(calls):
        call.leave_to_parent()


if hasattr(os, "register_at_fork"):  # a child has neither its parent's threads nor its calls
    os.register_at_fork(after_in_child=_forget_parent)
