"""Locks in a process that forks while other threads work."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .slices import SLICE_SECONDS

MOST_WAITED = 1.0  # seconds that a fork waits for a thread in a ForkGate


def lock_free_in_children() -> threading.RLock:
    """Make a lock for a module; a fork waits until no other thread holds it.

    A child has its parent's locks and none of its other threads, so a lock that such a thread held would
    never be released there.
    """
    lock = threading.RLock()  # reentrant, because a signal handler may fork
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


class ForkSafeLock:
    """A lock of an object, of which a child has a new one that nobody holds::

        with self._lock.held():
            ...

    Unlike for the lock of a module, a fork does not wait for it: its holder may itself wait for long, such as for
    another program that writes to a file.
    """

    def __init__(self) -> None:
        self.renew()
        _fork_safe_locks.add(self)

    @contextmanager
    def held(self, check: Callable[[], object] | None = None) -> Iterator[None]:
        """Hold the lock.

        :param check: called now and then while another thread holds it; raises to wait no longer
        """
        lock, seconds = self._lock, -1.0 if check is None else SLICE_SECONDS
        taken: list[bool] = []
        try:
            while True not in taken:
                # Taken and noted within C code, so that no exception of a signal handler comes between.
                taken.extend(map(lock.acquire, (True,), (seconds,)))
                if check is not None and True not in taken:
                    check()
            yield
        finally:
            if True in taken:
                lock.release()

    def renew(self) -> None:
        """Replace the lock, in a child."""
        self._lock = threading.RLock()  # reentrant, because a signal handler may do what its thread is about


_fork_safe_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _renew_locks() -> None:
    for lock in _fork_safe_locks:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class ForkGate:
    """Lets a fork wait until no other thread is in a library whose own locks a child could not release, as SQLite has::

        with _gate.passed():
            ...

    Nobody new passes meanwhile.  A thread may be in there for long, such as waiting for another program, which is no
    danger to the child: a fork waits for a second at most.

    A thread in the library holds a lock of its own, and a fork takes those of all threads.  They are locks in C, which
    ``with`` takes and releases whatever a signal handler raises, and which nobody but a fork waits for.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._renew)

    def passed(self) -> threading.RLock:
        """Return what a thread holds while it is in the library.

        A garbage collection may call this again within any of its steps, as it may close what is in the library.
        """
        lock: threading.RLock | None = getattr(self._own, "lock", None)
        if lock is None:
            lock = threading.RLock()
            with self._adding:
                self._locks.add(lock)
            self._own.lock = lock
        return lock

    def _of_others(self) -> list[threading.RLock]:
        own = getattr(self._own, "lock", None)  # a signal handler may fork, between two calls of the library
        return [lock for lock in self._locks if lock is not own]

    def _close(self) -> None:
        self._adding.acquire()
        ends = time.monotonic() + MOST_WAITED
        for lock in self._of_others():
            lock.acquire(timeout=max(0.0, ends - time.monotonic()))

    def _open(self) -> None:
        for lock in (*self._of_others(), self._adding):
            with suppress(RuntimeError):  # it could not be taken in time
                lock.release()

    def _renew(self) -> None:
        self._adding = threading.RLock()
        self._locks: weakref.WeakSet[threading.RLock] = weakref.WeakSet()
        self._own = threading.local()
