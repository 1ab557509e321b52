"""A terminal with its scroll-back, which breaks lines anew when it is resized, as most terminals do."""

from __future__ import annotations

import io
from typing import Any

import pyte


class Screen(io.StringIO):
    """A file that plays what is written to it on a terminal, which must not be erased from its first row on.

    tmux moves a screen that is erased so to its scroll-back, where it is repeated for each time it is drawn.
    """

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._broken: set[int] = set()  # rows that continue the one above, from the first of the scroll-back on
        self._show(width, height)
        self.erased = 0

    def _show(self, width: int, height: int) -> None:
        self._screen = pyte.HistoryScreen(width, height, history=100_000, ratio=0.5)
        self._stream = pyte.Stream(self._screen)

    def write(self, text: str) -> int:
        """Play what a program writes; the terminal makes a newline of each line feed."""
        for part in text.replace("\x1b[J", "\0\x1b[J").split("\0"):
            if part.startswith("\x1b[J"):
                assert self._screen.cursor.y > 0, "the whole screen is erased"
                first = len(self._screen.history.top) + self._screen.cursor.y
                self._broken = {row for row in self._broken if row < first}
                self.erased += 1
            self._stream.feed(part.replace("\n", "\r\n"))
        return len(text)

    def isatty(self) -> bool:
        """Return True."""
        return True

    def resize(self, width: int, height: int) -> None:
        """Break all lines at the new width; the cursor is below them, and what does not fit scrolls off."""
        lines = self.lines()
        self._show(width, height)
        self._broken.clear()
        row = 0
        for line in lines:
            for start in range(width, len(line), width):
                self._broken.add(row + start // width)
            row += max(1, -(-len(line) // width))
            self._stream.feed(line + "\r\n")

    def lines(self) -> list[str]:
        """Return the lines above the cursor as they were written."""
        rows = [*self._screen.history.top, *(self._screen.buffer[row] for row in range(self._screen.cursor.y))]
        lines: list[str] = []
        for number, row in enumerate(rows):
            text = self._text(row)
            if number in self._broken:
                lines[-1] = lines[-1].ljust(self._screen.columns) + text
            else:
                lines.append(text)
        return lines

    def _text(self, row: Any) -> str:
        return "".join(row[column].data for column in range(self._screen.columns)).rstrip()
