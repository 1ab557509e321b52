"""Locks in a process that forks while other threads work."""

from __future__ import annotations

import os
import threading


def lock_free_in_children() -> threading.RLock:
    """Make a lock for a module; a fork waits until no other thread holds it.

    A child has its parent's locks and none of its other threads, so a lock that such a thread held would
    never be released there.
    """
    lock = threading.RLock()  # reentrant, because a signal handler may fork
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
