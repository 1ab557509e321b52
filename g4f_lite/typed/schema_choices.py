"""Keywords of a JSON schema that offer a choice, checked with the memory of one error; jsonschema keeps all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import ValidationError


def any_of(validator: Any, choices: list[Any], value: Any, schema: Any) -> Iterator[ValidationError]:
    """Check ``anyOf``."""
    if not any(_matches(validator, choice, value) for choice in choices):
        yield _no_match(value)


def one_of(validator: Any, choices: list[Any], value: Any, schema: Any) -> Iterator[ValidationError]:
    """Check ``oneOf``."""
    first, *others = [choice for choice in choices if _matches(validator, choice, value)] or [None]
    if first is None:
        yield _no_match(value)
    elif others:
        yield ValidationError(f"{value!r} is valid under each of {', '.join(map(repr, [*others, first]))}")


def type_(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Check ``type``, which in draft 3 may be a choice of schemas, too."""
    types = [wanted] if isinstance(wanted, str) else wanted
    is_type = validator.TYPE_CHECKER.is_type  # the validator's own writes the whole value into its error
    if not any(_matches(validator, each, value) if isinstance(each, dict) else is_type(value, each) for each in types):
        names = (each.get("name", each) if isinstance(each, dict) else each for each in types)
        yield ValidationError(f"{value!r} is not of type {', '.join(map(repr, names))}")


def _matches(validator: Any, schema: Any, value: Any) -> bool:
    return next(validator.descend(value, schema), None) is None


def _no_match(value: Any) -> ValidationError:
    return ValidationError(f"{value!r} is not valid under any of the given schemas")
