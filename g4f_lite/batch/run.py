"""One run through a batch: worker threads, a bounded look-ahead, and results in the order of the prompts."""

from __future__ import annotations

import contextvars
import itertools
import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..answers.deltas import Usage
from ..errors import DeadlineExceededError, G4FLiteError, StoreError
from ..store.answers import Kept
from . import causes
from .again import Again
from .elsewhere import Shipment, ask_by_executor
from .here import ask_here
from .pace import count_tokens, tokens_of, wait_for_place
from .plan import Plan
from .result import BadPrompt, Outcome, Result
from .task import Bundle, Place, Task
from .workers import TOO_MANY

logger = logging.getLogger(__name__)

_AHEAD_OF_EACH_WORKER = 4  # prompts that are read before their turn
_LEAST_AHEAD = 64
_LOOK_SECONDS = 0.5  # Windows tells a thread that waits nothing of Ctrl-C
_END_SECONDS = 0.8  # that calls in progress get to end; what is closed ends at once, unless it hangs in DNS


class Run:
    """Answers prompts with several workers, while the caller takes the results in order.

    :param tasks: the prompts, read by the caller's thread as far ahead as is needed, or results that are known
    :param plan: how they are to be answered
    :param on_result: called with each result, one call at a time
    :param on_end: called at the end of the run
    :param on_wait: called twice a second, while a result is waited for, with the seconds that nothing is sent, those
        for which the service has been out of reach, and how many prompts the workers have
    :param most_untaken: how many results there may be behind one that takes long, so that it holds up no others
    """

    def __init__(
        self,
        tasks: Iterator[Task | Outcome],
        plan: Plan,
        on_result: Callable[[Result[Any]], None],
        on_end: Callable[[], None],
        on_wait: Callable[[float, float, int], None] = lambda paused, outage, in_progress: None,
        most_untaken: float = math.inf,
    ) -> None:
        self._tasks = tasks
        self._plan = plan
        self._workers = plan.workers
        self._on_result = on_result
        self._on_end = on_end
        self._on_wait = on_wait
        self._most_untaken = most_untaken
        self._lock = threading.RLock()
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()  # of a result that is awaited, or of too few prompts
        self._waiting: deque[Task] = deque()
        self._running: set[Bundle] = set()
        self._inbox: queue.SimpleQueue[Bundle | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._done: dict[int, Outcome] = {}
        self._is_read = False  # to the end of the tasks
        self._awaited: int | None = None
        self._failures = causes.FailuresInARow(plan.max_failures)
        self._again = Again(plan, self._count_failure, self._halt)
        self._halted = threading.Event()  # nothing more is sent
        self._stopping = threading.Event()
        self._ends_at = plan.clock() + plan.max_time
        self._shipment = None if plan.executor is None else Shipment(plan.calls.for_workers())
        self._bundles = self._shipment is not None and not plan.meters and plan.cost_limit is None
        self._context = contextvars.copy_context()
        self._out_of_time = DeadlineExceededError(f"the max_time of {plan.max_time:g} s has passed", limit="total")
        self.dropped = 0  # prompts whose calls were closed
        self.reason: BaseException | None = None  # why nothing more is sent
        self.too_many: causes.TooMany | None = None  # failures in a row, if the reason is the last one of these

    def result(self, index: int) -> Outcome | None:
        """Wait for the result of a prompt; None at the end of the prompts, or if there is a ``reason``."""
        while True:
            self._read_ahead(index)
            with self._lock:
                if index in self._done:
                    return self._done.pop(index)
                is_over = self._is_read and not self._waiting
                if not self._running and (is_over or self.reason is not None):
                    if is_over and self.reason is self._out_of_time:  # all the same, everything was sent
                        self.reason = None
                    return None
                if not self._wants_more(index):
                    self._is_halted()
                    self._awaited = index
            if self._awaited is not None:
                with suppress(queue.Empty):
                    self._news.get(timeout=_LOOK_SECONDS)
                self._awaited = None
            self._on_wait(self._workers.paused, self._workers.outage, self.in_progress)

    @property
    def in_progress(self) -> int:
        """How many prompts the workers have."""
        with self._lock:
            return sum(len(bundle.tasks) for bundle in self._running)

    def close(self) -> None:
        """End what is in progress."""
        self._stopping.set()
        self._halted.set()
        with self._lock:
            self._plan.closed.update(task.index for bundle in self._running for task in bundle.tasks)
            sent = [(bundle.close, len(bundle.tasks)) for bundle in self._running if bundle.close is not None]
        self.dropped = sum(count for _, count in sent)
        for close, _ in sent:
            close()
        for _ in self._threads:
            self._inbox.put(None)
        ends = time.monotonic() + _END_SECONDS
        try:
            for thread in self._threads:
                if thread.is_alive():  # an interrupt may have kept it from starting
                    thread.join(max(0.0, ends - time.monotonic()))
        finally:
            self._on_end()

    def untaken(self) -> list[Outcome]:
        """Return the results that nobody has taken."""
        with self._lock:
            return list(self._done.values())

    def _wants_more(self, index: int) -> bool:
        """Return whether to read another prompt, now that the caller wants the result of this one.

        Other results that nobody has taken count only if it is there: who leaves has paid for few of them.
        """
        ahead = max(_LEAST_AHEAD, _AHEAD_OF_EACH_WORKER * self._workers.number * self._bundle)
        untaken = len(self._done) if index in self._done else max(0, len(self._done) - self._most_untaken)
        known = len(self._waiting) + len(self._running) * self._bundle + untaken
        return not self._is_read and self.reason is None and known < ahead

    @property
    def _bundle(self) -> int:
        """How many prompts a worker gets at once."""
        return self._workers.bundle if self._bundles else 1

    def _read_ahead(self, index: int) -> None:
        """Read prompts, in the caller's thread: a generator may use what belongs to it."""
        while self._wants_more(index):
            task = next(self._tasks, None)
            with self._lock:
                if task is None:
                    self._is_read = True
                elif isinstance(task, Task):
                    self._waiting.append(task)
                    self._dispatch()
                else:
                    self._done[task.index] = task
                    if isinstance(task, BadPrompt):
                        self._is_read = True
                    else:
                        self._workers.was_reached |= task.is_stored
                        self._on_result(task)
                    return  # it may be the one that is awaited

    def _dispatch(self) -> None:
        """Hand as many prompts to the workers as may be in progress; the lock is held."""
        while self._waiting and not self._is_halted() and len(self._running) < self._workers.number:
            if len(self._threads) <= len(self._running) and not self._start_thread():
                return  # one of the others takes the next prompts
            size = min(self._bundle, len(self._waiting))
            if self._is_read:  # near the end smaller ones, so that all workers end together
                size = min(size, math.ceil(len(self._waiting) / self._workers.number))
            bundle = Bundle([self._waiting.popleft() for _ in range(size)])
            self._running.add(bundle)
            self._inbox.put(bundle)

    def _start_thread(self) -> bool:
        """Start another thread; False if the system refuses it.  The lock is held.

        :raises G4FLiteError: if it refuses the first one
        """
        name = f"g4f_lite batch {len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=(self._context.copy(),), name=name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:  # as Python says that a process or container has as many as it may have
            # What a signal handler raised within start() leaves a lock of threading's unlocked, which says so.
            if "release un" in str(error) and error.__context__ is not None:
                raise error.__context__ from None
            self._threads.remove(thread)
            if not self._threads:
                raise G4FLiteError(f"no thread could be started for the batch: {error}") from error
            return False
        return True

    def _work(self, context: contextvars.Context) -> None:
        while (bundle := self._inbox.get()) is not None:
            results: list[Result[Any] | None] = []
            try:
                results = context.run(self._answer, bundle)
            except BaseException as error:  # noqa: BLE001  raised in the caller's thread
                self._halt(error)
            with self._lock:
                self._running.discard(bundle)
                pairs = itertools.zip_longest(bundle.tasks, results)
                unanswered = [task for task, result in pairs if result is None or not self._note(task, result)]
                self._waiting.extendleft(reversed(unanswered))  # for another run, unless they were behind an error
                self._dispatch()
                runs_dry = len(self._waiting) < self._workers.number * self._bundle and not self._is_read
                if self._awaited in self._done or runs_dry or not self._running:
                    self._news.put(None)

    def _answer(self, bundle: Bundle) -> list[Result[Any] | None]:
        """Return the results of prompts; None, or nothing, for those that were not sent or closed meanwhile."""
        for task in bundle.tasks:
            self._wait_for_place(task)
        if self._halted.is_set():
            return []
        # Prompts are read ahead: meanwhile another program may have stored their answers.
        stored = [self._plan.stored(task.index, task.input, task.place) for task in bundle.tasks]
        if None not in stored:
            for task in bundle.tasks:
                self._count(task, None, has_failed=True)  # which gives back what was reserved
            return [result and replace(result, is_shared=self._plan.is_shared(result.index)) for result in stored]
        try:
            outcomes = self._outcomes(bundle)
        finally:
            bundle.close = None
            if self._plan.cost_limit is not None and (reason := self._plan.cost_limit.reason_to_stop()):
                self._halt(reason)
        return [self._result(task, *outcome) for task, outcome in zip(bundle.tasks, outcomes, strict=False)]

    def _wait_for_place(self, task: Task) -> None:
        tokens = tokens_of(task.prompt)
        while not self._is_halted():
            while (left := self._workers.paused) and not self._is_halted():
                self._halted.wait(min(left, _LOOK_SECONDS))  # another call may end the pause
            for meter in self._plan.meters:
                wait_for_place(meter, tokens, self._is_halted, self._halted.wait)
            tokens = 0
            if self._workers.paused:
                continue  # to another place behind the pause: otherwise all who waited for theirs would go at once
            self._halted.wait(self._workers.reserve())
            if self._workers.may_send():
                return

    def _outcomes(self, bundle: Bundle) -> list[tuple[Kept | Exception, float]]:
        """Return the answer or the error of each prompt that was sent, and its seconds."""
        began_at = time.monotonic()
        for task in bundle.tasks:
            task.began_at = began_at
        try:
            if self._shipment is not None:
                return ask_by_executor(self._plan, self._shipment, bundle)
            return [(ask_here(self._plan, bundle, self._stopping), time.monotonic() - began_at)]
        except Exception as error:  # noqa: BLE001  a result
            if len(bundle.tasks) > 1 and not causes.is_hopeless(error, has_answered=self._workers.was_reached):
                self._bundles = False  # the executor's own, of one of these prompts: each is sent on its own
                return []
            return [(error, time.monotonic() - began_at)]

    def _result(self, task: Task, outcome: Kept | Exception, seconds: float) -> Result[Any] | None:
        label = self._plan.label(task.index)
        try:
            if isinstance(outcome, Exception):
                raise outcome
            answer = outcome.answer()
            output = self._plan.calls.output(answer)
        except Exception as error:  # noqa: BLE001  a result
            if self._stopping.is_set():
                return None
            attempts = task.times(error.attempts if isinstance(error, G4FLiteError) else None)
            self._count(task, getattr(error, "usage", None), has_failed=not getattr(error, "partial", ""))
            return Result(
                task.index,
                task.input,
                error=error,
                attempts=attempts,
                seconds=seconds,
                label=label,
                asked_model=self._plan.asked_model(task),
            )
        is_shared = task.place is not None and self._keep(task.place, outcome) and self._plan.is_shared(task.index)
        self._count(task, answer.usage)
        return Result(
            task.index,
            task.input,
            answer,
            output,
            attempts=task.times(outcome.attempts),
            seconds=outcome.seconds,
            passed_over=outcome.passed_over,
            is_shared=is_shared,
            label=label,
        )

    def _count(self, task: Task, usage: Usage | None, *, has_failed: bool = False) -> None:
        for meter in self._plan.meters:
            count_tokens(meter, usage, tokens_of(task.prompt), has_failed=has_failed)

    def _keep(self, place: Place, kept: Kept) -> bool:
        """Write an answer into the store, and return whether one is there already."""
        try:
            return self._plan.keep(place, kept)
        except StoreError as error:  # the answer is there nevertheless
            self._halt(error)
        except G4FLiteError as error:
            logger.info("an answer was not stored, because of its images: %s", error)
        return False

    def _is_halted(self) -> bool:
        """Return whether nothing more is sent, as after the time that the batch may take."""
        if self._plan.clock() >= self._ends_at:
            self._halt(self._out_of_time)
        return self._halted.is_set()

    def _halt(self, error: BaseException) -> None:
        """Send nothing more."""
        self.reason = self.reason or error
        self._halted.set()

    def _count_failure(self, error: Exception) -> None:
        """Count a failure, and stop the batch if it is one too many in a row; the lock is held."""
        has_answered = self._workers.was_reached
        if self.reason is None and (too_many := self._failures.add(error, has_answered=has_answered)):
            self.too_many = too_many
            self._halt(error)

    def _note(self, task: Task, result: Result[Any]) -> bool:
        """Count a result; False if it is an error that stops the batch.  The lock is held."""
        error = result.error
        if error is not None and causes.is_refused_for_now(error) and getattr(error, "status", None) != TOO_MANY:
            self._workers.refused(causes.wait_named_by(error))  # of those with 429 the observer knows
        if result.is_stored:
            self._workers.was_reached = True  # it says nothing about the service now
        elif error is None:
            self._failures.end()
            self._again.answers += 1
            self._workers.reached(task.began_at)
            self._workers.succeeded(0 if result.usage is None else result.usage.total_tokens, result.seconds)
        elif self._again.is_to_be_sent(task, error, is_read=self._is_read):
            task.sent = result.attempts or task.sent + 1
            self._waiting.append(task)
            return True
        else:
            logger.warning("prompts[%s] failed: %s", self._plan.label(task.index), result.error_text)
            is_too_long = (causes.wait_named_by(error) or 0.0) > self._workers.longest_pause
            if is_too_long or causes.is_hopeless(error, has_answered=self._workers.was_reached):
                self._halt(error)
                return False
            self._count_failure(error)
        self._done[result.index] = result
        self._on_result(result)
        return True
