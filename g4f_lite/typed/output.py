"""What an answer is to be: values of a type, or JSON of a schema, and how text becomes such a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from ..answers.json_text import without_fence
from ..errors import MissingDependencyError

try:
    import msgspec  # noqa: F401  which the imports below need
except ImportError as error:
    raise MissingDependencyError('typed answers need msgspec: pip install "g4f-lite[typed]"') from error

from .check_time import in_bounded_time
from .lenient import json_in, plain_json
from .mismatch import Mismatch
from .schema import Schema
from .schema_reader import reader_of
from .thoughts import without_thoughts
from .type_reader import TypeReader

T = TypeVar("T")
Value = TypeVar("Value", covariant=True)
_LONGEST_QUOTE = 80  # of a text in an error


class Reader(Protocol[Value]):
    """Makes values of JSON that fits; see :class:`~g4f_lite.typed.type_reader.TypeReader`."""

    name: str
    schema: Schema

    def strictly(self, text: str) -> Value: ...

    def value_of(self, value: Any) -> Value: ...

    def element(self) -> Any: ...


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise checks that take too long as a mismatch; no other JSON in the text is checked after that."""
    try:
        with in_bounded_time():
            yield
    except TimeoutError as error:
        raise Mismatch(f"it cannot be checked: {error}") from error


class Output(Generic[T]):
    """A type of answers.

    :param kind: the type, or a JSON schema as a dict
    :ivar name: the type as one writes it, for errors
    :raises TypeError: if it cannot be one
    :raises ValueError: if it is a dict that is not a valid schema
    :raises MissingDependencyError: if it is a schema, and the package jsonschema is not installed
    """

    def __init__(self, kind: Any) -> None:
        self._reader: Reader[T] = reader_of(kind) if isinstance(kind, dict) else TypeReader(kind)
        self.name, self.schema = self._reader.name, self._reader.schema

    @classmethod
    def of(cls, kind: Any) -> Output[Any]:
        """Return the output for a type; the same one for the same type, as making one takes a millisecond.

        :raises TypeError: if it cannot be the type of an answer
        """
        try:
            hash(kind)
        except TypeError:
            return cls(kind)
        return _cached(kind)

    @_in_time()
    def strictly(self, text: str) -> T:
        """Convert a text that is JSON of the schema.

        :raises Mismatch: if it is not
        """
        return self._reader.strictly(text)

    @_in_time()
    def convert(self, text: str) -> T:
        """Convert a text that is nearly so: JSON among other text, numbers in quotes, other case.

        :raises Mismatch: if there is no value of the type in it, or several different ones
        """
        text = without_thoughts(text)
        for exact in _exact(text):
            with suppress(Mismatch):
                return self._reader.strictly(exact)
        return self._found(text)[1]

    @_in_time()
    def begins_with(self, elements: list[str], text: str) -> bool:
        """Return whether the list that ``convert`` finds in a text begins with these elements, which are JSON.

        :raises Mismatch: if there is no value of the type in it, or several different ones
        """
        return bool(self._plain(without_thoughts(text))[: len(elements)] == list(map(plain_json, elements)))

    def _plain(self, text: str) -> Any:
        """Return what ``convert`` makes the value of, as plain JSON types."""
        for exact in _exact(text):
            with suppress(Mismatch):
                self._reader.strictly(exact)
                whole = plain_json(exact)
                return whole["value"] if self.schema.wrapped else whole
        return self._found(text)[0]

    @_in_time()
    def convert_part(self, text: str) -> T:
        """Convert a text that is the JSON of a part of an answer, as ``convert`` does with the whole.

        :raises Mismatch: if it is not a value of the type
        """
        with suppress(Mismatch):
            return self._reader.strictly(f'{{"value": {text}}}' if self.schema.wrapped else text)
        return self._reader.value_of(plain_json(text))

    def _found(self, text: str) -> tuple[Any, T]:
        """Return the value among other text, as plain JSON types and converted.

        :raises Mismatch: if there is none, or several different ones
        """
        reason: Mismatch | None = None
        fits: list[tuple[Any, T]] = []
        try:
            for written, found in json_in(text):
                try:
                    fits.append((found, self._value(written, found)))
                except Mismatch as error:
                    reason = reason or error
        except Mismatch as error:
            fits, reason = [], reason or error
        if fits:
            first, value = fits[0]
            if any(found != first and _differ(other, value) for found, other in fits):  # which is only an example?
                raise Mismatch("expected one value, got several different ones")
            return self._unwrapped(first), value
        if self.schema.wrapped:  # the value alone, without the object around it and without quotation marks
            for alone in _alone(without_fence(text)):
                with suppress(Mismatch):
                    return alone, self._reader.value_of(alone)
        quoted = text.strip()[:_LONGEST_QUOTE]
        raise reason or Mismatch(f"expected JSON, got {quoted!r}" if quoted else "there is no text")

    def _value(self, text: str, found: Any) -> T:
        """Convert JSON among other text, strictly if possible: a float has not all digits that a Decimal has.

        :param text: the JSON as it is written
        :param found: the same, parsed
        :raises Mismatch: if it is not a value of the type
        """
        value = self._unwrapped(found)
        with suppress(Mismatch):
            return self._reader.strictly(f'{{"value": {text}}}' if self.schema.wrapped and value is found else text)
        return self._reader.value_of(value)

    def value_of(self, value: Any) -> T:
        """Convert plain JSON types, leniently if it is to a type.

        :raises Mismatch: if it does not fit
        """
        return self._reader.value_of(value)

    def element(self) -> Output[Any]:
        """Return the output for the elements of a list.

        :raises TypeError: if it is not one of lists
        """
        return Output.of(self._reader.element())

    def _unwrapped(self, found: Any) -> Any:
        if self.schema.wrapped and isinstance(found, dict) and found.keys() == {"value"}:
            return found["value"]
        return found


@lru_cache(maxsize=128)
def _cached(kind: Any) -> Output[Any]:
    return Output(kind)


def _exact(text: str) -> Iterable[str]:
    """Return the texts that may be the JSON itself: this one, and the one in its code fence."""
    return dict.fromkeys((text, without_fence(text)))


def _differ(one: Any, other: Any) -> bool:
    """Return whether two values differ, or cannot be compared, such as a signaling NaN."""
    try:
        return bool(one != other)
    except Exception:  # noqa: BLE001  a class of somebody else's
        return True


def _alone(text: str) -> Iterable[str]:
    """Return the texts that may be a value: this one, without quotation marks around it, and without its full stop."""
    return dict.fromkeys((_unquoted(text), _unquoted(text.removesuffix(".")), _unquoted(text).removesuffix(".")))


def _unquoted(text: str) -> str:
    """Return a text without the quotation marks around it, unless it has such marks inside as well."""
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'`":
        return text
    inner = text.strip(text[0])
    return text if text[0] in inner else inner
