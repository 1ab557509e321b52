"""Whether an engine's process is there, as the process itself says, or a pipe that it writes to."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ...http.deadline import Deadline

WAKE_SECONDS = 0.05  # between two looks whether the process has ended, or the call


class Presence:
    """Asks a process whether it is there.

    A process that ends closes its port before anybody can see that it ends, and then the port may be anybody's.  But
    as long as it answers, it has all that it had.

    :param write: writes a line to the process, which answers ``here NUMBER`` with the number
    :param running: tells whether the process has not ended, as far as is known
    """

    def __init__(self, write: Callable[[str], None], running: Callable[[], bool]) -> None:
        self._write = write
        self._running = running
        self._numbers = itertools.count(1)
        self._asked: dict[int, threading.Event] = {}

    def ask(self, call: Deadline) -> bool:
        """Return whether the process is there, now.

        :param call: the call that wants to know, with its limits
        :raises TimeoutError: if it has not answered within the time for a connection
        :raises G4FLiteError: if the call ended meanwhile
        """
        number, limit = next(self._numbers), call.limit("connect")
        ends_at = time.monotonic() + (math.inf if limit is None else limit)
        answered = self._asked[number] = threading.Event()
        try:
            self._write(f"here {number}")
            while not answered.wait(WAKE_SECONDS):
                call.check()
                if not self._running():
                    return False
                if time.monotonic() > ends_at:
                    raise TimeoutError("the process of the engine does not answer")
        finally:
            del self._asked[number]
        return True

    def heard(self, number: int) -> None:
        """Take the answer to a question."""
        if (answered := self._asked.get(number)) is not None:
            answered.set()


def own_copy(pipe: int) -> int:
    """Return a copy of a pipe in a forked child, where whoever reads from it, as a greenlet does, now finds its end."""
    copy, nothing = os.dup(pipe), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, pipe, inheritable=False)
    os.close(nothing)
    return copy


def has_no_writer(pipe: int, seconds: float) -> bool:
    """Return whether nobody writes to a pipe any more, now or within some seconds; nothing is read from it."""
    poll = _own_select().poll()
    poll.register(pipe, 0)  # that it has no writer is told without being asked for
    ends_at = time.monotonic() + seconds
    while not poll.poll(0):
        if time.monotonic() >= ends_at:
            return False
        time.sleep(WAKE_SECONDS)
    return True


@functools.cache
def _own_select() -> Any:
    """Load Python's module ``select`` once more, of which gevent and eventlet change the one that is imported."""
    spec = importlib.util.find_spec("select")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
