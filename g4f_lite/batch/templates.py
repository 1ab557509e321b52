"""Prompts made from the values of rows: a template with names in braces, such as ``"Summarise: {text}"``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_NAME = re.compile(r"[\w -]+(\.[\w -]+)*")
_SHOWN_NAMES = 40
#: The value of a name that a row lacks.
MISSING: Any = object()


def names_in(template: str) -> list[str]:
    """Return the names in a template, each once."""
    return list(dict.fromkeys(place[1].strip() for place in _PLACE.finditer(template) if place[1] is not None))


def value_of(values: dict[str, Any], name: str) -> Any:
    """Return what a name stands for in a row; ``MISSING`` if the row lacks it.

    :param values: the columns of the row
    :param name: a column, without the blanks around it, or else a path through objects and lists, such as
        ``"user.name"`` or ``"tags.0"``
    """
    if name in values:
        return values[name]
    found: Any = values
    for part in name.split("."):
        found = _inside(found).get(part, MISSING)
    if found is MISSING:  # the names of a survey's columns may end with a blank, which nobody sees
        found = next((value for column, value in values.items() if column.strip() == name != ""), MISSING)
    return found


def fill(template: str, values: dict[str, Any]) -> str:
    """Put the values of a row in a template; ``{{`` and ``}}`` stand for braces, and what is missing is left empty."""

    def value(place: re.Match[str]) -> str:
        if place[1] is None:
            return place[0][0]
        found = value_of(values, place[1].strip())
        return "" if found is None or found is MISSING else text_of(found)

    return _PLACE.sub(value, template)


def text_of(value: Any) -> str:
    """Return a value of a JSON line as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def with_names(
    rows: Iterable[tuple[int, dict[str, Any]]], names: Sequence[str], *, is_table: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate rows with their lines, the first ones only when each name was found in one of the rows.

    :param names: the names in a template
    :param is_table: whether all rows have the same columns
    :raises ValueError: if no row has one of the names
    """
    held: list[tuple[int, dict[str, Any]]] = []
    lacking = [*names]
    for row in rows:
        lacking = [name for name in lacking if value_of(row[1], name) is MISSING]
        held.append(row)
        if lacking and is_table:
            break
        if not lacking:
            yield from held
            held.clear()
    if not held:
        return
    name = lacking[0]
    there = list(dict.fromkeys(near for _, values in held for near in _names_near(values, name)))
    more = f" and {len(there) - _SHOWN_NAMES:,} more" if len(there) > _SHOWN_NAMES else ""
    known = f"; there are {', '.join(there[:_SHOWN_NAMES])}{more}" if there else ""
    hint = "" if _NAME.fullmatch(name) else "; write {{ and }} for braces that name no column"
    told = f"line {held[0][0]}: there is no" if len(held) == 1 else "no line has a"
    raise ValueError(f"{told} column {name!r} for the prompt{known}{hint}")


def _names_near(values: dict[str, Any], name: str) -> list[str]:
    """Return the names that a row has where the path of a name ends."""
    path, inside = "", values
    for part in name.split("."):
        if not (deeper := _inside(inside.get(part))):
            break
        path, inside = f"{path}{part}.", deeper
    return [f"{path}{key}" for key in inside]


def _inside(value: Any) -> dict[str, Any]:
    """Return the fields of an object, or the items of a list by their numbers; nothing of anything else."""
    if isinstance(value, list):
        return {str(number): item for number, item in enumerate(value)}
    return value if isinstance(value, dict) else {}
