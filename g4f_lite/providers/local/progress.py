"""Shows on a terminal how far a download is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_SECONDS = 0.2
CLEAR_LINE = "\r\033[K"


class ProgressLine:
    """A line that is written again and again: how much is here, the speed, and the time that is left.

    :param out: where to write
    :param clock: gives seconds
    """

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._drawn = 0.0

    def __call__(self, here: int, total: int | None) -> None:
        """Show that so many bytes are here, of so many in all."""
        now = self._clock()
        began, first = self._began = self._began or (now, here)
        if now - self._drawn < REDRAW_SECONDS and here != total:
            return
        self._drawn = now
        speed = (here - first) / (now - began) if now > began else 0.0
        text = f"{here / 1e6:.0f} MB" if total is None else f"{here / 1e6:.0f} of {total / 1e6:.0f} MB"
        if speed:
            text += f", {speed / 1e6:.1f} MB/s"
            if total is not None:
                minutes, seconds = divmod(round((total - here) / speed), 60)
                text += f", {minutes}:{seconds:02} left"
        self._out.write(CLEAR_LINE + text)
        self._out.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._out.write(CLEAR_LINE)
            self._out.flush()


def progress_line() -> ProgressLine | None:
    """Return a line on standard error; None where that is not a terminal."""
    return ProgressLine(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else None
