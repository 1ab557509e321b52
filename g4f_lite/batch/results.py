"""The results of a batch, which come as they are read."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..answers.interruption import hear_interrupts, interrupt_of_batch
from ..answers.short_traceback import with_short_errors
from ..arguments import warn
from ..errors import AuthenticationError, BatchStoppedError
from ..store.answers import Key
from . import tables
from .inputs import Inputs
from .iterated import Iterated
from .plan import Plan, Watched
from .progress import Progress
from .result import Result, position_of
from .run import BadPrompt, Outcome, Run
from .summary import BatchUsage, Estimate, counted, estimate_of, told_of_failures
from .tables import NotAColumn, Results
from .task import Task

T = TypeVar("T")


class BatchResults(Watched, NotAColumn, Generic[T]):
    """The results of a batch, in the order of the prompts.  Nothing is sent before they are read::

        results = client.map(prompts, store="answers.db")
        for prompt, result in zip(prompts, results):
            print(prompt, result.error or result.text)

    Leaving the loop cancels what has not started and closes what is in progress; iterating again goes on.  Where the
    prompts come from an iterator, each result is given once, only failures are kept, and ``len()`` and ``[i]`` fail.

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
        self._keys: list[Key | None] = []  # of prompts that are all there
        self._position = 0  # of the next result, where the prompts come from an iterator
        self._iterated = Iterated(inputs.items, plan)
        self._reason: BaseException | None = None  # why the last reading stopped before the end
        self._lacks_key = False  # of a service
        self.dropped = 0  # calls in progress that the end of the last reading closed, and that are sent again
        if inputs.is_sized:
            self._check_all(needs_key=False)

    def __len__(self) -> int:
        if not self._inputs.is_sized:
            raise TypeError("the prompts come from an iterator, so that nobody knows how many there are; pass a list")
        return len(self._keys)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Result[T]]:
        return self._at(range(len(self))) if self._inputs.is_sized else self._next_ones()

    def __getitem__(self, index: int) -> Result[T]:
        position = position_of(index, len(self), self._inputs.labels)
        return next(iter(self._at(range(position, position + 1))))

    def head(self, n: int = 5) -> Results[T]:
        """Answer the first prompts, and return their results.

        Where the prompts come from an iterator, they are the next ones, and a loop goes on after them.

        :param n: how many
        """
        if self._inputs.is_sized:
            return self._all(self._at(range(min(n, len(self)))))
        return self._all(itertools.islice(self._next_ones(n), n))

    @property
    def so_far(self) -> Results[T]:
        """The results that have come, and those in the store, in the order of the prompts; nothing is sent::

            table = results.so_far.to_frame()

        Where the prompts come from an iterator, they are the results that have not been read.
        """
        come: dict[int, Result[T]] = {}
        for run in {*self._owners.copy().values()}:  # one that another iteration is reading
            come.update((outcome.index, outcome) for outcome in run.untaken() if isinstance(outcome, Result))
        come.update(self._known)
        for index in range(len(self)) if self._inputs.is_sized else ():
            if index not in come and (stored := self._stored(index)) is not None:
                come[index] = stored
        return Results((come[index] for index in sorted(come)), self._inputs)

    def texts(self) -> Any:
        """Return all texts, None for a failure: a list, or a Series with the same index where the prompts were one.

        Failures are a UserWarning, unless ``progress=False``.
        """
        return self._warned(self._all(self)).texts()

    def outputs(self) -> Any:
        """Return all outputs, None for a failure, as ``texts()`` does."""
        return self._warned(self._all(self)).outputs()

    def to_frame(self, meta: bool = True) -> Any:
        """Return all results as a DataFrame: of polars where the prompts were a Series of polars, else of pandas.

        Without ``call_error``, failures are a UserWarning as of ``texts()``.

        :param meta: whether there are columns beside ``text``, ``output`` or the type's fields, such as ``call_error``
        :raises MissingDependencyError: if pandas is not installed
        """
        come = self._all(self)
        return (come if meta else self._warned(come)).to_frame(meta)

    def check(self) -> None:
        """Raise what keeps the prompts from being sent, as reading the results does; nothing is sent.

        :raises AuthenticationError: if a key is missing, which an estimate does not need
        """
        if self._lacks_key:
            self._check_all(needs_key=True)

    def reject(self, is_unwanted: Callable[[Result[T]], bool]) -> BatchResults[T]:
        """Ask again for what the store, or a hosted batch, has but a function does not want; results read are kept.

        ::

            results = client.map(prompts, store="answers.db").reject(lambda result: "Sorry" in (result.text or ""))

        :param is_unwanted: gets a result, and returns whether its prompt is to be sent again; the new answer takes the
            place of the old one
        :returns: these results
        """
        self._plan.is_unwanted = is_unwanted
        return self

    def estimate(self) -> Estimate:
        """Return what is left to send, roughly; nothing is sent, and no key is needed.

        :raises TypeError: if the prompts come from an iterator
        """
        not_stored = self._known if self._plan.store is None else {}
        indexes = (index for index in range(len(self)) if index not in not_stored)
        tasks = ((self._task(index), self._known.get(index) or self._stored(index)) for index in indexes)
        return estimate_of(tasks, self._plan.calls, self._plan.unused(self._keys))

    @property
    def failed(self) -> Results[T]:
        """The failures so far."""
        return Results((self._failed[index] for index in sorted(self._failed)), self._inputs)

    def retry_failed(self) -> BatchResults[T]:
        """Forget the failures so far, so that their prompts are sent again when the results are read.

        :returns: these results; where the prompts come from an iterator, new ones for the failures only
        """
        failed = self.failed
        self._failed.clear()
        if not self._inputs.is_sized:
            items, keys = [one.input for one in failed], [self._iterated.take_failed(one.index) for one in failed]
            return BatchResults(self._inputs._replace(items=items, is_sized=True, keys=keys), self._plan)
        for result in failed:
            self._known.pop(result.index, None)
        self._usage.forget(len(failed))
        return self

    @property
    def usage(self) -> BatchUsage:
        """What the batch has taken so far."""
        return self._usage.copy()

    def close(self) -> None:
        """Close the store; it is opened again when it is needed."""
        if self._plan.store is not None:
            self._plan.store.close()

    def __repr__(self) -> str:
        total = f" of {len(self)}" if self._inputs.is_sized else ""
        return f"<BatchResults: {self._usage.done}{total} done, {len(self._failed)} failed>"

    def _repr_html_(self) -> str:
        return tables.html(self.usage, len(self) if self._inputs.is_sized else None, self.failed, self._reason)

    def _warned(self, come: Results[T]) -> Results[T]:
        """Return results, and warn of their failures, which a column does not show."""
        if self._plan.progress is not False and (told := told_of_failures(come)):
            warn(f"{told}; failures are None here, and results.failed has the errors")
        return come

    def _all(self, results: Iterable[Result[T]]) -> Results[T]:
        """Read results.  Where the prompts come from an iterator, and the reading ends early, they are given again."""
        come: Results[T] = Results((), self._inputs)
        try:
            for result in results:
                come.append(result)
        except BaseException:
            self._give_again(come)
            raise
        return come

    def _give_again(self, results: Sequence[Result[T]]) -> None:
        """Put results back that the caller has not got, where the prompts come from an iterator."""
        with self._lock:
            first = self._position - len(results)
            if not self._inputs.is_sized and [result.index for result in results] == [*range(first, self._position)]:
                self._known.update((result.index, result) for result in results)
                self._position = first

    def _check_all(self, *, needs_key: bool) -> None:
        """Check prompts that are all there, and note their places in the store.

        :raises AuthenticationError: if a key is missing that is needed
        """
        self._keys, self._lacks_key = [], False
        if not self._inputs.keys:
            self._plan.begin_anew()
        for index, item in enumerate(self._inputs.items):
            task = self._plan.task(index, item, self._inputs.keys[index] if self._inputs.keys else None)
            self._keys.append(task.key)
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
        return result

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
                    return self._raise_reason(owner.reason)
                self._keep(outcome)
        return True

    def _keep(self, result: Result[T]) -> None:
        self._known[result.index] = result
        if result.error is None or not self._plan.raises:
            self._iterated.forget(result.index)

    def _raise_reason(self, reason: BaseException | None) -> bool:
        if reason is None:
            return False
        self._reason = reason
        if not isinstance(reason, Exception):
            raise reason
        text = f"the batch stopped after {self._usage.in_words()}: {str(reason) or type(reason).__name__}"
        raise BatchStoppedError(text, results=self, error=reason) from reason

    def _interrupt(self, error: KeyboardInterrupt) -> KeyboardInterrupt:
        return interrupt_of_batch(error, self, self._told(), self._plan.store and self._plan.store.database.path)

    def _told(self) -> str:
        """Say how many results there are, and what goes on without the user."""
        return counted(self._usage.done, "result")

    def _start(self, indexes: Iterable[int]) -> Run:
        self.check()
        self._plan.warn_of_others(self._keys)
        self._reason = None
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

        run = Run(tasks(), self._plan, on_result, progress.close, progress.tick)
        return run

    def _next_task(self, index: int) -> Task | Outcome | None:
        """Return what is to be done for a prompt: a task, its result from the store, or what is wrong with it."""
        try:
            if self._inputs.is_sized:
                return self._stored(index) or self._task(index)
            task = self._iterated.task(index)
            return task and (self._plan.stored(index, task.input, task.key) or task)
        except Exception as error:  # noqa: BLE001  raised where the caller reads this result
            return BadPrompt(index, error)

    def _stored(self, index: int) -> Result[Any] | None:
        """Return the result from the store of a prompt that is there with all others."""
        return self._plan.stored(index, self._inputs.items[index], self._keys[index])  # type: ignore[index]

    def _task(self, index: int) -> Task:
        return self._plan.task(index, self._inputs.items[index], self._keys[index])  # type: ignore[index]

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
