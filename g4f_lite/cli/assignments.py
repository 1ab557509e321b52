"""``NAME=VALUE`` on the command line, read by what a Python function or class says of its parameters."""

from __future__ import annotations

from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

LISTED = "; there are the settings "  # stands before a list of names
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def read_assignment(text: str, hints: dict[str, Any]) -> tuple[str, Any]:
    """Split ``name=value``, and give the value the type that the hint of this name asks for.

    ``none`` is None, ``true`` and ``false`` are what they say, and a tuple has commas between its items.

    :param hints: the types by name, as ``typing.get_type_hints`` gives them
    :raises ValueError: there is no such name, or the value cannot be read
    """
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise ValueError(f"{text!r} has no =; write NAME=VALUE")
    if name not in hints:
        raise ValueError(f"there is no setting {name!r}{LISTED}{', '.join(sorted(hints))}")
    kinds = _kinds(hints[name])
    for kind in sorted(kinds, key=lambda kind: kind is str):  # any text is a str, so that comes last
        with suppress(ValueError, KeyError):
            return name, _convert(value, kind)
    wanted = " or ".join(_word(kind) for kind in kinds)
    raise ValueError(f"{name} must be {wanted}, not {value!r}")


def _kinds(hint: Any) -> list[Any]:
    """List the alternatives of a type, each word of a Literal as one."""
    if get_origin(hint) in (Union, UnionType):
        return [kind for part in get_args(hint) for kind in _kinds(part)]
    return list(get_args(hint)) if get_origin(hint) is Literal else [hint]


def _convert(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if kind in (None, NoneType):
        return {"none": None}[text.lower()]
    if kind is bool:
        return _BOOLEANS[text.lower()]
    if kind in (int, float):
        return kind(text)
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if text == str(kind):  # a word or a number of a Literal
        return kind
    raise ValueError(text)


def _word(kind: Any) -> str:
    words = {None: "none", NoneType: "none", bool: "true or false", int: "a whole number", float: "a number"}
    if isinstance(kind, (str, int)) or get_origin(kind) is tuple:
        return repr(kind) if isinstance(kind, (str, int)) else "names with commas"
    return words.get(kind, "a text")
