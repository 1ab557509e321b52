"""Reading what a model nearly wrote: JSON among other text, and values of nearly the right type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec.inspect as shapes

from ..answers.json_text import whole_number, without_fence
from ..messages import valid_text
from .mismatch import Mismatch


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_READER = json.JSONDecoder(strict=False, parse_constant=_refuse, parse_int=whole_number)  # also line breaks in strings
_BEGINNING = re.compile(r"[\[{]")
_BRACKETS = re.compile(r'(?s)[\[\]{}]|"(?:[^"\\]|\\.)*"?')  # those in a string are part of it
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


def json_in(text: str) -> Iterator[tuple[str, Any]]:
    """Iterate the JSON values in a text, each as it is written and parsed: the whole, or else each object and list.

    Nothing inside of one that has a mistake is a value: it would be a part, taken for the whole.

    :raises Mismatch: if there are more brackets than are tried: another value may come after those that were found
    """
    alone = without_fence(text)
    try:
        whole = _READER.decode(alone)
    except (ValueError, RecursionError):
        pass
    else:
        yield alone, whole
        if isinstance(whole, str):  # JSON in a string of JSON, as some write the arguments of tools
            yield from json_in(whole)
        return
    end = read = 0
    for _ in range(_ATTEMPTS):
        if (beginning := _BEGINNING.search(text, end)) is None:
            return
        start = beginning.start()
        try:
            value, end = _READER.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            failed_at = getattr(error, "pos", len(text))
            end = start + 1 if _is_no_json(text, start, failed_at) else _end_of_brackets(text, start)
            read += max(failed_at, end) - start
            if read > _MAX_READ:
                break
            continue
        yield text[start:end], value
    if _BEGINNING.search(text, end):
        raise Mismatch("expected JSON and nothing else, got a text with many brackets")


def _is_no_json(text: str, start: int, failed_at: int) -> bool:
    """Return whether a bracket is one of the text around JSON: what follows it does not even begin as JSON.

    A comment and a text in single quotation marks are mistakes that are made in JSON.
    """
    return not text[start:failed_at].strip("[{ \t\r\n") and text[failed_at : failed_at + 1] not in ("/", "'")


def _end_of_brackets(text: str, start: int) -> int:
    """Return the position after the bracket that closes the one at a position; the end of the text if none does."""
    depth = 0
    for found in _BRACKETS.finditer(text, start):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
            if not depth:
                return found.end()
    return len(text)


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
        if isinstance(value, str) and any(isinstance(each, shapes.StrType) for each in shape.types):
            return valid_text(value)  # not "NaN" as a number
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
        if isinstance(shape, (shapes.EnumType, shapes.LiteralType)):
            exact, forms = _words(shape.values if isinstance(shape, shapes.LiteralType) else shape.cls)
            return value if value in exact else forms.get(value.strip().casefold(), value)
        return value
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
    tag_field = getattr(shape, "tag_field", None)
    if tag_field in value:
        if str(value[tag_field]).casefold() != str(shape.tag).casefold():
            return value  # that of another struct
        value = {**value, tag_field: shape.tag}
    if isinstance(shape, shapes.NamedTupleType):
        return [
            fitted(value[field.encode_name] if field.encode_name in value else _default(field), field.type)
            for field in shape.fields
        ]
    if isinstance(shape, shapes.DictType):
        return {name: fitted(inner, shape.value_type) for name, inner in value.items()}
    if not hasattr(shape, "fields"):
        return value  # so that of several types this one has not changed it
    inside = {field.encode_name: field.type for field in shape.fields}
    return {name: fitted(inner, inside[name]) if name in inside else inner for name, inner in value.items()}


def _default(field: shapes.Field) -> Any:
    if field.required:
        raise ValueError(f"Object missing required field `{field.encode_name}`")
    return field.default


@lru_cache(maxsize=128)  # an answer may have a million of them
def _words(kind: type[Enum] | tuple[Any, ...]) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the words of an enumeration, and what they stand for by their forms without case.

    :param kind: an Enum, whose values come before its names, or the values of a Literal
    """
    members = () if isinstance(kind, tuple) else tuple(kind)
    values = kind if isinstance(kind, tuple) else tuple(each.value for each in members)
    exact = [each for each in values if isinstance(each, str)]
    names = {each.name.casefold(): each.value for each in members}
    return frozenset(exact), {**names, **{each.casefold(): each for each in exact}}
