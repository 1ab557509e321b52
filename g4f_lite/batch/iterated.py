"""The prompts of an iterator, each of which can be read only once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from ..errors import G4FLiteError
from .plan import Plan
from .task import Place, Task

_OF_A_PROMPT = (TypeError, ValueError, OSError, G4FLiteError)  # errors of a prompt that is wrong


class Iterated:
    """Prompts that come from an iterator, and are kept until they have a result.

    An interrupt may come between any two steps, and loses none of them: a prompt is read and kept in one.

    :param items: the prompts
    :param plan: how they are to be answered
    """

    def __init__(self, items: Iterable[Any], plan: Plan) -> None:
        self._numbered = enumerate(items)
        self._plan = plan
        self._kept: dict[int, Any] = {}  # by their positions: tasks, or prompts of which none was made yet
        self._count = 0  # of prompts that were read; after an interrupt those that are kept may be one more
        self._is_over = False
        self._failed_places: dict[int, Place | None] = {}

    def task(self, index: int) -> Task | None:
        """Return the task of a prompt; None if it has a result, or the prompts end before it.

        :raises Exception: what the iterator raises, or what is wrong with the prompt
        """
        if index not in self._kept:
            if index < self._count:
                return None
            self._kept.update(itertools.islice(self._numbered, index + 1 - self._count))
            if index not in self._kept:
                self._is_over = True
                return None
        self._count = max(self._count, index + 1)
        task = self._kept[index]
        if not isinstance(task, Task):
            task = self._plan.task(index, task)
            self._plan.check(task)
            self._kept[index] = task
        return task

    def ends_before(self, index: int) -> bool:
        """Return whether the iterator has ended, and there is no prompt at a position."""
        return self._is_over and index >= self._count

    def is_wrong(self, index: int, error: Exception) -> bool:
        """Return whether an error is that of a prompt, which is wrong each time, and not of the iterator or the store.

        A ``TimeoutError`` is what an alarm of the caller's raises.
        """
        is_of_prompt = isinstance(error, _OF_A_PROMPT) and not isinstance(error, TimeoutError)
        return is_of_prompt and index in self._kept and not isinstance(self._kept[index], Task)

    def note_failure(self, index: int) -> None:
        """Remember the place in the store of a prompt that failed: an equal one may be there."""
        if isinstance(task := self._kept.get(index), Task):
            self._failed_places[index] = task.place

    def take_failed(self, index: int) -> Place | None:
        """Return the place in the store of a prompt that failed, and forget it."""
        return self._failed_places.pop(index, None)

    def forget(self, index: int) -> None:
        """Keep a prompt no longer, as it has a result."""
        self._kept.pop(index, None)
