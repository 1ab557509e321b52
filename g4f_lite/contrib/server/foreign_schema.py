"""What in a schema of somebody else's would take this process for ever or all memory, where answers are held to it."""

from __future__ import annotations

from typing import Any

from .schema_references import References, objects_of

_MOST_REFERENCES = 10_000  # that are followed, if each one is followed wherever it stands
_COSTLY = {
    "a pattern": frozenset({"pattern", "patternProperties"}),
    "unevaluatedItems or unevaluatedProperties": frozenset({"unevaluatedItems", "unevaluatedProperties"}),
}
_ELSEWHERE = frozenset({"$dynamicRef", "$recursiveRef"})


def costly_part(schema: Any) -> str | None:
    """Return what could take for ever or all memory to check, or None: the schema or the text may be made for it.

    A regular expression may try for ever, and references may double at each level of a short schema. To find
    the unevaluated parts of a value, jsonschema lists the evaluated ones anew behind each reference.
    """
    for part, keywords in _COSTLY.items():
        if not all(map(keywords.isdisjoint, objects_of(schema))):
            return part
    try:
        are_many = _references_in(schema) > _MOST_REFERENCES
    except RecursionError:  # each leads to the next, hundreds of times
        are_many = True
    return "references that lead to so many others" if are_many else None


def _references_in(schema: Any) -> int:
    """Count the references that are followed; a circle of them is followed once, as each round needs more text.

    How often it is followed then is for the check to bound.
    """

    def within(part: Any) -> int:
        if isinstance(part, list):
            return sum(map(within, part))
        if not isinstance(part, dict):
            return 0
        if not _ELSEWHERE.isdisjoint(part):
            return _MOST_REFERENCES + 1
        count = sum(map(within, part.values()))
        behind = references.behind(part)
        return count if behind is None else count + 1 + behind

    references = References(schema, within)
    return within(schema)
