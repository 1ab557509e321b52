"""What all results of the API can do: be written as JSON, and carry what a service adds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..answers.response import Response
from ..http.checks import request_id_of

Self = TypeVar("Self", bound="Extended")


class Result:
    """What all results can do: be written as JSON."""

    __slots__ = ()
    nullable: ClassVar[frozenset[str]] = frozenset()  # fields that the API sends as null; others it leaves out

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON that the API would send, as plain types."""
        return {
            name: _plain(value, lean=True)
            for name, value in self._items()
            if value is not None or name in type(self).nullable
        }

    def model_dump(self, *, exclude_none: bool = False, exclude_unset: bool = False) -> dict[str, Any]:
        """Return all fields as plain types; those that are None too, unless ``exclude_none``.

        :param exclude_unset: without what the API would not send, as :meth:`to_dict`
        """
        if exclude_unset:
            return self.to_dict()
        return {
            name: _plain(value, lean=False, exclude_none=exclude_none)
            for name, value in self._items()
            if value is not None or not exclude_none
        }

    def model_dump_json(
        self, *, indent: int | None = None, exclude_none: bool = False, exclude_unset: bool = False
    ) -> str:
        """Give :meth:`model_dump` as a JSON string."""
        separators = None if indent else (",", ":")
        dumped = self.model_dump(exclude_none=exclude_none, exclude_unset=exclude_unset)
        return json.dumps(dumped, indent=indent, ensure_ascii=False, separators=separators)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Give :meth:`to_dict` as a JSON string."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def _items(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):  # type: ignore[arg-type]  # each subclass is a dataclass
            if not each.name.startswith("_"):
                yield each.name, getattr(self, each.name)


class Answered(Result):
    """A result that knows the head of its response.

    A subclass has the fields ``_response`` and ``_attempts``, which are no part of the JSON.
    """

    __slots__ = ()

    @property
    def _request_id(self) -> str | None:
        """The service's id of the request; the name is that of OpenAI's client."""
        response: Response | None = getattr(self, "_response", None)
        return None if response is None else request_id_of(response.headers)

    def __reduce__(self) -> tuple[Any, ...]:  # without the headers, which may hold a secret
        every = fields(self)  # type: ignore[arg-type]  # each subclass is a dataclass
        kept = {each.name: getattr(self, each.name) for each in every if each.name != "_response"}
        return _restored, (type(self), kept)


def _restored(kind: Callable[..., Answered], kept: dict[str, Any]) -> Answered:
    return kind(**kept)


class Extended(Result):
    """A result to which services add fields of their own: they are attributes, and part of the JSON.

    A subclass has a field ``extra`` that holds them; None where there are none.
    """

    __slots__ = ()
    documented: ClassVar[frozenset[str]] = frozenset()  # names of the API that are None if the service sent nothing

    @classmethod
    def read(cls: type[Self], reported: Mapping[str, Any], **usual: Any) -> Self:
        """Make a result of a JSON object; what it has no field for is added.

        :param usual: what stands for fields that the object lacks
        """
        make: Any = cls
        own = {each.name for each in fields(make)} - {"extra"}
        known = {name: value for name, value in reported.items() if name in own}
        made: Self = make(
            **{**usual, **known}, extra={name: value for name, value in reported.items() if name not in own} or None
        )
        return made

    def _items(self) -> Iterator[tuple[str, Any]]:
        extra: dict[str, Any] = getattr(self, "extra", None) or {}
        own = [(name, value) for name, value in super()._items() if name != "extra"]
        yield from own
        names = {name for name, _ in own}
        yield from ((name, value) for name, value in extra.items() if name not in names)

    if not TYPE_CHECKING:  # a type checker should find the names that are misspelt

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_") and name != "extra" and name in (self.extra or {}):
                return _with_attributes(self.extra[name])
            if name in self.documented:
                return None
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Fields(dict[str, Any]):
    """A JSON object of a service's own, whose members are attributes too: ``message.audio.transcript``."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in self:
                return _with_attributes(self[name])
            raise AttributeError(f"the service sent no {name!r}; it sent {', '.join(map(repr, self)) or 'nothing'}")


def _with_attributes(value: Any) -> Any:
    if isinstance(value, dict):
        return Fields(value)
    return [_with_attributes(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any, *, lean: bool, exclude_none: bool = False) -> Any:
    if isinstance(value, Result):
        return value.to_dict() if lean else value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_plain(item, lean=lean, exclude_none=exclude_none) for item in value]
    return value
