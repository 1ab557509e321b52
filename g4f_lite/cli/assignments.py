"""``NAME=VALUE`` arguments, converted by the type hints of a Python function or class."""

from __future__ import annotations

from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

LISTED = "; the settings are "  # precedes a list of names
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def read_assignment(text: str, hints: dict[str, Any]) -> tuple[str, Any]:
    """Split ``name=value``, and convert the value to the type of this name.

    ``none`` becomes None, ``true`` and ``false`` become booleans, and the items of a tuple are separated by commas.

    :param hints: the types by name, as ``typing.get_type_hints`` returns them
    :raises ValueError: if there is no such name, or the value cannot be converted
    """
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    if name not in hints:
        raise ValueError(f"there is no setting {name!r}{LISTED}{', '.join(sorted(hints))}")
    kinds = _kinds(hints[name])
    for kind in sorted(kinds, key=lambda kind: kind is str):  # str last, because every value is one
        with suppress(ValueError, KeyError):
            return name, _convert(value, kind)
    wanted = " or ".join(_description(kind) for kind in kinds)
    raise ValueError(f"{name} must be {wanted}, not {value!r}")


def _kinds(hint: Any) -> list[Any]:
    """List the alternatives of a type, including each value of a Literal."""
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
    if text == str(kind):  # a value of a Literal
        return kind
    raise ValueError(text)


def _description(kind: Any) -> str:
    descriptions = {None: "none", NoneType: "none", bool: "true or false", int: "a whole number", float: "a number"}
    if isinstance(kind, (str, int)) or get_origin(kind) is tuple:
        return repr(kind) if isinstance(kind, (str, int)) else "names separated by commas"
    return descriptions.get(kind, "text")
