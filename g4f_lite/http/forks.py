"""Locks in a process that forks while other threads work."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager


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
        self._lock = threading.Lock()
        _fork_safe_locks.add(self)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock."""
        with self._lock:
            yield

    def renew(self) -> None:
        """Replace the lock, in a child."""
        self._lock = threading.Lock()


_fork_safe_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _renew_locks() -> None:
    for lock in _fork_safe_locks:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
