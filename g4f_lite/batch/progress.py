"""The progress of a batch, shown by tqdm where somebody looks."""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

from ..answers.display import in_notebook
from ..errors import MissingDependencyError
from .result import Result
from .summary import told_of_pause

# What is shown during a pause, instead of a rate and a time left that would know nothing of it.
_PAUSED = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
_PAUSED_WITHOUT_TOTAL = "{n_fmt} {unit} [{elapsed}{postfix}]"


class Progress:
    """Shows how many prompts are done, how many failed, the rate, tokens a minute, the time left, and pauses.

    :param wanted: True, False, or None to show it in a terminal and in a notebook, if tqdm is installed
    :param total: how many prompts there are; None if that is not known
    :param done: how many are done already
    :raises MissingDependencyError: if ``wanted`` is True, and tqdm is not installed
    """

    def __init__(self, wanted: bool | None, total: int | None, done: int = 0) -> None:
        self._bar: Any = None
        self._failed = self._tokens = 0
        self._told = ""  # of a pause
        self._began_at = time.monotonic()
        looks = in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
        if wanted is False or (wanted is None and not looks):
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about a notebook without widgets, in which it writes text
                from tqdm.auto import tqdm

                self._bar = tqdm(total=total, initial=done, unit="prompt", dynamic_ncols=True)
        except ModuleNotFoundError as error:
            if wanted:
                raise MissingDependencyError('progress=True needs tqdm: pip install "g4f-lite[batch]"') from error

    def add(self, result: Result[Any]) -> None:
        """Count a result; one call at a time."""
        if self._bar is None:
            return
        self._failed += result.error is not None
        if result.usage is not None and not result.is_stored:
            self._tokens += result.usage.total_tokens
        self._show(1)

    def pause(self, seconds: float) -> None:
        """Show for how long the service has asked to wait; 0 if it has not, or not any more."""
        told = told_of_pause(seconds)
        if self._bar is None or told == self._told:
            return
        self._told = told
        self._bar.bar_format = (_PAUSED if self._bar.total else _PAUSED_WITHOUT_TOTAL) if told else None
        self._show(0)

    def _show(self, more: int) -> None:
        """Show how far the batch is.

        :param more: how many prompts are done since
        """
        shown = {"failed": self._failed} if self._failed else {}
        if self._tokens:
            shown["tokens/min"] = round(self._tokens * 60 / max(0.001, time.monotonic() - self._began_at))
        parts = [*(f"{name}={value}" for name, value in shown.items()), self._told]
        try:
            self._bar.set_postfix_str(", ".join(filter(None, parts)), refresh=not more)
            self._bar.update(more)
        except (OSError, ValueError):  # nobody reads standard error any more
            self._bar = None

    def close(self) -> None:
        """Leave what is shown as it is."""
        if self._bar is not None:
            self._bar.close()
