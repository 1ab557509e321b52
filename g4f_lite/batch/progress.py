"""The progress of a batch, shown where somebody looks: in a notebook's cell, or by tqdm in a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..answers.display import LiveOutput
from ..answers.ipython import in_notebook
from ..arguments import warn
from ..errors import MissingDependencyError
from .result import Result
from .summary import counted, dollars, knows_time_left, told_of_pace, told_of_pause

_BAR_CHARACTERS = 20
_COST_SECONDS = 1.0  # between two looks at what the calls have cost
LONG_PAUSE = 60.0  # a longer pause is a warning where no progress is shown
_DOUBT_SECONDS = 1.0  # that a pause may last only until another provider of a chain answers
_TICK_SECONDS = 1.0  # between two states of a bar while no result comes
# What tqdm shows in place of a rate and a time left: in a pause, and as long as they are not known.
_NO_TIME_LEFT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
_NO_TIME_LEFT_WITHOUT_TOTAL = "{n_fmt} {unit} [{elapsed}{postfix}]"


class CellBar:
    """A bar in a notebook's cell; tqdm's needs ipywidgets, and is many lines of red text without them.

    It has what a batch uses of a bar of tqdm.

    :param total: how many prompts there are; None if that is not known
    :param done: how many are done already
    :ivar bar_format: None while the time left is known
    """

    def __init__(self, total: int | None, done: int) -> None:
        self.total = total
        self.bar_format: str | None = None
        self._done = self._done_before = done
        self._postfix = ""
        self._began_at = self._counted_at = time.monotonic()
        self._output = LiveOutput()
        self._output.draw(self._text)

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        """Show a text beside the bar.

        :param refresh: whether it is drawn now, or with the next update
        """
        self._postfix = text
        if refresh:
            self._output.draw(self._text)

    def update(self, more: int) -> None:
        """Count so many more."""
        self._done += more
        self._counted_at = time.monotonic()
        self._output.draw(self._text)

    def close(self) -> None:
        """Leave what is shown as it is, without the time left."""
        self._output.draw(lambda: self._text(is_over=True))
        self._output.end()

    def _text(self, is_over: bool = False) -> str:
        prompts = counted(self._done, "prompt")
        parts = [self._postfix] if self._postfix else []
        if self.total is not None:
            full = self._done * _BAR_CHARACTERS // max(1, self.total)
            bar = f"`{'█' * full}{'░' * (_BAR_CHARACTERS - full)}` "
            prompts = f"{bar}{self._done:,} of {counted(self.total, 'prompt')}"
        now = time.monotonic()
        if not is_over and now >= self._began_at + _TICK_SECONDS:
            parts.append(f"{timedelta(seconds=int(now - self._began_at))} so far")
        if not is_over and self.total is not None and self.bar_format is None:
            answered, left = self._done - self._done_before, self.total - self._done
            if answered and left:  # it runs down until the next answer
                seconds = round((self._counted_at - self._began_at) / answered * left - (now - self._counted_at))
                parts += [f"{timedelta(seconds=seconds)} left"] if seconds > 0 else []
        return ", ".join([prompts, *parts])


class Progress:
    """Shows how many prompts are done, in progress and failed, tokens a minute, the cost, the times, pace and pauses.

    :param wanted: True, False, or None to show it in a notebook and, if tqdm is installed, in a terminal
    :param total: how many prompts there are; None if that is not known
    :param done: how many are done already
    :param spent: gives what calls have cost until now, and how many of them have no known price
    :param pace: gives the calls a second that are sent at most; None if nothing waits for that
    :raises MissingDependencyError: if ``wanted`` is True outside of a notebook, and tqdm is not installed
    """

    def __init__(
        self,
        wanted: bool | None,
        total: int | None,
        done: int = 0,
        spent: Callable[[], tuple[float, int]] = lambda: (0.0, 0),
        pace: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._spent, self._pace = spent, pace
        self._spent_before = (0.0, 0)
        self._cost = ""  # and when it is looked for again
        self._cost_until = -math.inf
        self._bar: Any = None
        self._answered = self._failed = self._tokens = self._in_progress = 0
        self._told = ""  # of a pause
        self._warns = wanted is None  # of a long pause, once
        self._long_since = math.inf  # when a long pause was first seen
        self._began_at = time.monotonic()
        self._tick_at = math.inf  # when a bar is drawn again though no result has come
        if wanted is False:
            return
        if in_notebook():
            self._bar = CellBar(total, done)
            self._spent_before = spent()
            self._tick_at = self._began_at + _TICK_SECONDS
            return
        is_watched = sys.stderr is not None and sys.stderr.isatty()
        if wanted is None and not is_watched:
            return
        try:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="prompt", dynamic_ncols=True)
            self._spent_before = spent()
            if is_watched:  # a log would have a line for each time
                self._tick_at = self._began_at + _TICK_SECONDS
        except ModuleNotFoundError as error:
            if wanted:
                raise MissingDependencyError('progress=True needs tqdm: pip install "g4f-lite[batch]"') from error

    def add(self, result: Result[Any]) -> None:
        """Count a result; one call at a time."""
        if self._bar is None:
            return
        self._answered += not result.is_stored
        self._failed += result.error is not None
        if result.usage is not None and not result.is_stored:
            self._tokens += result.usage.total_tokens
        self._show(1)

    def tick(self, paused: float, outage: float = 0.0, in_progress: int = 0) -> None:
        """Show how far the batch is while no result comes.

        :param paused: the seconds that nothing is sent; 0 if calls are sent
        :param outage: the seconds for which the service has been out of reach
        :param in_progress: how many prompts the workers have
        """
        told = told_of_pause(paused, outage)
        if paused <= LONG_PAUSE:
            self._long_since = math.inf
        elif self._bar is None and self._warns:
            self._long_since = min(self._long_since, time.monotonic())
            if time.monotonic() < self._long_since + _DOUBT_SECONDS:
                return
            self._warns = False
            warn(f"the batch is {told}; max_pause= limits such a wait, and progress=True shows it")
        self._in_progress = in_progress
        is_due = time.monotonic() >= self._tick_at
        if self._bar is None or not (is_due or told != self._told):
            return
        if is_due:
            self._tick_at = time.monotonic() + _TICK_SECONDS
        self._told = told
        self._show(0)

    def _show(self, more: int) -> None:
        """Show how far the batch is.

        :param more: how many prompts are done since
        """
        has_time_left = not self._told and knows_time_left(self._answered, self._in_progress)
        without = _NO_TIME_LEFT if self._bar.total else _NO_TIME_LEFT_WITHOUT_TOTAL
        self._bar.bar_format = None if has_time_left else without
        shown = {"failed": self._failed} if self._failed else {}
        if self._tokens:
            shown["tokens/min"] = round(self._tokens * 60 / max(0.001, time.monotonic() - self._began_at))
        parts = [f"{self._in_progress:,} in progress"] if self._in_progress and not self._told else []
        parts += [*(f"{name}={value}" for name, value in shown.items()), self._told_of_cost()]
        parts.append(self._told or told_of_pace(self._pace()))
        try:
            self._bar.set_postfix_str(", ".join(filter(None, parts)), refresh=not more)
            if more:  # of none, another thread could lose what this one counts
                self._bar.update(more)
        except (OSError, ValueError):  # nobody reads standard error any more
            self._bar = None

    def _told_of_cost(self) -> str:
        """Say what the calls have cost since the beginning, at least; nothing if that is not known of any."""
        if time.monotonic() >= self._cost_until:
            (cost, unpriced), (cost_before, unpriced_before) = self._spent(), self._spent_before
            more = " or more" if unpriced > unpriced_before else ""
            self._cost = f"{dollars(cost - cost_before)}{more}" if cost > cost_before else ""
            self._cost_until = time.monotonic() + _COST_SECONDS
        return self._cost

    def close(self) -> None:
        """Leave what is shown as it is, with nothing in progress."""
        self._in_progress = 0
        if self._bar is not None:
            self._show(0)
        if self._bar is not None:
            self._bar.close()
