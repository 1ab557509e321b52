"""The progress of a batch, shown where somebody looks: in a notebook's cell, or by tqdm in a terminal."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

from ..answers.display import LiveOutput, in_notebook
from ..errors import MissingDependencyError
from .result import Result
from .summary import counted

_BAR_CHARACTERS = 20


class CellBar:
    """A bar in a notebook's cell; tqdm's needs ipywidgets, and is many lines of red text without them.

    It has what a batch uses of a bar of tqdm.

    :param total: how many prompts there are; None if that is not known
    :param done: how many are done already
    """

    def __init__(self, total: int | None, done: int) -> None:
        self._total = total
        self._done = self._done_before = done
        self._postfix = ""
        self._began_at = time.monotonic()
        self._output = LiveOutput()
        self._output.draw(self._text)

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        """Show a text beside the bar, when it is drawn the next time."""
        self._postfix = text

    def update(self, more: int) -> None:
        """Count so many more."""
        self._done += more
        self._output.draw(self._text)

    def close(self) -> None:
        """Leave what is shown as it is, without the time left."""
        self._output.draw(lambda: self._text(is_over=True))
        self._output.end()

    def _text(self, is_over: bool = False) -> str:
        prompts = counted(self._done, "prompt")
        parts = [self._postfix] if self._postfix else []
        if self._total is not None:
            full = self._done * _BAR_CHARACTERS // max(1, self._total)
            bar = f"`{'█' * full}{'░' * (_BAR_CHARACTERS - full)}` "
            prompts = f"{bar}{self._done:,} of {counted(self._total, 'prompt')}"
            answered, left = self._done - self._done_before, self._total - self._done
            if answered and left and not is_over:
                seconds = round((time.monotonic() - self._began_at) / answered * left)
                parts.append(f"{timedelta(seconds=seconds)} left")
        return ", ".join([prompts, *parts])


class Progress:
    """Shows how many prompts are done, how many failed, tokens a minute, and the time left.

    :param wanted: True, False, or None to show it in a notebook and, if tqdm is installed, in a terminal
    :param total: how many prompts there are; None if that is not known
    :param done: how many are done already
    :raises MissingDependencyError: if ``wanted`` is True outside of a notebook, and tqdm is not installed
    """

    def __init__(self, wanted: bool | None, total: int | None, done: int = 0) -> None:
        self._bar: Any = None
        self._failed = self._tokens = 0
        self._began_at = time.monotonic()
        if wanted is False:
            return
        if in_notebook():
            self._bar = CellBar(total, done)
            return
        if wanted is None and not (sys.stderr is not None and sys.stderr.isatty()):
            return
        try:
            from tqdm import tqdm

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
        shown = {"failed": self._failed} if self._failed else {}
        if self._tokens:
            shown["tokens/min"] = round(self._tokens * 60 / max(0.001, time.monotonic() - self._began_at))
        try:
            self._bar.set_postfix_str(", ".join(f"{name}={value}" for name, value in shown.items()), refresh=False)
            self._bar.update(1)
        except (OSError, ValueError):  # nobody reads standard error any more
            self._bar = None

    def close(self) -> None:
        """Leave what is shown as it is."""
        if self._bar is not None:
            self._bar.close()
