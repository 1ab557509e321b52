"""The objects in a JSON schema, and where its references lead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any


def objects_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Iterate the objects in a schema, itself included, each before those in it; no reference is followed."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            part = list(part.values())
        if isinstance(part, list):
            left += reversed(part)


class References:
    """The references of a schema, each of which is followed once.

    :param schema: the whole schema
    :param value_of: returns what is to be known of the part that a reference names; it may follow the references there
    """

    def __init__(self, schema: Any, value_of: Callable[[Any], int]) -> None:
        self._schema = schema
        self._value_of = value_of
        self._known: dict[str, int] = {}

    def behind(self, part: dict[str, Any]) -> int | None:
        """Return the value of what an object refers to: 0 for a circle, None without a reference.

        :raises RecursionError: if each leads to the next, hundreds of times
        """
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return None
        if reference not in self._known:
            self._known[reference] = 0  # in a circle
            self._known[reference] = self._value_of(target_of(reference, self._schema))
        return self._known[reference]


def target_of(reference: str, schema: Any) -> Any:
    """Return the part of a schema that a reference names, or None.

    :param reference: a JSON pointer behind ``#``, such as ``#/$defs/Node`` or ``#/anyOf/0``
    :param schema: the whole schema
    """
    target = schema
    for name in reference.removeprefix("#").split("/")[1:]:
        if isinstance(target, list):
            number = int(name) if re.fullmatch("[0-9]{1,9}", name) else len(target)
            target = target[number] if number < len(target) else None
        else:
            target = target.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    return target
