"""How JSON becomes a value of a Python type."""

from __future__ import annotations

import typing
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import msgspec.inspect

from .choice import members_of
from .lenient import fitted
from .mismatch import Mismatch
from .schema import described, schema_of, written

_LONGEST_REASON = 1_000  # characters: msgspec quotes whole values of the answer
_MOST_REASONS = 10  # of a pydantic model
_MOST_MISTAKES = 1_000  # for pydantic to list them, which takes it some microseconds and 700 bytes for each


class TypeReader:
    """Makes values of a type, of JSON that fits strictly or nearly.

    :param kind: the type
    :ivar name: the type as one writes it, for errors
    :ivar schema: its schema
    :raises TypeError: if it cannot be the type of an answer
    """

    def __init__(self, kind: Any) -> None:
        if isinstance(kind, str | int | float | list):
            raise TypeError(
                f"output= takes a type, such as a dataclass or list[str], or a JSON schema, and not {kind!r:.80}"
            )
        self.name = written(kind)
        try:
            self.schema = schema_of(kind)
            self._kind = described(kind)
            self._shape = msgspec.inspect.type_info(self._kind)
            root = msgspec.defstruct("Answer", [("value", self._kind)]) if self.schema.wrapped else self._kind
            self._decoder = msgspec.json.Decoder(root, dec_hook=_to_model)
        except NameError as error:
            raise TypeError(f"a type hint in {kind!r:.80} cannot be resolved: {error}") from error

    def strictly(self, text: str) -> Any:
        """Convert a text that is JSON of the schema.

        :raises Mismatch: if it is not
        """
        try:
            value = self._decoder.decode(str(text))  # msgspec takes no subclass, such as an Answer
        except Exception as error:  # also those that a constructor of the type raises
            raise _mismatch(error) from error
        return value.value if self.schema.wrapped else value

    def value_of(self, value: Any) -> Any:
        """Convert plain JSON types leniently.

        :raises Mismatch: if it does not fit
        """
        try:
            fit = fitted(value, self._shape)
            return msgspec.convert(fit, self._kind, strict=False, str_keys=True, dec_hook=_to_model)
        except Exception as error:
            raise _mismatch(error) from error

    def element(self) -> Any:
        """Return the type of the elements of a list.

        :raises TypeError: if the type is not a list
        """
        kind = self._kind
        while typing.get_origin(kind) is Annotated:
            kind = typing.get_args(kind)[0]
        if typing.get_origin(kind) is not list:
            raise TypeError(f"items() gives the elements of a list; pass output=list[…], not {kind!r:.80}")
        return typing.get_args(kind)[0]


@lru_cache(maxsize=128)
def _member(kind: Any) -> TypeReader:
    return TypeReader(kind)


def _to_model(kind: type, value: Any) -> Any:
    """Make a pydantic model, or a value of a choice, of plain JSON types.

    :raises ValueError: if they do not fit
    """
    if members := members_of(kind):
        return _to_choice(members, value)
    try:
        return kind.model_validate(value)  # type: ignore[attr-defined]
    except ValueError as error:
        if not hasattr(error, "errors"):
            raise
        reason, cause = _of_pydantic(error)
    raise ValueError(reason) from cause


def _of_pydantic(error: Any) -> tuple[str, Exception | None]:
    """Return the first mistakes that an error of pydantic lists, and the error itself if there are no others.

    One with many mistakes would write all of them wherever it is shown, and take fifty times as long as the answer.
    """
    count = error.error_count()
    if count > _MOST_MISTAKES:
        return f"{count} mistakes", None
    first = error.errors()[:_MOST_REASONS]
    reasons = [_shortened(f"{each['msg']} - at `{'.'.join(map(str, each['loc'])) or '$'}`") for each in first]
    more = count - len(reasons)
    return "; ".join([*reasons, f"and {more} more"] if more else reasons), None if more else error


def _to_choice(members: tuple[Any, ...], value: Any) -> Any:
    """Make a value of the first type that takes it; of classes, of the one that knows most of its fields.

    :raises Mismatch: if none takes it; the reason is that of the first
    """
    readers = [_member(member) for member in members]
    if isinstance(value, dict):
        readers.sort(key=lambda reader: len(value.keys() - reader.schema.json.get("properties", {}).keys()))
    reason: Mismatch | None = None
    for reader in readers:
        try:
            return reader.value_of(value)
        except Mismatch as error:
            reason = reason or error
    raise reason or Mismatch("no type takes it")


def _mismatch(error: Exception) -> Mismatch:
    return Mismatch(_shortened(str(error)) or type(error).__name__)


def _shortened(reason: str) -> str:
    """Return a reason in one line that is not too long: it may quote the answer."""
    reason = " ".join(reason.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
