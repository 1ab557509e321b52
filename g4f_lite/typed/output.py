"""A type as the goal of an answer: its schema, and how text becomes a value of it."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeVar

from ..answers.json_text import without_fence
from ..errors import MissingDependencyError

try:
    import msgspec
    import msgspec.inspect
except ImportError as error:
    raise MissingDependencyError('typed answers need msgspec: pip install "g4f-lite[typed]"') from error

from .choice import members_of
from .lenient import fitted, json_in, plain_json
from .mismatch import Mismatch
from .schema import Schema, described, schema_of, written
from .thoughts import without_thoughts

T = TypeVar("T")
_LONGEST_QUOTE = 80  # of a text in an error
_LONGEST_REASON = 1_000  # characters: msgspec quotes whole values of the answer
_MOST_REASONS = 10  # of a pydantic model
_MOST_MISTAKES = 1_000  # for pydantic to list them, which takes it some microseconds and 700 bytes for each


class Output(Generic[T]):
    """A type of answers.

    :param kind: the type
    :ivar name: the type as one writes it, for errors
    :raises TypeError: if it cannot be one
    """

    schema: Schema

    def __init__(self, kind: Any) -> None:
        if isinstance(kind, str | int | float | list | dict):
            hint = "; a JSON schema goes into response_format=" if isinstance(kind, dict) else ""
            raise TypeError(f"output= takes a type, such as a dataclass or list[str], and not {kind!r:.80}{hint}")
        self.name = written(kind)
        try:
            self.schema = schema_of(kind)
            self._kind = described(kind)
            self._shape = msgspec.inspect.type_info(self._kind)
            root = msgspec.defstruct("Answer", [("value", self._kind)]) if self.schema.wrapped else self._kind
            self._decoder = msgspec.json.Decoder(root, dec_hook=_to_model)
        except NameError as error:
            raise TypeError(f"a type hint in {kind!r:.80} cannot be resolved: {error}") from error

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

    def strictly(self, text: str) -> T:
        """Convert a text that is JSON of the schema.

        :raises Mismatch: if it is not
        """
        try:
            value = self._decoder.decode(str(text))  # msgspec takes no subclass, such as an Answer
        except Exception as error:  # also those that a constructor of the type raises
            raise _mismatch(error) from error
        return value.value if self.schema.wrapped else value  # type: ignore[no-any-return]

    def convert(self, text: str) -> T:
        """Convert a text that is nearly so: JSON among other text, numbers in quotes, other case.

        :raises Mismatch: if there is no value of the type in it, or several different ones
        """
        text = without_thoughts(text)
        for exact in _exact(text):
            with suppress(Mismatch):
                return self.strictly(exact)
        return self._found(text)[1]

    def begins_with(self, elements: list[str], text: str) -> bool:
        """Return whether the list that ``convert`` finds in a text begins with these elements, which are JSON.

        :raises Mismatch: if there is no value of the type in it, or several different ones
        """
        return bool(self._plain(without_thoughts(text))[: len(elements)] == list(map(plain_json, elements)))

    def _plain(self, text: str) -> Any:
        """Return what ``convert`` makes the value of, as plain JSON types."""
        for exact in _exact(text):
            with suppress(Mismatch):
                self.strictly(exact)
                whole = plain_json(exact)
                return whole["value"] if self.schema.wrapped else whole
        return self._found(text)[0]

    def convert_part(self, text: str) -> T:
        """Convert a text that is the JSON of a part of an answer, as ``convert`` does with the whole.

        :raises Mismatch: if it is not a value of the type
        """
        with suppress(Mismatch):
            return self.strictly(f'{{"value": {text}}}' if self.schema.wrapped else text)
        return self.value_of(plain_json(text))

    def _found(self, text: str) -> tuple[Any, T]:
        """Return the value among other text, as plain JSON types and converted.

        :raises Mismatch: if there is none, or several different ones
        """
        reason: Mismatch | None = None
        fits: list[tuple[Any, T]] = []
        try:
            for found in json_in(text):
                try:
                    fits.append((found, self.value_of(self._unwrapped(found))))
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
                    return alone, self.value_of(alone)
        quoted = text.strip()[:_LONGEST_QUOTE]
        raise reason or Mismatch(f"expected JSON, got {quoted!r}" if quoted else "there is no text")

    def value_of(self, value: Any) -> T:
        """Convert plain JSON types leniently.

        :raises Mismatch: if it does not fit
        """
        try:
            fit = fitted(value, self._shape)
            converted: T = msgspec.convert(fit, self._kind, strict=False, str_keys=True, dec_hook=_to_model)
        except Exception as error:
            raise _mismatch(error) from error
        return converted

    def element(self) -> Output[Any]:
        """Return the output for the elements of a list.

        :raises TypeError: if the type is not a list
        """
        kind = self._kind
        while typing.get_origin(kind) is Annotated:
            kind = typing.get_args(kind)[0]
        if typing.get_origin(kind) is not list:
            raise TypeError(f"items() gives the elements of a list; pass output=list[…], not {kind!r:.80}")
        return Output.of(typing.get_args(kind)[0])

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
    outputs = [Output.of(member) for member in members]
    if isinstance(value, dict):
        outputs.sort(key=lambda output: len(value.keys() - output.schema.json.get("properties", {}).keys()))
    reason: Mismatch | None = None
    for output in outputs:
        try:
            return output.value_of(value)
        except Mismatch as error:
            reason = reason or error
    raise reason or Mismatch("no type takes it")


def _mismatch(error: Exception) -> Mismatch:
    return Mismatch(_shortened(str(error)) or type(error).__name__)


def _shortened(reason: str) -> str:
    """Return a reason in one line that is not too long: it may quote the answer."""
    reason = " ".join(reason.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
