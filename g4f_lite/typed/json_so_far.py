"""The JSON of an answer in progress: what it holds so far, and the elements of its list that are complete."""

from __future__ import annotations

import json
import re
from typing import Any

from ..answers.json_text import whole_number

_DEEPEST = 200  # levels; a text that has more is not read on
_LONGEST_KEY = 31  # characters of "value" and a quotation mark, if each letter is written as an escape
_READER = json.JSONDecoder(strict=False, parse_int=whole_number)
_FIRST_OF_TWO = re.compile(r"\\u[dD][89abAB]..")  # an escape of half a character, which another one follows


class JsonSoFar:
    """Takes the pieces of a text with JSON in it; what is before the first bracket, and after the last, is ignored.

    :param wrapped: whether the list is in an object, as ``{"value": […]}``; the first one of that name is taken
    :ivar elements: the complete elements of the list, as JSON
    """

    def __init__(self, *, wrapped: bool = False) -> None:
        self.elements: list[str] = []
        self._wrapped = wrapped
        self._list: str | None = "]"  # closes what is open in the list itself, and not in an element; None after it
        self._in_list = False
        self._key: list[str] = []  # the characters of the last key of the outermost object
        self._pieces: list[str] = []
        self._length = 0
        self._element: list[str] = []  # the pieces of the element that has begun
        self._open = ""  # the brackets that close what is open
        self._whole = 0  # up to here all values are complete
        self._in_string = False
        self._is_key = False
        self._awaits_key = False
        self._escape = ""  # the last escape in a string, as far as it has come
        self._escaped = 0  # characters of it that are still to come
        self._character = 0  # where its character begins: with the escape before it, if that is the first of two
        self._ended = False

    def feed(self, piece: str) -> None:
        """Add a piece of the text."""
        if self._ended:
            return
        if not self._pieces:
            beginning = re.search(r"[\[{]", piece)
            if beginning is None:
                return
            piece = piece[beginning.start() :]
            self._list = "}]" if self._wrapped and piece[0] == "{" else "]"
        self._pieces.append(piece)
        start, taken = self._length, 0  # of the piece, what is in an element that has ended
        self._length += len(piece)
        for index, character in enumerate(piece):
            if self._in_string:
                self._read_string(start + index, character)
            elif character == '"':
                self._in_string, self._is_key = True, self._awaits_key
                if self._is_key and self._open == "}":
                    self._key.clear()
            elif character in "[{":
                self._open += "]" if character == "[" else "}"
                if len(self._open) > _DEEPEST:
                    self._ended = True
                    return
                self._awaits_key, self._whole = character == "{", start + index + 1
                if self._open == self._list and (self._list == "]" or self._is_value()):
                    self._in_list, taken = True, index + 1
            elif character in "]},":
                if self._in_list and self._open == self._list:
                    self._end_element(piece[taken:index])
                    taken = index + 1
                    if character != ",":
                        self._in_list, self._list = False, None
                if character == ",":
                    self._whole, self._awaits_key = start + index, self._open.endswith("}")
                    continue
                self._open = self._open[:-1]
                self._whole, self._awaits_key = start + index + 1, False
                if not self._open:
                    self._ended = True
                    return
            elif character == ":":
                self._awaits_key = False
        if self._in_list:
            self._element.append(piece[taken:])

    @property
    def value(self) -> Any:
        """What has come so far, with strings that may go on; None before there is anything, or if it is not JSON."""
        text = "".join(self._pieces)
        self._pieces[:] = [text] if text else []
        end, quote = self._whole, ""
        if self._in_string and not self._is_key:
            end, quote = self._length, '"'
            if self._escaped or _FIRST_OF_TWO.fullmatch(self._escape):  # a part of a character
                end = self._character
        try:
            return _READER.decode(text[:end] + quote + self._open[::-1])
        except (ValueError, RecursionError):
            return None

    def _read_string(self, position: int, character: str) -> None:
        if self._is_key and self._open == "}" and len(self._key) < _LONGEST_KEY:
            self._key.append(character)
        if self._escaped:
            self._escape += character
            self._escaped = 4 if self._escape == "\\u" else self._escaped - 1
        elif character == "\\":
            if not _FIRST_OF_TWO.fullmatch(self._escape):
                self._character = position
            self._escape, self._escaped = character, 1
        else:
            self._escape = ""
            if character == '"':
                self._in_string = False
                if not self._is_key:
                    self._whole = position + 1

    def _is_value(self) -> bool:
        """Return whether the last key of the outermost object is ``value``, which may be written with escapes."""
        try:
            return bool(_READER.decode(f'"{"".join(self._key)}') == "value")
        except ValueError:
            return False

    def _end_element(self, rest: str) -> None:
        element = "".join([*self._element, rest]).strip()
        self._element.clear()
        if element:
            self.elements.append(element)
