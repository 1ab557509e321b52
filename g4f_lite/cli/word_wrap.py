"""Wrapping text that arrives in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable


class WordWrapper:
    """Writes an indented text word by word as it arrives, and wraps its lines.

    :param write: writes a text
    :param indent: the text before each line
    :param width: the maximum length of a line, including the indent
    """

    def __init__(self, write: Callable[[str], None], indent: str, width: int) -> None:
        self._write = write
        self._indent = indent
        self._width = width
        self._column = 0
        self._word = ""  # the last word, which may continue

    def feed(self, piece: str) -> None:
        """Take a piece of text and write the complete words."""
        *words, self._word = re.split(r"(?<=\s)", self._word + piece)
        for word in words:
            self._put(word)

    def end(self) -> None:
        """Write the last word and end the line."""
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
