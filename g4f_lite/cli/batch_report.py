"""What ``g4f-lite batch`` says about its prompts: before, while and after they are sent."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from ..batch.summary import (
    BatchUsage,
    Estimate,
    counted,
    dollars,
    duration,
    knows_time_left,
    told_of_others,
    told_of_pace,
    told_of_pause,
)
from ..store.answers import AnswerStore
from .failure import tell
from .wording import in_options

LOG_SECONDS = 10.0  # until the first line in a log; each time later twice as long
MOST_LOG_SECONDS = 300.0
TERMINAL_SECONDS = 0.5  # between two states of the line in a terminal


def told_of_unused(
    estimate: Estimate, store: Path, failed: Path | None, output: Path | None, rejects: bool = False
) -> str | None:
    """Say if answers in a store are not used, which may be paid for once more; None if there is nothing to say.

    Few of them are of no interest beside many that are used, as of a first try.

    :param failed: a file of rows that failed before, which may be all that is to be sent; None if there is none
    :param output: the file for the answers; None if they are printed
    :param rejects: whether the command asks again for answers of a provider, so that it needs no advice how to
    """
    is_used = estimate.stored > estimate.unused and not estimate.of_other_keys
    if not estimate.unused or not estimate.calls or is_used:
        return None
    advice = ""
    if failed is not None:
        files = ["-o"] if store == Path(f"{output}.store") else ["--store"] if output is None else ["-o", "--store"]
        others = f"and other files with {', '.join(files)} and --failed"
        advice = f"; to ask only what failed, and keep the answers there are, give {failed} as IN, {others}"
    if not rejects and len(names := AnswerStore(store).providers()) > 1:
        again = "name the providers as before, with --reject-provider NAME"
        advice += f"; its answers are from {' and '.join(names)}: to ask again only for those of one, {again}"
    return in_options(told_of_others(store, estimate.unused, estimate.calls, estimate.of_other_keys)) + advice


def told_after(usage: BatchUsage, failures: int, store: Path | None, spent: str = "", skipped: int = 0) -> str:
    """Say what a batch has done and taken.

    :param failures: how many prompts have no answer, or one that is not what was asked for
    :param store: where its answers are
    :param spent: what it took, from :func:`told_of_cost`
    :param skipped: how many rows were left out, because they are empty
    """
    elsewhere = f", {usage.elsewhere:,} of these by another program meanwhile" if usage.elsewhere else ""
    known = f" ({usage.stored:,} of them from {store}{elsewhere})" if store and usage.stored else ""
    answered = usage.done - failures
    longer = "; the same command with --longer N gives N tokens to those of the limit" if store else ""
    cut = f"; {usage.cut:,} of the answers CUT, by a limit of tokens or a filter{longer}" if usage.cut else ""
    nothing = f"; {usage.empty:,} of the answers WITHOUT A TEXT" if usage.empty else ""
    refused = f", {usage.refused:,} refused by the model" if usage.refused else ""
    kept = f"; kept in {store}" if store and answered and not known else ""
    empty = f", {counted(skipped, 'empty row')} not sent" if skipped else ""
    twice = f"; {usage.twice:,} answered first by another program, so that both paid" if usage.twice else ""
    rest = f"{refused}{empty}{cut}{nothing}{twice}{spent}{kept}"
    return f"{answered:,} answered{known}, {failures:,} failed{rest}"


def told_of_cost(usage: BatchUsage, cost: float | None, uncounted: int = 0) -> str:
    """Say what the calls of a batch took, after what was said before; nothing if they took nothing.

    What answers from the store took before is not in it.

    :param cost: what they cost in US dollars; None if that is not known
    :param uncounted: how many calls may cost more than that, because the service did not say what they took
    """
    if not usage.total_tokens:
        return f"; what {counted(uncounted, 'call')} cost is not known" if uncounted else ""
    price = "" if cost is None else f", {dollars(cost)}"
    price += f", and what {counted(uncounted, 'call')} more cost is not known" if uncounted and cost else ""
    of_this = "this run took " if usage.stored else ""
    return f"; {of_this}{usage.prompt_tokens:,} tokens of prompts and {usage.completion_tokens:,} of answers{price}"


def done_of(usage: BatchUsage, stored: int) -> int:
    """Return how many prompts are done, those included whose answers in the store are still to be read.

    :param stored: how many were there before the batch began
    """
    return usage.done + max(0, stored - (usage.stored - usage.elsewhere))


def told_of_done(usage: BatchUsage, stored: int, total: int) -> str:
    """Say how many prompts of all are done, and how many of them failed.

    :param stored: how many answers were in the store before the batch began
    """
    failed = f", of which {usage.failures:,} failed" if usage.failures else ""
    return f"{done_of(usage, stored):,} of {counted(total, 'prompt')}{failed}"


class Progress:
    """Shows on standard error how far a batch is: in one line of a terminal, or a line now and then in a log.

    :param usage: gives what the batch has taken so far
    :param total: how many prompts there are
    :param in_progress: gives how many prompts the workers have
    :param paused: gives the seconds for which nothing is sent, and those for which the service has been out of reach
    :param pace: gives the calls a second that are sent at most; None if nothing waits for that
    :param cost: gives what the calls have cost in US dollars; None if that is not known
    :param stored: how many prompts have an answer in the store
    :param is_shown: whether it is shown; False where nothing is to be seen, or the answers are
    """

    def __init__(
        self,
        usage: Callable[[], BatchUsage],
        total: int,
        *,
        in_progress: Callable[[], int] = lambda: 0,
        paused: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0),
        pace: Callable[[], float | None] = lambda: None,
        cost: Callable[[], float | None] = lambda: None,
        stored: int = 0,
        is_shown: bool = True,
    ) -> None:
        self._usage = usage
        self._in_progress = in_progress
        self._paused = paused
        self._pace = pace
        self._cost = cost
        self._stored = stored
        self._total = total
        self._is_line = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_shown = is_shown
        self._began_at = time.monotonic()
        self._length = 0
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="g4f_lite progress", daemon=True)

    def _run(self) -> None:
        seconds = TERMINAL_SECONDS if self._is_line else LOG_SECONDS
        while not self._ended.wait(seconds):
            self._write(self.line())
            if not self._is_line:
                seconds = min(2 * seconds, MOST_LOG_SECONDS)

    def line(self) -> str:
        """Return how far the batch is."""
        usage, seconds = self._usage(), time.monotonic() - self._began_at
        done = done_of(usage, self._stored)
        parts = [f"{done:,} of {self._total:,} done"]
        if usage.failures:
            parts.append(f"{usage.failures:,} failed")
        if cost := self._cost():
            parts.append(dollars(cost))
        if told := told_of_pause(*self._paused()):  # a time left would know nothing of how long the next ones are
            parts.append(told)
        elif done < self._total:
            in_progress = self._in_progress()
            parts += [f"{in_progress:,} in progress"] if in_progress else []
            parts.append(f"{timedelta(seconds=int(seconds))} so far")
            if usage.calls and knows_time_left(usage.calls, in_progress):
                left = (self._total - done) * seconds / usage.calls
                rate = f"{usage.calls * 60 / seconds:,.0f} a minute"
                parts += [rate, told_of_pace(self._pace()), f"{duration(left)} left"]
        return ", ".join(filter(None, parts))

    def note(self, text: str) -> None:
        """Write a note above the line of the terminal, from any thread."""
        with self._lock, suppress(OSError, ValueError):
            self._erase()
            tell(f"Note: {text}")

    def _write(self, text: str) -> None:
        with self._lock, suppress(OSError, ValueError):  # nobody reads standard error any more
            if self._is_line:
                sys.stderr.write(f"\r{text.ljust(self._length)}")
                self._length = len(text)
            else:
                sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def _erase(self) -> None:
        """Leave the line empty for what comes next; the lock is held."""
        if self._length:
            sys.stderr.write(f"\r{' ' * self._length}\r")
            sys.stderr.flush()
            self._length = 0

    def __enter__(self) -> Progress:
        if self._is_shown:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._is_shown:
            self._thread.join()
        with self._lock, suppress(OSError, ValueError):
            self._erase()
