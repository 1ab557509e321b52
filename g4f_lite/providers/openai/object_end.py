"""Where a JSON object ends whose text comes in pieces."""

from __future__ import annotations

import re

_MARK = r'["\[\]{}]|\\.?'  # what begins or ends a string, a list or an object; or an escape, if only the half of one


class ObjectEnd:
    """Looks for the end of an object, once at each piece: to parse all of it at every piece would take for ever.

    :ivar is_reached: whether the object has come to its end
    """

    def __init__(self) -> None:
        self.is_reached = False
        self._depth = 0
        self._in_string = False
        self._left = ""  # a backslash whose escape was cut

    def read(self, piece: str) -> None:
        """Look at a further piece of the text."""
        mark = ""
        for found in re.finditer(_MARK, self._left + piece, re.DOTALL):
            mark = found[0]
            if mark == '"':
                self._in_string, self.is_reached = not self._in_string, False
            elif mark[0] != "\\" and not self._in_string:
                self._depth += 1 if mark in "[{" else -1
                self.is_reached = mark == "}" and not self._depth
        self._left = mark if mark == "\\" else ""
