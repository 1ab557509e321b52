"""The JSON of an answer in progress: what it holds so far, and the elements of its list that are complete."""

from __future__ import annotations

import json
import re
from typing import Any

_READER = json.JSONDecoder(strict=False)
_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}")


class JsonSoFar:
    """Takes the pieces of a text with JSON in it; what is before the first bracket, and after the last, is ignored.

    :param wrapped: whether the list is in an object, as ``{"value": […]}``
    :ivar elements: the complete elements of the list, as JSON
    """

    def __init__(self, *, wrapped: bool = False) -> None:
        self.elements: list[str] = []
        self._wrapped = wrapped
        self._text = ""
        self._open: list[str] = []  # the brackets that close what is open
        self._whole = 0  # up to here all values are complete
        self._element = 0  # where an element of the list begins
        self._in_string = False
        self._is_key = False
        self._awaits_key = False
        self._escape = 0  # where the last escape in a string begins
        self._character = 0  # where its character does: with the escape before it, if that is the first of two
        self._escaped = 0  # characters of it that are still to come
        self._ended = False

    def feed(self, piece: str) -> None:
        """Add a piece of the text."""
        if not self._text:
            beginning = re.search(r"[\[{]", piece)
            if beginning is None:
                return
            piece = piece[beginning.start() :]
        start = len(self._text)
        self._text += piece
        for position, character in enumerate(piece, start):
            if self._ended:
                return
            if self._in_string:
                self._read_string(position, character)
            elif character == '"':
                self._in_string, self._is_key = True, self._awaits_key
            elif character in "[{":
                self._open.append("]" if character == "[" else "}")
                self._awaits_key = character == "{"
                self._whole = position + 1
                if self._in_list:
                    self._element = position + 1
            elif character in "]}":
                self._end_value(position)
                self._open.pop()
                self._whole, self._awaits_key, self._ended = position + 1, False, not self._open
            elif character == ",":
                self._end_value(position)
                self._whole, self._awaits_key = position, self._open[-1] == "}"
                self._element = position + 1 if self._in_list else self._element
            elif character == ":":
                self._awaits_key = False

    @property
    def value(self) -> Any:
        """What has come so far, with strings that may go on; None before there is anything, or if it is not JSON."""
        end, quote = self._whole, ""
        if self._in_string and not self._is_key:
            end, quote = len(self._text), '"'
            if self._escaped or _HIGH_SURROGATE.fullmatch(self._text, self._escape):  # a part of a character
                end = self._character
        try:
            return _READER.decode(self._text[:end] + quote + "".join(reversed(self._open)))
        except (ValueError, RecursionError):
            return None

    def _read_string(self, position: int, character: str) -> None:
        if self._escaped:
            self._escaped = 4 if self._escape == position - 1 and character == "u" else self._escaped - 1
        elif character == "\\":
            is_second = _HIGH_SURROGATE.fullmatch(self._text, self._escape, position)
            self._character = self._escape if is_second else position
            self._escape, self._escaped = position, 1
        elif character == '"':
            self._in_string = False
            if not self._is_key:
                self._whole = position + 1

    @property
    def _in_list(self) -> bool:
        """Whether the position is in the list itself, and not in one of its elements."""
        in_object = self._wrapped and self._text.startswith("{")
        return self._open == (["}", "]"] if in_object else ["]"])

    def _end_value(self, position: int) -> None:
        if self._in_list and (element := self._text[self._element : position].strip()):
            self.elements.append(element)
