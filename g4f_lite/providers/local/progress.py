"""Shows on a terminal, or in a notebook, how far a download is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from ...answers.display import LiveOutput
from ...answers.interruption import Interrupted
from ...answers.ipython import in_notebook

REDRAW_SECONDS = 0.2
CLEAR_LINE = "\r\033[K"


class Pace:
    """Says how far a download is: how much is here, the speed, and the time that is left."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def text(self, now: float, here: int, total: int | None) -> str:
        """Say that so many bytes are here, of so many in all.

        :param now: the time, in seconds
        """
        began, first = self._began = self._began or (now, here)
        speed = (here - first) / (now - began) if now > began else 0.0
        text = f"{here / 1e6:.0f} MB" if total is None else f"{here / 1e6:.0f} of {total / 1e6:.0f} MB"
        if speed:
            text += f", {speed / 1e6:.1f} MB/s"
            if total is not None and here < total:
                minutes, seconds = divmod(round((total - here) / speed), 60)
                text += f", {minutes}:{seconds:02} left"
        return text


class ProgressLine:
    """A line on a terminal that is written again and again.

    :param out: where to write
    :param clock: gives seconds
    """

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._pace = Pace()
        self._drawn = 0.0

    def __call__(self, here: int, total: int | None) -> None:
        """Show that so many bytes are here, of so many in all."""
        now = self._clock()
        text = self._pace.text(now, here, total)
        if now - self._drawn < REDRAW_SECONDS and here != total:
            return
        self._drawn = now
        self._out.write(CLEAR_LINE + text)
        self._out.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._out.write(CLEAR_LINE)
            self._out.flush()


class ProgressCell:
    """An output of a notebook's cell, which stays as it is at the end."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._output = LiveOutput()

    def __call__(self, here: int, total: int | None) -> None:
        """Show that so many bytes are here, of so many in all."""
        text = f"Downloading the model: {self._pace.text(time.monotonic(), here, total)}"
        self._output.draw(lambda: text)

    def end(self) -> None:
        """Show the end."""
        self._output.end()

    def interrupted(self) -> Interrupted:
        """Show that the user has interrupted the download, and return the interrupt as one line."""
        self._output.draw(lambda: "Downloading the model: interrupted")
        self._output.end()
        return Interrupted("the download of the model was interrupted; run the cell again")


Shown = TypeVar("Shown", ProgressLine, ProgressCell, ProgressLine | ProgressCell | None)


@contextmanager
def noted(size: int) -> Iterator[None]:
    """Show in a notebook's cell that a download runs that another program does, which tells a terminal itself.

    :raises Interrupted: if the user interrupts it there
    """
    if not in_notebook():
        yield
        return
    with ended(ProgressCell()) as cell:
        cell(0, size)
        yield
        cell(size, size)


@contextmanager
def ended(shown: Shown) -> Iterator[Shown]:
    """End at the end of a ``with`` block what shows a download in it.

    :raises Interrupted: if the user interrupts it in a notebook
    """
    try:
        yield shown
    except KeyboardInterrupt as error:
        if isinstance(shown, ProgressCell):
            raise shown.interrupted() from error
        raise
    finally:
        if shown is not None:
            shown.end()


def progress_shown() -> ProgressLine | ProgressCell | None:
    """Return an output of the notebook's cell, or else a line on standard error; None where that is not a terminal."""
    if in_notebook():
        return ProgressCell()
    return ProgressLine(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else None
