"""Locks in a process that forks while other threads work."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        lock = self._lock
        if check is None:
            lock.acquire()
        else:
            while not lock.acquire(timeout=SLICE_SECONDS):
                check()
        try:
            yield
        finally:
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
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open, after_in_child=self._renew)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be in the library.

        A garbage collection may call this again within any of its steps, as it may close what is in the library.
        """
        me = threading.get_ident()
        with self._changed:
            while self._forking and me not in self._inside and me not in self._forking:
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1
        try:
            yield
        finally:
            if me in self._inside:  # not in a child that was forked meanwhile
                with self._changed:
                    left = self._inside[me] - 1
                    if left:
                        self._inside[me] = left
                    else:
                        del self._inside[me]
                    self._changed.notify_all()

    def _close(self) -> None:
        self._changed.acquire()
        me = threading.get_ident()
        self._forking.append(me)
        # A signal handler may fork, between two calls of the library.
        self._changed.wait_for(lambda: self._inside.keys() <= {me}, MOST_WAITED)

    def _open(self) -> None:
        self._forking.remove(threading.get_ident())
        self._changed.notify_all()
        self._changed.release()

    def _renew(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._inside: dict[int, int] = {}  # how often each thread is in the library
        self._forking: list[int] = []  # the threads that fork
