"""The reading of a batch's results, for which runs answer its prompts."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..answers.interruption import hear_interrupts, interrupt_of_batch
from ..answers.short_traceback import with_short_errors
from ..arguments import warn
from ..errors import AuthenticationError, BatchStoppedError
from .inputs import Inputs
from .iterated import Iterated
from .plan import Plan
from .progress import Progress
from .result import BadPrompt, Outcome, Result
from .run import Run
from .summary import BatchUsage, counted, told_of_sharing
from .task import Place, Task

_MOST_UNTAKEN = 1_000  # results of an iterator behind one that takes long

T = TypeVar("T")


class Reading(Generic[T]):
    """Reads the results of a batch in the order of the prompts, in one loop or in several, also of several threads.

    Each loop starts a run, which answers the prompts that have no result and that no other run is answering; the end
    of the loop ends it, and keeps its results.

    :param inputs: the prompts
    :param plan: how they are to be answered
    :raises TypeError: if the prompts are all there, and one is not a prompt
    :raises ValueError: if one has an invalid value
    """

    def __init__(self, inputs: Inputs, plan: Plan) -> None:
        self._inputs = inputs
        self._plan = plan
        self._lock = threading.RLock()
        self._usage = BatchUsage()
        self._known: dict[int, Result[T]] = {}
        self._failed: dict[int, Result[T]] = {}
        self._owners: dict[int, Run] = {}  # which run answers a prompt now
        self._places: list[Place | None] = []  # of prompts that are all there
        self._position = 0  # of the next result, where the prompts come from an iterator
        self._iterated = Iterated(inputs.items, plan)
        self._reason: BaseException | None = None  # why the last reading stopped before the end
        self._lacks_key = False  # of a service
        self._has_told_of_sharing = False
        self.dropped = 0  # calls in progress that the end of the last reading closed, and that are sent again
        self.stops_again = False  # whether the prompts that failed would stop it once more
        if inputs.is_sized:
            self._check_all(needs_key=False)

    def __len__(self) -> int:
        if not self._inputs.is_sized:
            raise TypeError("the prompts come from an iterator, so that nobody knows how many there are; pass a list")
        return len(self._places)

    def check(self) -> None:
        """Raise what keeps the prompts from being sent, as reading the results does; nothing is sent.

        :raises AuthenticationError: if a key is missing, which an estimate does not need
        """
        if self._lacks_key:
            self._check_all(needs_key=True)

    @property
    def in_progress(self) -> int:
        """How many prompts have been sent, or are about to be, and have no result."""
        return sum(run.in_progress for run in {*self._owners.copy().values()})

    @property
    def paused(self) -> float:
        """The seconds for which nothing is sent, as the service asked or because it is out of reach; 0 otherwise."""
        return self._plan.workers.paused

    @property
    def outage(self) -> float:
        """The seconds for which the service has been out of reach; 0 if it is not."""
        return self._plan.workers.outage

    @property
    def pace(self) -> float | None:
        """The most calls a second that are sent, because the service refused more; None if nothing waits for that."""
        return self._plan.workers.pace

    def _check_all(self, *, needs_key: bool) -> None:
        """Check prompts that are all there, and note their places in the store.

        :raises AuthenticationError: if a key is missing that is needed
        """
        self._places, self._lacks_key = [], False
        if not self._inputs.places:
            self._plan.begin_anew()
        for index, item in enumerate(self._inputs.items):
            task = self._plan.task(index, item, self._inputs.places[index] if self._inputs.places else None)
            self._places.append(task.place)
            if self._lacks_key and isinstance(item, str):
                continue  # which the next check looks at
            try:
                self._plan.check(task)
            except AuthenticationError:
                self._lacks_key = True
                if needs_key:
                    raise

    @with_short_errors
    def _at(self, indexes: range) -> Iterator[Result[T]]:
        """Yield the results of prompts that are all there."""
        run: Run | None = None
        try:
            for index in indexes:
                if index not in self._known:
                    run = run or self._start(range(index, indexes.stop))
                    self._wait_for(index, run)
                yield self._given(self._known[index])
        except KeyboardInterrupt as error:
            raise self._interrupt(error)  # noqa: B904  in most cases the same one
        finally:
            self._stop(run)

    @with_short_errors
    def _next_ones(self, most: int | None = None) -> Iterator[Result[T]]:
        """Yield the next results of prompts that come from an iterator.

        :param most: how many prompts may be read
        """
        run: Run | None = None
        last = None if most is None else self._position + most
        taken: list[Result[T]] = []  # what an interrupt keeps from the caller
        try:
            while self._position != last:
                with self._lock:  # another thread may be taking results too
                    index = self._position
                    if index not in self._known:
                        if self._iterated.ends_before(index):  # a progress would be shown once more
                            return
                        run = run or self._start(itertools.count(index) if last is None else range(index, last))
                        if not self._wait_for(index, run):
                            return
                    result = self._given(self._known[index])
                    taken, self._position = [result], index + 1
                    del self._known[index]
                taken = []
                yield result
        except BaseException as error:
            self._give_again(taken)
            if not isinstance(error, KeyboardInterrupt):
                raise
            raise self._interrupt(error)  # noqa: B904  in most cases the same one
        finally:
            self._stop(run)

    def _given(self, result: Result[T]) -> Result[T]:
        """Return a result, or raise its error if that was wished."""
        if self._plan.raises and result.error is not None:
            self._known.pop(result.index, None)  # it is asked again next time
            self._failed.pop(result.index, None)
            raise result.error
        if result.is_shared and not self._has_told_of_sharing and self._plan.store is not None:
            self._has_told_of_sharing = True
            if self._plan.progress is not False:
                warn(told_of_sharing(self._plan.store.database.path))
        return result

    def _give_again(self, results: Sequence[Result[T]]) -> None:
        """Put results back that the caller has not got, where the prompts come from an iterator."""
        with self._lock:
            first = self._position - len(results)
            if not self._inputs.is_sized and [result.index for result in results] == [*range(first, self._position)]:
                self._known.update((result.index, result) for result in results)
                self._position = first

    def _wait_for(self, index: int, run: Run) -> bool:
        """Wait until the result of a prompt is known; False at the end of the prompts.

        :raises BatchStoppedError: if nothing more is sent
        """
        hear_interrupts()
        with self._lock:
            while index not in self._known:
                owner = self._owners.get(index, run)  # another iteration of these results may have begun it
                outcome = owner.result(index)
                if outcome is None and owner.reason is None:  # a run that had begun it was left
                    owner = self._start((index,))
                    try:
                        outcome = owner.result(index)
                    finally:
                        self._stop(owner)
                if isinstance(outcome, BadPrompt):
                    if self._iterated.is_wrong(index, outcome.error):
                        self._position = index + 1
                        self._iterated.forget(index)
                    raise outcome.error
                if outcome is None:
                    return self._raise_reason(owner)
                self._keep(outcome)
        return True

    def _keep(self, result: Result[T]) -> None:
        self._known[result.index] = result
        if result.error is None or not self._plan.raises:
            self._iterated.forget(result.index)

    def _raise_reason(self, run: Run) -> bool:
        if (reason := run.reason) is None:
            return False
        self._reason = reason
        if not isinstance(reason, Exception):
            raise reason
        text = f"the batch stopped after {self._usage.in_words()}: {str(reason) or type(reason).__name__}"
        self.stops_again = run.too_many is not None and run.too_many.of_prompts
        if run.too_many is not None:
            text += f"; it stops after {run.too_many.told}; reading the results again goes on"
        raise BatchStoppedError(text, results=self, error=reason) from reason

    def _interrupt(self, error: KeyboardInterrupt) -> KeyboardInterrupt:
        return interrupt_of_batch(error, self, self._told(), self._plan.store and self._plan.store.database.path)

    def _told(self) -> str:
        """Say how many results there are, and what goes on without the user."""
        if not self._inputs.is_sized:
            return counted(self._usage.done, "result")
        return f"{self._usage.done:,} of {counted(len(self), 'result')}"

    def _start(self, indexes: Iterable[int]) -> Run:
        self.check()
        self._plan.warn_of_others(self._places)
        self._reason = None
        if self._plan.cost_limit is not None:
            self._plan.cost_limit.begin()
        total = len(self) if self._inputs.is_sized else None
        progress = Progress(self._plan.progress, total, self._usage.done, self._plan.calls.spent, lambda: self.pace)

        def tasks() -> Iterator[Task | Outcome]:
            for index in indexes:
                if index in self._known or index in self._owners:
                    continue
                if (task := self._next_task(index)) is not None:
                    self._owners[index] = run
                    yield task
                elif self._iterated.ends_before(index):
                    return

        def on_result(result: Result[Any]) -> None:
            self._usage.add(result)
            if result.error is not None:
                self._failed[result.index] = result
                self._iterated.note_failure(result.index)
            progress.add(result)

        most_untaken = math.inf if self._inputs.is_sized else _MOST_UNTAKEN  # of a list, all results are kept anyway
        run = Run(tasks(), self._plan, on_result, progress.close, progress.tick, most_untaken)
        return run

    def _next_task(self, index: int) -> Task | Outcome | None:
        """Return what is to be done for a prompt: a task, its result from the store, or what is wrong with it."""
        try:
            if self._inputs.is_sized:
                return self._stored(index) or self._task(index)
            task = self._iterated.task(index)
            return task and (self._plan.stored(index, task.input, task.place) or task)
        except Exception as error:  # noqa: BLE001  raised where the caller reads this result
            return BadPrompt(index, error)

    def _stored(self, index: int) -> Result[Any] | None:
        """Return the result from the store of a prompt that is there with all others."""
        return self._plan.stored(index, self._inputs.items[index], self._places[index])  # type: ignore[index]

    def _task(self, index: int) -> Task:
        return self._plan.task(index, self._inputs.items[index], self._places[index])  # type: ignore[index]

    def _stop(self, run: Run | None) -> None:
        """End a run, and keep its results."""
        if run is None:
            return
        with self._lock:
            try:
                run.close()
            finally:  # also after a second interrupt: nobody may wait for this run
                self.dropped = run.dropped
                for outcome in run.untaken():
                    if isinstance(outcome, Result):
                        self._keep(outcome)
                for index in [index for index, owner in self._owners.items() if owner is run]:
                    del self._owners[index]
