"""Reads single fields of JSON that may be missing, or be of another type than they should."""

from __future__ import annotations

import math
from typing import Any

from ...answers.attached import are_plain
from ...errors import ResponseFormatError
from ...http.checks import shorten
from ...messages import MAX_DEPTH

_MOST = 2**63
_MOST_LEVELS = MAX_DEPTH - 5  # in a history, a message, its calls, one of them, and its function


def text_in(fields: Any, *names: str) -> str:
    """Return the first of these fields that is a text with something in it; "" where none is."""
    if isinstance(fields, dict):
        for name in names:
            value = fields.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def is_said(value: Any) -> bool:
    """Return whether a field says anything: also the number 0 does, and neither null, false nor what is empty."""
    return bool(value) or type(value) in (int, float)


def count_in(fields: Any, *names: str) -> int | None:
    """Return the first of these fields that is a count, as ``number_in`` does: a whole number that is not negative."""
    return number_in(fields, *names, least=0)


def number_in(fields: Any, *names: str, least: int = 1 - _MOST) -> int | None:
    """Return the first of these fields that is a whole number of less than 64 bits; None where none is.

    JSON has numbers of any length, and Python cannot write those of more than 4,300 digits.
    """
    if isinstance(fields, dict):
        for name in names:
            value = fields.get(name)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool) and least <= value < _MOST:
                return value
    return None


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; an object alone counts as a list of one."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def check_sent_back(fields: dict[str, Any]) -> None:
    """Check fields that a service adds to a message or a call, as they go back to it with every further prompt.

    :raises ResponseFormatError: if they cannot be sent
    """
    for name, value in fields.items():
        if not _can_be_sent(value, _MOST_LEVELS):
            wrong = "a number that JSON does not have, or more levels of lists and objects than can be sent back"
            raise ResponseFormatError(f"the field {shorten(name, 100)} has {wrong}")


def _can_be_sent(value: Any, levels: int) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        is_plain = are_plain(items) and float not in map(type, items)
        return levels > 0 and (is_plain or all(_can_be_sent(item, levels - 1) for item in items))
    return True
