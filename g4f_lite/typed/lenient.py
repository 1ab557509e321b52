"""Reading what a model nearly wrote: JSON among other text, and values of nearly the right type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Any

import msgspec.inspect as shapes

from ..answers.json_text import without_fence
from ..messages import valid_text
from .mismatch import Mismatch


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_READER = json.JSONDecoder(strict=False, parse_constant=_refuse)  # which accepts line breaks in strings
_BEGINNING = re.compile(r"[\[{]")
_ATTEMPTS = 50  # at finding JSON in a text with many brackets
_MAX_READ = 8 * 1024 * 1024  # characters that attempts which fail may read, all together
_LONGEST_QUOTE = 80  # of a text in an error


def plain_json(text: str) -> Any:
    """Parse a text that is JSON, and nothing else.

    :raises Mismatch: if it is not JSON
    """
    try:
        return _READER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Mismatch(f"expected JSON, got {text[:_LONGEST_QUOTE]!r}") from error


def json_in(text: str) -> Iterator[Any]:
    """Iterate the JSON values in a text: the whole of it, or else each object and each list."""
    try:
        whole = _READER.decode(without_fence(text))
    except (ValueError, RecursionError):
        pass
    else:
        yield whole
        if isinstance(whole, str):  # JSON in a string of JSON, as some write the arguments of tools
            yield from json_in(whole)
        return
    end = read = 0
    for beginning in islice(_BEGINNING.finditer(text), _ATTEMPTS):
        if beginning.start() < end:
            continue
        try:
            value, end = _READER.raw_decode(text, beginning.start())
        except (ValueError, RecursionError) as error:
            read += getattr(error, "pos", len(text)) - beginning.start()
            if read > _MAX_READ:
                return
            continue
        yield value


def fitted(value: Any, shape: Any) -> Any:
    """Return a value with what a model writes differently changed to what a type wants.

    An object becomes a named tuple's list; a word gets the case of an enumeration's; a number becomes text where text
    belongs.

    :param shape: the type, as msgspec describes it
    :raises ValueError: if a field of a named tuple is missing
    """
    if isinstance(shape, shapes.Metadata):
        return fitted(value, shape.type)
    if isinstance(shape, shapes.UnionType):
        return next((new for each in shape.types if (new := _fitted_choice(value, each)) is not value), value)
    if isinstance(value, dict):
        return _fitted_object(value, shape)
    if isinstance(value, list):
        if isinstance(shape, shapes.TupleType):
            return [*map(fitted, value, shape.item_types), *value[len(shape.item_types) :]]
        item = getattr(shape, "item_type", None)
        return value if item is None else [fitted(inner, item) for inner in value]
    if isinstance(shape, shapes.FloatType) and not _is_finite(value):
        raise ValueError(f"Expected a finite number, got {value!r:.20}")
    if isinstance(value, str):
        value = valid_text(value)
        words = _words(shape)
        return value if value in words.values() else words.get(value.strip().casefold(), value)
    if isinstance(shape, shapes.StrType) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value


def _is_finite(value: Any) -> bool:
    """Return whether a value is not the infinity or NaN that a number too large, or a word, becomes."""
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):  # not a number
        return True


def _fitted_choice(value: Any, shape: Any) -> Any:
    """Fit a value to one type of several; a number stays a number, as another of them may be one."""
    return value if isinstance(shape, shapes.StrType) else fitted(value, shape)


def _fitted_object(value: dict[str, Any], shape: Any) -> Any:
    if isinstance(shape, shapes.NamedTupleType):
        return [
            fitted(value[field.encode_name] if field.encode_name in value else _default(field), field.type)
            for field in shape.fields
        ]
    if isinstance(shape, shapes.DictType):
        return {name: fitted(inner, shape.value_type) for name, inner in value.items()}
    inside = {field.encode_name: field.type for field in getattr(shape, "fields", ())}
    return {name: fitted(inner, inside[name]) if name in inside else inner for name, inner in value.items()}


def _default(field: shapes.Field) -> Any:
    if field.required:
        raise ValueError(f"Object missing required field `{field.encode_name}`")
    return field.default


def _words(shape: Any) -> dict[str, Any]:
    """Return the words of an enumeration, by their forms without case; those of the values come before the names."""
    if isinstance(shape, shapes.LiteralType):
        return {each.casefold(): each for each in shape.values if isinstance(each, str)}
    if isinstance(shape, shapes.EnumType) and issubclass(shape.cls, Enum):
        values = {each.value.casefold(): each.value for each in shape.cls if isinstance(each.value, str)}
        return {**{each.name.casefold(): each.value for each in shape.cls}, **values}
    return {}
