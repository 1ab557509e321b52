"""The results of a batch, which come as they are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..arguments import warn
from . import tables
from .reading import Reading
from .result import Result, position_of
from .summary import BatchUsage, Estimate, estimate_of, told_of_failures, told_of_fallbacks, told_of_no_answers
from .tables import NotAColumn, Results

T = TypeVar("T")


class BatchResults(Reading[T], NotAColumn):
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

        Failures are a UserWarning, unless ``progress=False``, and so are answers of a chain's other providers.
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
        tables.table_module(self._inputs.library)  # before anything is sent
        come = self._all(self)
        return (come if meta else self._warned(come)).to_frame(meta)

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
        return estimate_of(
            tasks, self._plan.calls, self._plan.unused(self._places), self._plan.of_other_keys(self._places)
        )

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
            items, places = [one.input for one in failed], [self._iterated.take_failed(one.index) for one in failed]
            return BatchResults(self._inputs._replace(items=items, is_sized=True, places=places), self._plan)
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
        """Return results, and warn of what a column does not show, such as failures and who answered instead."""
        if self._plan.progress is not False:
            if told := told_of_failures(come):
                warn(f"{told}; failures are None here, and results.failed has the errors")
            if told := told_of_no_answers(come):
                warn(f"{told}; result.refusal and result.is_cut tell these texts from others")
            if told := told_of_fallbacks(come):
                again = "; .reject(lambda result: result.passed_over) asks those prompts again"
                warn(f"{told}; result.provider says who{again if self._plan.store is not None else ''}")
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
