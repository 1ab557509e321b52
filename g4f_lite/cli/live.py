"""Markdown on a terminal, whose last block is drawn again as it grows."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.console import Console

from ..errors import sanitize
from .markdown import Block, blocks, split

_STYLE = re.compile(r"\x1b\[[\d;]*m")
_BLANK_END = re.compile(r"(?:\x1b\[[\d;]*m| )+$")


class LiveMarkdown:
    """Writes each block of Markdown once, when it is complete, and until then draws what there is of it::

        live = LiveMarkdown(Console())
        live.add("# Colo")
        live.draw()
        live.add("urs")
        live.end()

    Only lines of the last block are ever erased. As many of them are drawn as fit the screen, since lines that have
    scrolled off it cannot be erased.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._complete: list[Block] = []  # blocks that are not written yet
        self._pieces: list[str] = []  # of the text after them
        self._is_first = True
        self._drawn: list[str] = []  # lines of the last block that are on the screen

    def add(self, piece: str) -> None:
        """Add a piece of the text."""
        self._pieces.append(sanitize(piece))

    def add_block(self, markdown: str) -> None:
        """End the last block, and add Markdown that stands by itself."""
        self._complete += blocks("".join(self._pieces)) + blocks(sanitize(markdown))
        self._pieces.clear()

    def begin_anew(self) -> None:
        """Leave what was drawn as it is, because other lines have come below it, and draw the last block once more."""
        self._drawn = []

    def draw(self) -> None:
        """Write the blocks that are complete by now, and draw the last one."""
        more, rest = split("".join(self._pieces))
        self._complete += more
        self._pieces = [rest]
        self._update(blocks(rest))

    def end(self) -> None:
        """Write what has not been written yet."""
        self.add_block("")
        self._update([])

    def _update(self, last: list[Block]) -> None:
        """Replace what was drawn by the complete blocks and the last one."""
        written = self._lines(self._complete)
        self._complete.clear()
        self._is_first = self._is_first and not written
        drawn = self._lines(last)
        drawn = drawn[max(0, len(drawn) + 1 - self._console.height) :]  # the cursor is on the line below
        width = self._console.width
        same = _length_of_common_start(self._drawn, written + drawn)
        # A terminal that has become narrower has broken the lines in two that are now too long.
        height = sum(max(1, -(-cell_len(_STYLE.sub("", line)) // width)) for line in self._drawn[same:])
        changes = "".join(f"{line}\n" for line in (written + drawn)[same:])
        if height:  # the first line by itself: tmux moves a screen that is erased from its first row to the scroll-back
            changes = f"\x1b[{height}A\r\x1b[K\n\x1b[J\x1b[A{changes}"
        self._drawn = drawn
        if changes:
            self._console.file.write(changes)
            self._console.file.flush()

    def _lines(self, parts: list[Block]) -> list[str]:
        """Render blocks, with a blank line before each except the first of the answer."""
        lines: list[str] = []
        for block in parts:
            with self._console.capture() as captured:
                self._console.print(block)
            rendered = [_without_blank_end(line) for line in captured.get().split("\n")]
            filled = [number for number, line in enumerate(rendered) if line]
            if filled:
                lines += [""] * (bool(lines) or not self._is_first) + rendered[filled[0] : filled[-1] + 1]
        return lines


def _without_blank_end(line: str) -> str:
    """Remove spaces, since terminals differ in whether they break a line where its text ends or where these do."""
    text = _BLANK_END.sub("", line)
    return f"{text}\x1b[0m" if "\x1b" in text else text


def _length_of_common_start(left: list[str], right: list[str]) -> int:
    for number, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return number
    return min(len(left), len(right))
