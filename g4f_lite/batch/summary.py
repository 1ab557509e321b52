"""What a batch has taken so far, and what is left of it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..answers.deltas import Usage
from ..prompt import Prompt
from ..store.answers import digest_of
from .pace import longest_answer
from .result import Result
from .task import Calls, Task


@dataclass
class BatchUsage:
    """What a batch has taken so far.

    :param done: how many prompts have a result
    :param calls: how many of them were sent by this batch
    :param stored: how many came from the store
    :param elsewhere: how many of these another program with the same store gave meanwhile
    :param twice: how many prompts were sent, but such a program had answered them first, so that both paid
    :param failures: how many failed
    :param retries: how many times a prompt was sent again
    :param cut: how many answers a limit of tokens, or the service's filter, cut
    :param empty: how many answers have no text: reasoning alone, or calls of tools
    :param refused: how many prompts the model refused
    :param prompt_tokens: tokens of the prompts that were sent, as the service reports them
    :param completion_tokens: tokens of their answers
    :param total_tokens: the sum of both
    :param answered_by: how many answers each provider has given, by its name
    """

    done: int = 0
    calls: int = 0
    stored: int = 0
    elsewhere: int = 0
    twice: int = 0
    failures: int = 0
    retries: int = 0
    cut: int = 0
    empty: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    answered_by: dict[str, int] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, result: Result[Any]) -> None:
        """Count a result."""
        with self._lock:
            self.done += 1
            self.failures += result.error is not None
            self.cut += result.is_cut
            self.empty += result.text == ""
            self.refused += result.refusal is not None
            if result.answer is not None:
                name = result.provider or ""
                self.answered_by[name] = self.answered_by.get(name, 0) + 1
            if result.is_stored:
                self.stored += 1
                self.elsewhere += result.is_shared
                return
            self.calls += 1
            self.twice += result.is_shared
            self.retries += max(0, (result.attempts or 1) - 1)
            usage: Usage | None = result.usage
            if usage is not None:
                self.prompt_tokens += usage.prompt_tokens
                self.completion_tokens += usage.completion_tokens
                self.total_tokens += usage.total_tokens

    def forget(self, failures: int) -> None:
        """Take back failures, whose prompts are sent again."""
        with self._lock:
            self.done -= failures
            self.failures -= failures

    def copy(self) -> BatchUsage:
        """Return what has been counted so far, without half of a result."""
        with self._lock:
            return replace(self, answered_by=dict(self.answered_by), _lock=threading.Lock())

    def in_words(self) -> str:
        """Return how many answers there are, and how many failures."""
        now = self.copy()
        answers = counted(now.done - now.failures, "answer")
        return f"{answers} and {counted(now.failures, 'failure')}" if now.failures else answers

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as a dict."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if not name.startswith("_")}


class Estimate(NamedTuple):
    """What a batch would send, roughly.

    :param calls: how many prompts would be sent
    :param stored: how many answers are in the store
    :param prompt_tokens: the tokens of the prompts that would be sent, at four bytes of UTF-8 each, with the schemas
        and the tools that go with them
    :param completion_tokens: the most tokens that their answers can have; None unless ``max_tokens`` limits all of them
    :param cost: what these tokens cost in US dollars; None if a price is not known, or the extra ``prices`` is not
        installed
    :param prompts_only: whether the cost is that of the prompts only, because nothing limits some answers
    :param unused: how many further answers are in the store: to other prompts, or to these of another provider, URL,
        key or model, or with other options
    :param of_other_keys: how many of the prompts to send have an answer there by another key, which ``any_key`` uses
    :param largest: the tokens of the largest of these prompts
    :param repeated: how many of these prompts are equal to one before them, and are sent nevertheless
    :param models: the models that would be asked, of a chain the one that is asked first; without those that a server
        chooses
    :param first: the provider that a chain asks first, whose price counts; "" without a chain
    :param by_others: how many of the stored answers other providers of the chain gave than the first, by their names
    """

    calls: int
    stored: int
    prompt_tokens: int
    completion_tokens: int | None
    cost: float | None = None
    prompts_only: bool = False
    unused: int = 0
    of_other_keys: int = 0
    largest: int = 0
    repeated: int = 0
    models: tuple[str, ...] = ()
    first: str = ""
    by_others: dict[str, int] = {}  # noqa: RUF012  which nobody changes

    def in_words(self, failed: int = 0, skipped: int = 0) -> str:
        """Say what would be sent, to which model and at what price.

        :param failed: how many prompts have failed for good, so that they are neither sent nor stored
        :param skipped: how many rows were left out, because they are empty
        """
        repeated = f" ({self.repeated:,} of them repeated)" if self.repeated else ""
        known = f"{counted(self.stored, 'answer')} stored"
        others = " and ".join(f"{number:,} by {name}" for name, number in self.by_others.items())
        known += f" ({others})" if others else ""
        known += f", {failed:,} failed" if failed else ""
        known += f", {counted(skipped, 'empty row')} not sent" if skipped else ""
        largest = f" (the largest has {self.largest:,})" if self.calls > 1 else ""
        tokens = f"about {counted(self.prompt_tokens, 'token')} of prompts{largest}"
        longest = self.completion_tokens
        most = "" if longest is None else f", at most {longest:,} tokens of answers"
        price = f"; {self._price_in_words()}" if self.calls else ""
        return f"{counted(self.calls, 'prompt')} to send{repeated}, {known}; {tokens}{most}{price}"

    def _price_in_words(self) -> str:
        models = ", ".join(self.models[:3]) + (" and others" if len(self.models) > 3 else "")
        if self.first:
            models = f"{models} of {self.first}, asked first" if models else f"{self.first}, asked first"
        if self.cost is None:
            price = "no price known; give price=(P, A)"
        elif self.cost:
            only = " for the prompts only: max_tokens= limits the answers" if self.prompts_only else ""
            price = f"{dollars(self.cost)}{only}"
        else:
            price = "costs nothing"
        return f"{models}: {price}" if models else price

    def __str__(self) -> str:
        if not self.unused or not self.calls:
            return self.in_words()
        others = "to other prompts, or of another provider, URL, key or model, or with other options"
        return f"{self.in_words()}; the store has {counted(self.unused, 'answer')} more: {others}"


def estimate_of(
    tasks: Iterable[tuple[Task, Result[Any] | None]], calls: Calls, unused: int = 0, of_other_keys: int = 0
) -> Estimate:
    """Estimate what prompts would take.

    :param tasks: each prompt, and its result if that is known: an answer in the store, or a failure for good
    :param calls: knows what is sent, and the prices
    :param unused: how many answers in the store are to other questions
    :param of_other_keys: how many prompts have an answer in the store by another key
    """
    stored = 0
    left: list[tuple[int, int | None]] = []  # the tokens of each prompt, and the most of its answer
    priced: dict[Any, tuple[Task, Usage]] = {}  # the tokens of each model of each provider
    seen: set[bytes] = set()
    firsts: dict[Any, str] = {}  # who is asked first
    by_others: Counter[str] = Counter()
    for task, result in tasks:
        kind = (task.prompt.model, id(task.provider))
        if result is not None:
            stored += result.error is None
            if kind not in firsts:
                firsts[kind] = calls.asked_first(task.prompt, task.provider)
            if result.error is None and firsts[kind] not in ("", result.provider):
                by_others[result.provider or ""] += 1
            continue
        most, tokens = longest_answer(task.prompt), calls.tokens(task.prompt, task.provider)
        left.append((tokens, most))
        seen.add(digest_of(task.prompt, str(kind)))
        so_far = priced[kind][1] if kind in priced else Usage(0, 0, 0)
        sums = (so_far.prompt_tokens + tokens, so_far.completion_tokens + (most or 0))
        priced[kind] = task, Usage(*sums, sum(sums))
    costs = [calls.cost(task.prompt, task.provider, usage) for task, usage in priced.values()]
    mosts = [most for _, most in left]
    return Estimate(
        len(left),
        stored,
        sum(tokens for tokens, _ in left),
        None if None in mosts else sum(most or 0 for most in mosts),
        None if None in costs else sum(cost or 0.0 for cost in costs),
        None in mosts,
        unused,
        of_other_keys,
        max((tokens for tokens, _ in left), default=0),
        len(left) - len(seen),
        _each(calls.model, priced.values()),
        " and ".join(_each(calls.asked_first, priced.values())),
        dict(sorted(by_others.items())),
    )


def _each(of: Callable[[Prompt, Any], str], priced: Iterable[tuple[Task, Usage]]) -> tuple[str, ...]:
    """Return what is not "" of the prompts, each once, in order."""
    return tuple(dict.fromkeys(filter(None, (of(task.prompt, task.provider) for task, _ in priced))))


def told_of_failures(results: Sequence[Result[Any]]) -> str:
    """Say how many prompts failed, and why the first of them did; nothing if none failed."""
    failed = [result for result in results if result.error is not None]
    return f"{len(failed):,} of {counted(len(results), 'prompt')} failed: {failed[0].error_text:.300}" if failed else ""


def told_of_fallbacks(results: Sequence[Result[Any]]) -> str:
    """Say how many answers came from another provider than the first of a chain, and why; nothing if none did."""
    others = [result for result in results if result.passed_over]
    if not others:
        return ""
    name, reason = next(iter(others[0].passed_over.items()))
    answers = counted(sum(result.error is None for result in results), "answer")
    return f"providers other than {name} gave {len(others):,} of {answers}: {reason:.300}"


def told_of_no_answers(results: Iterable[Result[Any]]) -> str:
    """Say how many texts are refusals or cut, which look like others, and how many answers have no text."""
    given = [result for result in results if result.error is None]
    refused, cut = sum(result.refusal is not None for result in given), sum(result.is_cut for result in given)
    told = [f"the model refused {counted(refused, 'prompt')}"] if refused else []
    told += [f"{counted(cut, 'answer')} was cut" if cut == 1 else f"{counted(cut, 'answer')} were cut"] if cut else []
    empty = sum(result.text == "" for result in given)
    told += [f"{counted(empty, 'answer')} {'has' if empty == 1 else 'have'} no text"] if empty else []
    return " and ".join(told)


def told_of_others(store: str | os.PathLike[str], unused: int, calls: int, of_other_keys: int = 0) -> str:
    """Say that answers in a store are to other questions, and how many prompts are sent nevertheless.

    :param of_other_keys: how many of these have an answer there that differs by the key only
    """
    other_key = f"; {of_other_keys:,} of them have an answer there by another key, which any_key=True uses"
    return (
        f"{store} has {counted(unused, 'answer')} to other questions than these: another prompt, provider, "
        f"URL, key, model, type or option makes another question, and {counted(calls, 'prompt')} will be sent"
        f"{other_key if of_other_keys else ''}"
    )


def told_of_sharing(store: str | os.PathLike[str]) -> str:
    """Say that another program asks the same prompts, and what to do."""
    return (
        f"another program asks the same prompts with the store {store}, and both pay for those that both have in "
        "progress; stop one of them, or give each a part of the prompts"
    )


def knows_time_left(answered: int, in_progress: int) -> bool:
    """Return whether as many answers have come as are in progress: the first one looks as if there were one worker."""
    return answered >= in_progress


def told_of_pause(seconds: float, outage: float = 0.0) -> str:
    """Say for how long nothing is sent, and why; nothing if calls are sent.

    :param outage: the seconds for which the service has been out of reach
    """
    if outage > 0:
        again = f", tried again in {duration(max(1, seconds))}" if seconds > 0 else ""
        return f"out of reach for {duration(max(1, outage))}{again}"
    return f"paused by the service for {duration(max(1, seconds))}" if seconds > 0 else ""


def told_of_pace(pace: float | None) -> str:
    """Say how many calls a second are sent at most; nothing if nothing waits for that."""
    return "" if pace is None else f"paced at {pace:.1f}/s"


def dollars(cost: float) -> str:
    """Return an amount, with as many digits as a small one needs."""
    if not cost:
        return "$0"
    if cost < 0.0001:
        return "less than $0.0001"
    return f"about ${cost:,.2f}" if cost >= 1 else f"about ${cost:.2g}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 prompt`` and ``1,200 prompts``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
