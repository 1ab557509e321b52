"""What in a schema of somebody else's would take this process for ever, where answers are held to it here."""

from __future__ import annotations

from typing import Any

_MOST_REFERENCES = 10_000  # that are followed, if each one is followed wherever it stands
_ELSEWHERE = ("$dynamicRef", "$recursiveRef")


def costly_part(schema: Any) -> str | None:
    """Return what could take for ever to check, or None: the schema or the text may be made for it.

    A regular expression may try for ever, and references may double at each level of a short schema.
    """
    if _has_pattern(schema):
        return "a pattern"
    try:
        are_many = _References(schema).count() > _MOST_REFERENCES
    except RecursionError:  # each leads to the next, hundreds of times
        are_many = True
    return "references that lead to so many others" if are_many else None


def _has_pattern(part: Any) -> bool:
    if isinstance(part, dict):
        return bool({"pattern", "patternProperties"} & part.keys()) or any(map(_has_pattern, part.values()))
    return isinstance(part, list) and any(map(_has_pattern, part))


class _References:
    """The references of a schema."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._counts: dict[str, int] = {}

    def count(self) -> int:
        """Count the references that are followed; a circle of them is followed once, as each round needs more text.

        How often it is followed then is for the check to bound.
        """
        return self._within(self._schema)

    def _within(self, part: Any) -> int:
        if isinstance(part, list):
            return sum(map(self._within, part))
        if not isinstance(part, dict):
            return 0
        if any(name in part for name in _ELSEWHERE):
            return _MOST_REFERENCES + 1
        reference = part.get("$ref")
        return sum(map(self._within, part.values())) + (self._behind(reference) if isinstance(reference, str) else 0)

    def _behind(self, reference: str) -> int:
        if reference not in self._counts:
            self._counts[reference] = 1  # in a circle
            self._counts[reference] = 1 + self._within(self._target(reference))
        return self._counts[reference]

    def _target(self, reference: str) -> Any:
        target = self._schema
        for name in reference.removeprefix("#").split("/")[1:]:
            target = target.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        return target
