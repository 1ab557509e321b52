"""Who answers rows of ``g4f-lite batch`` in the place of the first provider, why, and how they are asked again."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..batch.result import Result
from ..batch.summary import counted
from ..errors import G4FLiteError, QuotaExceededError, RateLimitError
from .failure import one_line
from .options import OR_KEY, told_of_members

MOST_REASONS = 3  # that are told of each provider that did not answer
_FAILED_BEFORE = "skipped, because it failed before"
# What differs between failures for the same reason; a status does not.
_DETAILS = re.compile(r" \(\d+ attempts in [\d.]+ s\)|(?<!status )(?<![\d.])\d+(?:\.\d+)?|'[^']*'")


def kind_of(reason: str) -> str:
    """Return a reason without what differs between failures for the same one, such as numbers of tokens."""
    return _DETAILS.sub("", reason)


class Fallbacks:
    """Counts why the first provider of a chain did not answer rows, and says who answered in its place.

    :param first: its name
    :param is_kept: whether the answers are in a store, so that they can be asked again
    :param fresh: whether the command asks again for all that is stored
    :param paced: whether the command has a limit of requests per minute
    """

    def __init__(self, first: str, *, is_kept: bool, fresh: bool = False, paced: bool = False) -> None:
        self._first = first
        self._is_kept = is_kept
        self._how = "without --fresh and with" if fresh else "with"
        self._slower = "a smaller --rpm" if paced else "--rpm N, the most requests per minute,"
        self._is_limited = False  # whether a rate limit was a reason
        self._lock = threading.Lock()
        self._noted: set[str] = set()  # of whom a note has said that they answer
        # Of each that did not answer, how often for each kind of reason, and the first one in words.
        self._times: dict[str, Counter[str]] = {}
        self._words: dict[tuple[str, str], str] = {}

    def teller(self, tell: Callable[[str], object]) -> Callable[[list[G4FLiteError], str], None]:
        """Return an ``on_fallback`` for the chain, which says that another provider answers, and why, once of each.

        :param tell: takes what is said, from any thread
        """

        def on_fallback(errors: list[G4FLiteError], answering: str) -> None:
            with self._lock:
                is_news = answering not in self._noted
                self._noted.add(answering)
                self._is_limited = self._is_limited or any(map(_is_rate_limit, errors))
            if is_news and answering != self._first:  # which may have been waited for
                told = [*told_of_members(errors).values()] or [f"{self._first} is skipped"]
                again = self._again([answering], "such rows")
                again += " later" if again else ""
                tell(f"{'; '.join(told)}, and {answering} answers instead{again}{self._pace()}")

        return on_fallback

    def add(self, result: Result[Any]) -> None:
        """Count why others did not give an answer."""
        if result.provider == self._first:
            return
        for name, reason in result.passed_over.items():
            kind = _FAILED_BEFORE if reason.startswith(_FAILED_BEFORE) else kind_of(reason)
            self._times.setdefault(name, Counter())[kind] += 1
            self._words.setdefault((name, kind), _told(name, reason))

    def told(self, answers: Mapping[str, int]) -> str:
        """Say how many answers others gave, and how they are asked again; nothing if there are none.

        :param answers: how many answers each provider has given, now or before
        """
        others = self._others(answers)
        if not others:
            return ""
        number = sum(others.values())
        given = " and ".join(f"{name} gave {number:,}" for name, number in others.items())
        again = self._again(others, "it" if number == 1 else f"these {number:,}")
        return f"{given} of {counted(sum(answers.values()), 'answer')}{again}{self._pace()}"

    def told_with_reasons(self, answers: Mapping[str, int]) -> str:
        """Say it with the reasons why others did not answer, as far as they are known."""
        return "; ".join(filter(None, [self.told(answers), *self._reasons(sum(self._others(answers).values()))]))

    def _others(self, answers: Mapping[str, int]) -> dict[str, int]:
        return {name: number for name, number in sorted(answers.items()) if name != self._first}

    def _again(self, names: Iterable[str], what: str) -> str:
        """Say with which options the command asks again for what some providers gave; nothing without a store."""
        if not self._is_kept:
            return ""
        options = " ".join(map(rejecting, names))
        return f"; the same command {self._how} {options} asks for {what} again"

    def _pace(self) -> str:
        """Say how the command stays within a rate limit; nothing if none was a reason."""
        return f"; {self._slower} keeps the command within the rate limit" if self._is_limited else ""

    def _reasons(self, answers: int) -> list[str]:
        """Say why each did not answer; how often, unless it was for each of so many answers."""
        told = []
        for name, times in self._times.items():
            kinds = times.copy()
            if len(kinds) > 1:  # one that is skipped failed before, for the reason that is there most often
                before = kinds.pop(_FAILED_BEFORE, 0)
                kinds[kinds.most_common(1)[0][0]] += before
            for kind, number in kinds.most_common(MOST_REASONS):
                often = "" if number == answers else f", {counted(number, 'time')}"
                told.append(f"{self._words[name, kind]}{often}")
        return told


def rejecting(name: str) -> str:
    """Return the option that asks again for what a provider gave, in quotes where its name needs them."""
    return f"--reject-provider {name}" if name.isalnum() else f'--reject-provider "{name}"'


def _is_rate_limit(error: G4FLiteError) -> bool:
    return isinstance(error, RateLimitError) and not isinstance(error, QuotaExceededError)


def _told(name: str, reason: str) -> str:
    told = one_line(reason.removesuffix(OR_KEY).rstrip("."))
    return f"{name} is {told}" if reason.startswith("skipped") else f"{name} did not answer ({told})"
