"""The time that a call has, and how the call ends when the time is over.

A socket's own timeout starts anew with every byte, so a server that drips holds a reader for ever.
The watchdog therefore looks at each deadline in use, and the deadline shuts the socket of a late call
down, which wakes its reader wherever it waits.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..arguments import PYTHON_ENDS
from ..errors import DeadlineExceededError, G4FLiteError, StreamInterruptedError
from ..timeout import ALONE, WAIT_SHARE, Allowance, Timeout
from .signals import pass_on_signal
from .slices import Flag, wait

logger = logging.getLogger(__name__)

MAX_WORK = 1.0  # seconds that a thread may work on what a call had received when it ended
WATCH_INTERVAL = 0.05  # seconds between two looks
SLACK = 0.1  # seconds for a socket's own timeout, which comes first where nothing is received
IDLE_LOOKS = 20  # looks without any call, after which the thread ends


class Deadline:
    """One call's time limits, the socket that the call may be waiting for, and whether somebody ended it.

    As a context manager it is watched from entry to exit.  ``end`` may come from any thread; the
    reader learns of it by calling ``check`` after every read, and throws that read away: what a
    socket gives after it was shut down is not the answer.

    :param timeout: the limits
    :param allowance: what the call may take besides them, in a chain or in a batch
    :param clock: tells the time in seconds; a test gives its own
    :param work: tells the seconds that this thread has worked, as ``clock`` does the time
    :ivar patience: seconds that the call may wait in all because its service asks for it
    :ivar waited: seconds that it has waited so
    :ivar awaits: the limit of the silence that the call is in: ``"first"`` before the first delta, else ``"read"``
    """

    def __init__(
        self,
        timeout: Timeout,
        allowance: Allowance = ALONE,
        *,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self.timeout, self.allowance = timeout, allowance
        self.awaits = "read"
        self.began = clock()
        self.ended: str | None = None
        self.socket: socket.socket | None = None
        self.patience, self.waited = math.inf if allowance.patience is None else allowance.patience, 0.0
        self._clock, self._work = clock, work
        self._work_ends_at: float | None = None
        self._limits = {"total": timeout.total, "first": allowance.share}
        self._bind("first" if (allowance.share or math.inf) < (timeout.total or math.inf) else "total")
        self._shuts_at = math.inf
        self._shutdown: Callable[[], Any] | None = None
        # Between hold and let_go on one side, and whoever shuts down on the other: a socket that was let go may be
        # another call's already.
        self._lock = threading.RLock()
        self._woken = Flag()

    def __enter__(self) -> Deadline:
        _watchdog.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        _watchdog.remove(self)

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._clock() - self.began

    def remaining(self) -> float:
        """Return the seconds left: 0 when none is, infinity without a total limit."""
        return max(0.0, self._ends_at - self._clock())

    def may_wait(self) -> float:
        """Return the seconds that the call may wait now for its service, so that an answer can come after it."""
        return min(self.patience - self.waited, WAIT_SHARE * self.remaining())

    def limit(self, kind: str) -> float | None:
        """Return the seconds that a socket may wait now: its own limit, or what is left of the call if that is less.

        :param kind: ``"connect"``, ``"read"`` or ``"first"``
        :returns: None without any limit
        :raises G4FLiteError: if nothing is left
        """
        self.check()
        own: float | None = getattr(self.timeout, kind)
        left = self.remaining()
        if own is None:
            return None if left == math.inf else left
        return min(own, left)

    def lift_first_limit(self) -> None:
        """Replace the limits until the first delta, which has come, by those of the rest."""
        self.awaits = "read"
        if self._bound == "first":
            self._bind("total")
        try:
            if self.socket is not None:
                self.socket.settimeout(self.limit("read"))
        except OSError as error:
            pass_on_signal(error)  # any other: it is closed already, which the next read will tell

    def _bind(self, limit: str) -> None:
        seconds = self._limits[limit]
        self._bound, self._ends_at = limit, math.inf if seconds is None else self.began + seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of a ``with`` block out of the limit: it is neither the service's nor a wait for it."""
        ends_at, began = self._ends_at, self._clock()
        self._ends_at = math.inf
        try:
            yield
        finally:
            self._ends_at = ends_at + (self._clock() - began)

    def hold(self, sock: socket.socket | None, shutdown: Callable[[], Any] | None = None) -> None:
        """Remember the socket that the call is about to wait for.

        :param sock: the socket; None where only ``shutdown`` can reach it
        :param shutdown: another way to shut down a connection that is not ours
        """
        with self._lock:
            # urllib3 speaks TLS to a server through a TLS proxy by an SSLTransport, which wraps the socket.
            self.socket = getattr(sock, "socket", sock)
            self._shutdown = shutdown
        if self.ended:
            self._shut()

    def let_go(self) -> None:
        """Forget the socket: from now on it may serve another call."""
        with self._lock:
            self.socket = self._shutdown = None

    def leave_to_parent(self) -> None:
        """End the call in a forked child, where its connection is still the parent's: touch nothing."""
        self._lock = threading.RLock()  # a thread of the parent, which the child does not have, may have held it
        self._woken = Flag()
        self.ended = "forked"
        self.let_go()

    def end(self, reason: str) -> None:
        """End the call now, from any thread.

        :param reason: ``"total"`` or ``"first"`` for the limit that passed, ``"closed"`` where its caller closed it
        """
        # The flag first: a reader that wakes must find it, or it would take the end of the socket for the answer's.
        if self.ended is None:
            self.ended = reason
        self._woken.set()
        self._shut()

    def look(self, now: float) -> None:
        """End the call if it is late.

        :param now: the time, by the same clock
        """
        if self.ended is None and now >= self._ends_at:
            self.end(self._bound)
        elif now >= self._shuts_at:
            self._shut()

    def limit_handshake(self) -> float | None:
        """Return the seconds that a socket may wait while it is connected, and let the handshakes then take no longer.

        A socket's own timeout bounds a single read, and starts anew with each byte.
        """
        seconds = self.limit("connect")
        self._shuts_at = math.inf if seconds is None else self._clock() + seconds + SLACK
        return seconds

    @property
    def is_shut(self) -> bool:
        """Whether the time of a handshake, or of draining, is over."""
        return self._clock() >= self._shuts_at

    def drain_within(self, seconds: float) -> None:
        """Shut the socket down after some seconds: the answer is complete, only its framing is not."""
        self._shuts_at = self._clock() + seconds
        try:
            if self.socket is not None:
                self.socket.settimeout(seconds)
        except OSError as error:
            pass_on_signal(error)  # any other: it is closed already, and there is nothing left to wait for

    def keep_open(self) -> None:
        """Take back what ``limit_handshake`` or ``drain_within`` said."""
        self._shuts_at = math.inf

    def check(self) -> None:
        """Raise if the call was ended or its time is over.

        :raises DeadlineExceededError: if the total limit passed, or the limit until the first delta
        :raises StreamInterruptedError: somebody closed the answer
        """
        if self.ended is None and self._clock() < self._ends_at:
            return
        raise self.error()

    def check_work(self) -> None:
        """Raise if this thread has worked for too long since the call ended; called before each delta of such a call.

        What had come by then is still given, also to a caller who waits between two pieces.  But of a few bytes, a
        service can make an answer that takes minutes to work through.

        :raises G4FLiteError: as ``check`` does
        """
        worked = self._work()
        if self._work_ends_at is None:
            self._work_ends_at = worked + MAX_WORK
        elif worked > self._work_ends_at:
            raise self.error()

    def error(self) -> G4FLiteError:
        """Make the error that says why the call ended."""
        if self.ended == "closed":
            return StreamInterruptedError("the answer was closed while it was being read")
        if self.ended == "forked":
            return StreamInterruptedError("the answer belongs to the parent process; ask again in the child")
        limit = self.ended or self._bound
        seconds = self._limits[limit]
        what, longer = f"the total time limit of {seconds:g} s passed", "a longer timeout="
        if limit == "first":  # a share, which only a member of a chain has
            what, longer = f"nothing of the answer came within {seconds:g} s", f"{longer}, or the chain a longer each=,"
        return DeadlineExceededError(f"{what}; give {longer} if that is too short", limit=limit, seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the call.

        :raises G4FLiteError: if the call ended meanwhile
        """
        wait(self._woken, min(seconds, self.remaining()))
        self.check()

    def _shut(self) -> None:
        try:
            with self._lock:
                if isinstance(self.socket, ssl.SSLSocket):
                    # Not its own shutdown: that drops the TLS layer, and the next reads would give ciphertext as body.
                    super(ssl.SSLSocket, self.socket).shutdown(socket.SHUT_RDWR)
                elif self.socket is not None:
                    self.socket.shutdown(socket.SHUT_RDWR)
                elif self._shutdown is not None:
                    self._shutdown()
        except (OSError, TypeError, ValueError, RuntimeError) as error:
            pass_on_signal(error)  # any other: it is closed already, which is all that is wanted


class Watchdog:
    """The calls in progress of this process, and the thread that looks at them.

    One thread serves all calls: a ``threading.Timer`` for each would make a call a third slower.  The thread starts
    with the first call and ends when there has been none for a while, so that an idle program has no thread of ours.
    """

    def __init__(self) -> None:
        # Strong, so that a garbage collection ends an abandoned answer before it comes to its socket.
        self.calls: set[Deadline] = set()
        # Reentrant: the garbage collector may close an answer, which removes its call, at any line.
        self.lock = threading.RLock()
        self.thread: threading.Thread | None = None

    def add(self, call: Deadline) -> None:
        """Look at a call from now on.

        :raises G4FLiteError: Python is ending, or no thread can be started
        """
        # The thread would not run any more, nor would a new one: starting it would wait for ever on Python 3.11.
        if sys.is_finalizing():
            raise G4FLiteError(PYTHON_ENDS)
        with self.lock:
            if self.thread is None:
                self._start()
            self.calls.add(call)

    def remove(self, call: Deadline) -> None:
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
            leave_interrupts_to_main_thread()
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


def _look(call: Deadline) -> None:
    """Look at one call; whatever goes wrong with it, the others have a time limit too."""
    try:
        call.look(time.monotonic())
    except BaseException:
        logger.exception("a call could not be ended in time")


def leave_interrupts_to_main_thread() -> None:
    """Block SIGINT in this thread: the kernel may deliver it to any thread, although the main one has blocked it."""
    import signal  # which a call needs, and an import does not

    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


_watchdog = Watchdog()


def _forget_parent() -> None:
    global _watchdog
    calls, _watchdog = _watchdog.calls, Watchdog()
    for call in list(calls):
        call.leave_to_parent()


if hasattr(os, "register_at_fork"):  # a child has neither its parent's threads nor its calls
    os.register_at_fork(after_in_child=_forget_parent)
