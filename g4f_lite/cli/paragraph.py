"""Text that comes in pieces, in lines of a width."""

from __future__ import annotations

import re
from collections.abc import Callable


class Paragraph:
    """Writes an indented text as it comes, a word at a time, and breaks its lines between words.

    :param write: takes what is to be shown
    :param indent: the characters before each line;  :param width: the most characters of a line, the indent included
    """

    def __init__(self, write: Callable[[str], None], indent: str, width: int) -> None:
        self._write = write
        self._indent = indent
        self._width = width
        self._column = 0
        self._word = ""  # whose end has not come

    def feed(self, piece: str) -> None:
        """Take a piece and write the words that are whole."""
        *whole, self._word = re.split(r"(?<=\s)", self._word + piece)
        for word in whole:
            self._put(word)

    def end(self) -> None:
        """Write what is left, and end the line."""
        self._put(self._word)
        self._word = ""
        if self._column:
            self._new_line()

    def _put(self, word: str) -> None:
        text = word.rstrip()
        if text:
            if not self._column:
                self._write(self._indent + text)
                self._column = len(self._indent) + len(text)
            elif self._column + 1 + len(text) > self._width:
                self._new_line()
                self._put(text)
            else:
                self._write(f" {text}")
                self._column += 1 + len(text)
        if "\n" in word and self._column:
            self._new_line()

    def _new_line(self) -> None:
        self._write("\n")
        self._column = 0
