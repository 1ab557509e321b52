"""What in a schema of somebody else's would take this process for ever or all memory, where answers are held to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_MOST_REFERENCES = 10_000  # that are followed, if each one is followed wherever it stands
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_ELSEWHERE = frozenset({"$dynamicRef", "$recursiveRef"})


def costly_part(schema: Any) -> str | None:
    """Return what could take for ever or all memory to check, or None: the schema or the text may be made for it.

    A regular expression may try for ever, and references may double at each level of a short schema. To find
    the unevaluated parts of a value, jsonschema lists the evaluated ones anew behind each reference.
    """
    for part in _objects_in(schema):
        if isinstance(part.get("pattern"), str) or "patternProperties" in part:  # a property may be called "pattern"
            return "a pattern"
        if any(keyword in part for keyword in _UNEVALUATED):
            return " or ".join(_UNEVALUATED)
    try:
        are_many = _References(schema).within(schema) > _MOST_REFERENCES
    except RecursionError:  # each leads to the next, hundreds of times
        are_many = True
    return "references that lead to so many others" if are_many else None


def _objects_in(schema: Any) -> Iterator[dict[str, Any]]:
    """Iterate the objects in a schema, itself included; no reference is followed."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            part = list(part.values())
        if isinstance(part, list):
            left += reversed(part)


class _References:
    """Counts the references that are followed; a circle of them is followed once, as each round needs more text.

    How often it is followed then is for the check to bound.

    :param schema: the whole schema
    """

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._known: dict[str, int] = {}

    def within(self, part: Any) -> int:
        """Count them in a part of the schema.

        :raises RecursionError: if each leads to the next, hundreds of times
        """
        if isinstance(part, list):
            return sum(map(self.within, part))
        if not isinstance(part, dict):
            return 0
        if not _ELSEWHERE.isdisjoint(part):
            return _MOST_REFERENCES + 1
        count = sum(map(self.within, part.values()))
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return count
        if reference not in self._known:
            self._known[reference] = 0  # in a circle
            self._known[reference] = self.within(_target_of(reference, self._schema))
        return count + 1 + self._known[reference]


def _target_of(reference: str, schema: Any) -> Any:
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
