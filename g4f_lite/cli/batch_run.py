"""The run of ``g4f-lite batch``: rows are sent, and written as their answers come."""

from __future__ import annotations

import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click

from ..answers.price import PriceLike
from ..batch.cost_limit import CostLimitError, told_limit
from ..batch.files import Row
from ..batch.hosted import HostedBatch
from ..batch.result import Result
from ..batch.results import BatchResults
from ..batch.summary import counted, told_of_sharing
from ..client.client import Client
from ..errors import AuthenticationError, BatchStoppedError, MissingDependencyError, OutputError, StoreError
from ..http.retry import may_pass
from ..providers.fallback import Fallback
from .batch_fallbacks import Fallbacks, kind_of
from .batch_files import BatchFiles
from .batch_report import Progress, told_after, told_of_cost, told_of_done
from .failure import Failure, Passing, message_of, one_line, tell
from .notes import is_quiet, note
from .options import named_members
from .spending import Unpriced

_SHOWN_REASONS = 12


def reasons_of(failures: Sequence[Result[Any]]) -> list[str]:
    """Say why prompts failed, the most frequent reason first; of several, with how many failed for each."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for result in failures:
        if result.error is not None:
            told = message_of(result.error)
            kind = kind_of(told)
            first.setdefault(kind, told)
            counts[kind] += 1
    if len(counts) == 1:
        return [*first.values()]
    shown = counts.most_common(_SHOWN_REASONS)
    more = len(failures) - sum(count for _, count in shown)
    told_of_more = [f"{more:,} for other reasons"] if more else []
    return [f"{count:,} × {first[kind]}" for kind, count in shown] + told_of_more


@dataclass
class BatchRun:
    """One run of the command.

    :param client: the client of the results
    :param results: the results of the rows, of which none has been read
    :param rows: the rows of the input
    :param files: the files to write
    :param price: what tokens cost; None for what the extra ``prices`` knows
    :param fresh: whether what is stored is asked again
    :param paced: whether the requests per minute are limited
    :param stored: how many rows have an answer in the store, as far as is known before
    """

    client: Client
    results: BatchResults[Any]
    rows: Sequence[Row]
    files: BatchFiles
    price: PriceLike | None
    fresh: bool
    paced: bool
    stored: int = 0

    def __post_init__(self) -> None:
        first = named_members(self.client.provider)[0][0]
        is_kept = self.files.store is not None
        self.fallbacks = Fallbacks(first, is_kept=is_kept, fresh=self.fresh, paced=self.paced)
        self.unpriced = Unpriced(self.price)

    def run(self) -> None:
        """Send the rows, write the answers, and say what came of it.

        :raises click.ClickException: if the batch stops, a prompt fails, or a file cannot be written
        """
        output, failures = self.files.output, self.files.failures
        with ExitStack() as stack:
            stack.enter_context(_terminated_as_interrupted())
            stack.enter_context(output)
            if failures is not None:
                stack.enter_context(failures)
            stack.enter_context(self._ending())
            wrong = self._write()
            is_kept_back = len(self.results) - len(wrong) < self.files.earlier
            if not is_kept_back:
                self.files.publish()
        skipped, usage = self.files.skipped, self.results.usage
        usage.stored -= sum(result.is_stored for result in wrong)  # which are failures
        told = told_after(usage, len(wrong), self.files.store, self._spent(), skipped)
        if output.path is not None and not is_quiet():
            click.echo(told)
        elif self.price is not None:
            note(told)
        elif self.files.skipped:
            note(f"{counted(self.files.skipped, 'empty row')} not sent")
        if told := self.fallbacks.told_with_reasons(usage.answered_by):
            note(told)
        if told := self.unpriced.told("model that answered"):
            note(told)
        if wrong:
            reasons = reasons_of(wrong)
            text = f"{len(wrong):,} of {counted(len(self.results), 'prompt')} failed"
            if len(reasons) == 1:
                text += f": {reasons.pop()}"
            passes = False
            if isinstance(self.results, HostedBatch):
                text += "; the same command with --retry-failed asks for them again"
            else:
                passes = all(result.error is not None and may_pass(result.error) for result in wrong)
                if any(isinstance(result.error, OutputError) or may_pass(result.error) for result in wrong):
                    text += f"; {self._again(len(wrong))}"
            if is_kept_back:
                kept = f"{output.path} had {counted(self.files.earlier, 'answer')} and was left as it is"
                text += f"; {kept}, and these rows are in {output.partial}"
            raise (Passing if passes else Failure)(text, reasons)

    def _write(self) -> list[Result[Any]]:
        """Write the rows with their answers as they come, and return the results that are failures."""
        output, failures, results = self.files.output, self.files.failures, self.results
        writer = self.files.writer()
        writer_of_failures = None if failures is None else self.files.writer_of_failures()
        wrong: list[Result[Any]] = []
        is_shared = False
        is_seen = output.path is None and sys.stdout.isatty() and sys.stderr.isatty()
        if isinstance(results, HostedBatch) and not results.done and not is_quiet():
            tell(one_line(f"{self.files.hosted}: {results.status}; waiting"))
        is_shown = not is_seen and not is_quiet() and not isinstance(results, HostedBatch)
        with Progress(
            lambda: results.usage,
            len(results),
            in_progress=lambda: results.in_progress,
            paused=lambda: (results.paused, results.outage),
            pace=lambda: results.pace,
            cost=self._cost,
            stored=self.stored,
            is_shown=is_shown,
        ) as progress:
            tell_now = (lambda told: None) if is_quiet() else progress.note
            if isinstance(chain := self.client.provider, Fallback):
                # Without it, some of what fails would be a warning of Python's.
                chain.on_fallback = self.fallbacks.teller(tell_now)
            for row, result in self._all_that_come():
                with output.writing():
                    writer.write(row, result)
                self.fallbacks.add(result)
                if result.answer is not None:
                    self.unpriced.add_answer(result.answer)
                if result.is_shared and not is_shared and self.files.store is not None:
                    is_shared = True
                    tell_now(told_of_sharing(self.files.store))
                if result.error is not None:
                    wrong.append(result)
                    if failures is not None and writer_of_failures is not None:
                        with failures.writing():
                            writer_of_failures.write_failed(row, result)
        if failures is not None and writer_of_failures is not None and not wrong:
            with failures.writing():
                writer_of_failures.begin_failed(self.rows[0])
        return wrong

    def _answered(self) -> Iterator[tuple[Row, Result[Any]]]:
        """Yield each row with its result; that of an empty row that is kept has neither an answer nor an error."""
        rows = iter(self.rows)
        for result in self.results:
            for row in rows:
                if row.prompt is not None:
                    yield row, result
                    break
                yield row, Result(-1, None)
        for row in rows:
            yield row, Result(-1, None)

    def _all_that_come(self) -> Iterator[tuple[Row, Result[Any]]]:
        """Do as `_answered` does; before an early end, also yield what has come and is kept nowhere else."""
        last = -1
        try:
            for row, result in self._answered():
                last = max(last, result.index)
                yield row, result
        except (BatchStoppedError, KeyboardInterrupt):
            if self.files.store is None and not isinstance(self.results, HostedBatch):
                rows = [row for row in self.rows if row.prompt is not None]
                yield from ((rows[result.index], result) for result in self.results.so_far if result.index > last)
            raise

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Say at an early end how to go on, and close the store.

        :raises click.ClickException: if the batch stopped, or a file cannot be written
        """
        try:
            yield
        except BatchStoppedError as error:
            kind = Passing if error.error is None or _goes_on(error.error) else Failure
            hints = self._hints(error.error, is_stuck=self.results.stops_again and kind is Failure)
            raise kind("; ".join([message_of(error), *hints])) from error
        except Failure as error:
            raise Failure("; ".join([error.message, *self._hints()])) from error
        except KeyboardInterrupt:
            done = told_of_done(self.results.usage, self.stored, len(self.results))
            dropped = self.results.dropped
            again = f"; {counted(dropped, 'call')} in progress will be sent again" if dropped else ""
            click.echo(f"\nInterrupted after {'; '.join([done, *self._hints()])}{again}", err=True)
            raise
        finally:
            self.results.close()

    def _again(self, failures: int) -> str:
        """Say that the rows which failed are sent again; without a store, all are.

        :param failures: how many rows failed
        """
        if self.files.store is None:
            return "the same command sends all rows again"
        has_answers = failures < len(self.results)
        again = "the same command, without --fresh," if self.fresh and has_answers else "the same command"
        return f"{again} sends the failed rows again"

    def _hints(self, reason: Exception | None = None, *, is_stuck: bool = False) -> list[str]:
        """Say how to go on, and what is as it was.

        :param reason: why the batch stopped
        :param is_stuck: whether it would stop there again
        """
        if isinstance(self.results, HostedBatch):
            return ["the service goes on, and the same command fetches the answers"]
        usage, files = self.results.usage, self.files
        has_answers = usage.done > usage.failures
        earlier = [f"{files.output.path} is as it was"] if files.earlier else []
        others = [told] if (told := self.fallbacks.told(usage.answered_by)) else []
        stuck = ["the same command would meet these prompts first: take them out, or raise N"] if is_stuck else []
        if not has_answers and reason is not None and not _goes_on(reason):
            return [*stuck, *earlier]  # the same command would end in the same way
        spent = self._spent()
        if files.store is None:
            return [*stuck, *others, f"use --store to go on later{spent}"]
        if not has_answers:
            return ["the same command tries again", *earlier]
        rows = f", their rows in {files.output.partial}" if files.output.partial else ""
        again = "the same command, without --fresh," if self.fresh else "the same command"
        more = f", for up to {told_limit(reason.max_cost)} more" if isinstance(reason, CostLimitError) else ""
        goes_on = "" if is_stuck else f", and {again} goes on{more}"
        if isinstance(reason, AuthenticationError):
            goes_on += ", with --any-key also by another key"
        what = "answers that could still be stored" if isinstance(reason, StoreError) else "answers so far"
        return [*stuck, *others, f"the {what} are in {files.store}{rows}{goes_on}{spent}", *earlier]

    def _spent(self) -> str:
        """Say what the calls took."""
        uncounted = 0 if self.price is None else self.client.usage.unpriced
        return told_of_cost(self.results.usage, self._cost(), uncounted)

    def _cost(self) -> float | None:
        """Return what the calls cost in US dollars; None if that is not known."""
        with suppress(MissingDependencyError):
            usage = self.client.usage
            # With a given price, a call without tokens, as one that Ctrl-C ends, does not hide what others cost.
            return usage.cost if self.price is None else usage.known_cost or usage.cost
        return None


def _goes_on(reason: Exception) -> bool:
    """Return whether the same command may go on later with what it stopped for."""
    return may_pass(reason) or isinstance(reason, CostLimitError)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, as service managers send it, end a ``with`` block as Ctrl-C does, and then the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    is_terminated = False

    def interrupt(*_: object) -> None:
        nonlocal is_terminated
        is_terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_terminated:  # whoever sent it sees that the program ended by it
            signal.raise_signal(signal.SIGTERM)
