"""Whether JSON matches a schema, found out in a bounded time: some answers would take forever to check."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from ..errors import MissingDependencyError

try:
    import attrs
    import jsonschema
    import referencing.exceptions
    import referencing.jsonschema
except ImportError as error:
    raise MissingDependencyError('a JSON schema is checked with jsonschema: pip install "g4f-lite[typed]"') from error

from .check_time import check_time, in_bounded_time
from .schema_choices import any_of, one_of, type_

_ALL_WITH_ALL = ("unevaluatedItems", "unevaluatedProperties")  # for which jsonschema compares each part with all others


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise what jsonschema raises for an odd schema, which may be anything, as a ValueError."""
    try:
        yield
    except TimeoutError as error:
        raise ValueError(f"the JSON schema is too large to be checked: {error}") from error
    except RecursionError as error:
        raise ValueError("the JSON schema is nested too deeply to be checked") from error
    except Exception as error:
        raise ValueError(
            f"the JSON schema cannot be checked; look at its $schema, its patterns and its references: {error!s:.200}"
        ) from error


class Wrong(NamedTuple):
    """What is wrong with a value, without that value; jsonschema's error keeps it, and takes seconds to print it."""

    message: str
    path: str


class SchemaCheck:
    """A check of JSON, which fetches no schema that this one refers to: it may be a client's of a server.

    :param schema: the JSON schema
    :ivar keywords: what its dialect calls the parts of a schema that limit a value
    :raises ValueError: if it is invalid, or too large to be checked
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        with _refusing():
            kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
            bounded = jsonschema.validators.extend(
                kind, {name: _bounded(name, _OWN.get(name, each)) for name, each in kind.VALIDATORS.items()}
            )
            # A part that names its dialect is checked by the same class; jsonschema would take its own, without bounds.
            bounded.evolve = attrs.evolve
            bounded.descend = _first_of(bounded.descend)
            wrong = _first_error(bounded(kind.META_SCHEMA, format_checker=kind.FORMAT_CHECKER), schema)
        if wrong is not None:
            raise ValueError(f"the JSON schema is invalid: {wrong.message} - at `{wrong.path}`")
        with _refusing():
            self._validator = bounded(schema, registry=referencing.jsonschema.EMPTY_REGISTRY)
        self.keywords = kind.VALIDATORS.keys()

    @_refusing()
    def missing_references(self) -> list[str]:
        """List the references that lead nowhere; none where an ``$id`` says what they are relative to.

        :raises ValueError: if that cannot be told
        """
        text = json.dumps(self._schema)
        reference = r'"\$(?:ref|dynamicRef|recursiveRef)": ("(?:[^"\\]|\\.)*")'
        found = [] if '"$id"' in text else re.findall(reference, text)
        schema = referencing.jsonschema.DRAFT202012.create_resource(self._schema)
        resolver = referencing.jsonschema.EMPTY_REGISTRY.with_resource("", schema).resolver()

        def leads_nowhere(reference: str) -> bool:
            try:
                resolver.lookup(reference)
            except referencing.exceptions.Unresolvable:
                return True
            return False

        return [*filter(leads_nowhere, dict.fromkeys(map(json.loads, found)))]

    def first_error(self, value: Any) -> Wrong | None:
        """Return the first thing that is wrong with a value, or None if it matches.

        :raises TimeoutError: if that takes too long
        """
        return _first_error(self._validator, value)


def _first_error(validator: Any, value: Any) -> Wrong | None:
    with in_bounded_time():
        error = next(validator.iter_errors(value), None)
    return None if error is None else Wrong(error.message[:200], error.json_path)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the function that checks a keyword look at the time before it begins."""

    def keyword(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        check_time()
        if name in _ALL_WITH_ALL and isinstance(value, (dict, list)):
            value = (_WatchedDict if isinstance(value, dict) else _WatchedList)(value)
            value.watch = check_time
        return function(validator, wanted, value, schema)

    return keyword


def _first_of(descend: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Look for one error of each part: some keywords of jsonschema keep them all, and each contains a whole value."""
    return lambda *args, **options: islice(descend(*args, **options), 1)


class _Watched:
    """A value that calls ``watch`` before each of its parts that a loop takes."""

    watch: Callable[[], None]

    def __iter__(self) -> Iterator[Any]:
        for part in super().__iter__():  # type: ignore[misc]
            self.watch()
            yield part


class _WatchedDict(_Watched, dict[str, Any]): ...


class _WatchedList(_Watched, list[Any]): ...


def _unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """Check ``uniqueItems`` in one step for each item; jsonschema compares each object with all others."""
    if not wanted or not validator.is_type(value, "array"):
        return
    seen = set()
    for item in value:
        check_time()
        seen.add(json.dumps(_comparable(item), sort_keys=True))
    if len(seen) < len(value):
        yield jsonschema.ValidationError(f"{value!r} has non-unique elements")


def _comparable(value: Any) -> Any:
    """Return JSON with its whole numbers written in one way: a schema takes 1 and 1.0 for the same."""
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return list(map(_comparable, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


_OWN = {"anyOf": any_of, "oneOf": one_of, "type": type_, "uniqueItems": _unique_items}  # in the place of jsonschema's
