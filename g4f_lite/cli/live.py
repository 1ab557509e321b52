"""Markdown on a terminal, whose last block is drawn again as it grows."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.console import Console

from ..errors import sanitize
from .markdown import MAX_TOKENS, Block, blocks, split

MAX_BLOCK = 64_000  # characters of a block that is parsed
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

    What would take long is written as it is: a block that is too long, and what comes after it; and the end of an
    answer of very many parts.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._complete: list[Block] = []  # blocks that are not written yet
        self._pieces: list[str] = []  # of the text after them
        self._room = MAX_TOKENS  # for what can still be rendered
        self._is_plain = False  # whether the rest is written as it is
        self._is_first = True
        self._drawn: list[str] = []  # lines of the last block that are on the screen

    def add(self, piece: str) -> None:
        """Add a piece of the text."""
        self._pieces.append(sanitize(piece))

    def add_block(self, markdown: str) -> None:
        """End the last block, and add Markdown that stands by itself."""
        for text in ("", sanitize(markdown)):
            self._pieces.append(text)
            self._take_blocks(is_over=True)

    def begin_anew(self) -> None:
        """Leave what was drawn as it is, because other lines have come below it, and draw the last block once more."""
        self._drawn = []

    def draw(self) -> None:
        """Write the blocks that are complete by now, and draw the last one."""
        self._take_blocks(is_over=False)
        self._show()

    def end(self) -> None:
        """Write what has not been written yet."""
        self._take_blocks(is_over=True)
        self._show()
        self._write("".join(self._pieces))

    def _take_blocks(self, *, is_over: bool) -> None:
        """Take the blocks that are complete out of the text, which may be over."""
        text = "".join(self._pieces)
        while text and not self._is_plain:
            is_long = len(text) > MAX_BLOCK
            more, rest = (blocks(text), "") if is_over and not is_long else split(text[:MAX_BLOCK])
            text = rest + text[MAX_BLOCK:]
            for number, block in enumerate(more):
                self._room -= len(block.parsed)
                if self._room < 0:
                    text = "".join(f"{late.source}\n" for late in more[number:]) + text
                    more, self._is_plain = more[:number], True
                    break
            self._complete += more
            self._is_plain |= is_long and not more
            if self._is_plain and (self._complete or not self._is_first):
                text = f"\n{text}"
            if not is_long:
                break
        if self._is_plain and is_over:
            text = text.rstrip("\n") + "\n"
        self._pieces = [text]

    def _show(self) -> None:
        text = "".join(self._pieces)
        self._update([] if self._is_plain else blocks(text))
        if self._is_plain:  # but for the last line, behind which there may be blank ones
            lines, newline, _ = text.rstrip("\n").rpartition("\n")
            self._write(lines + newline)
            self._pieces = [text.removeprefix(lines + newline)]

    def _write(self, text: str) -> None:
        if text:
            self._console.file.write(text)
            self._console.file.flush()

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
        self._write(changes)

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
