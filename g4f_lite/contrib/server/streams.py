"""The answers in progress: how many there may be, and the end of those whose client has gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...answers.stream import AnswerStream
from .failures import ApiError

CHECK_SECONDS = 0.25  # between two looks at whether the clients are still there


class Streams:
    """Counts answers in progress, and ends those that nobody waits for.

    A WSGI server finds out that a client has gone when it next sends something, which a model that thinks delays.

    :param limit: the maximum number of answers in progress
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._condition = threading.Condition()
        self._slots: set[Slot] = set()
        self._watches = False
        self._is_draining = False

    def take(self, is_gone: Callable[[], bool] | None) -> Slot:
        """Return a place for one more answer.

        :param is_gone: whether its client has gone; None where the server cannot tell
        :raises ApiError: if there are as many as there may be, or the server is stopping
        """
        with self._condition:
            if self._is_draining:
                raise ApiError(503, "the server is stopping", "server_error", headers=[("Retry-After", "5")])
            if len(self._slots) >= self._limit:
                raise ApiError(
                    429,
                    f"this server gives {self._limit} answers at once, and all are in progress; try again soon",
                    "rate_limit_error",
                    "too_many_streams",
                    headers=[("Retry-After", "1")],
                )
            if is_gone is not None and not self._watches:
                self._start_watch()
            slot = Slot(self, is_gone)
            self._slots.add(slot)
            return slot

    def give_back(self, slot: Slot) -> None:
        """Free a place."""
        with self._condition:
            self._slots.discard(slot)
            self._condition.notify_all()

    def drain(self, seconds: float) -> None:
        """Take no more answers, and wait until those in progress have ended.

        :param seconds: how long to wait at most; those that are left are then closed
        """
        with self._condition:
            self._is_draining = True
            self._condition.wait_for(lambda: not self._slots, seconds)
            left = list(self._slots)
        for slot in left:
            slot.close()

    def _start_watch(self) -> None:
        """Begin to look after the clients; the lock is held.

        :raises ApiError: if the system refuses another thread
        """
        try:
            threading.Thread(target=self._watch, name="g4f-lite departures", daemon=True).start()
        except RuntimeError as error:
            told = f"the server could not start a thread: {error}"
            raise ApiError(503, told, "server_error", headers=[("Retry-After", "1")]) from error
        self._watches = True

    def _watch(self) -> None:
        """Look after the clients until no answer is in progress."""
        while True:
            time.sleep(CHECK_SECONDS)
            with self._condition:
                slots = list(self._slots)
                if not slots:
                    self._watches = False
                    return
            for slot in slots:
                slot.close_if_gone()


class Slot:
    """A place for one answer.

    :param streams: where it is counted
    :param is_gone: whether its client has gone
    """

    def __init__(self, streams: Streams, is_gone: Callable[[], bool] | None) -> None:
        self._streams = streams
        self._is_gone = is_gone
        self._answer: AnswerStream | None = None

    def hold(self, answer: AnswerStream) -> None:
        """Name the answer that this place is for."""
        self._answer = answer

    def close_if_gone(self) -> None:
        """Close the answer if its client has gone."""
        if self._is_gone is not None and self._is_gone():
            self.close()

    def close(self) -> None:
        """Close the answer, from any thread."""
        if self._answer is not None:
            self._answer.close()

    def give_back(self) -> None:
        """Close the answer and free its place; a second time does nothing."""
        self.close()
        self._streams.give_back(self)
