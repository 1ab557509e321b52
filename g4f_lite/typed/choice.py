"""A choice of types that msgspec takes alone only, such as two dataclasses, or a pydantic model and a number."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

# What a class has whose values are objects in JSON: one of these.
_MARKS = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "__required_keys__", "_fields")
_MODEL = "model_json_schema"


class _Kind(type):
    """Lets any value be an instance: msgspec checks what its hook returns, which has checked it already."""

    members: tuple[Any, ...]

    def __instancecheck__(cls, instance: object) -> bool:
        return True


def choice_of(members: tuple[Any, ...]) -> type | None:
    """Return a class that stands for a choice of types; None if msgspec knows the choice itself.

    :param members: the types, without None
    """
    models = [member for member in members if hasattr(member, _MODEL)]
    others = [member for member in members if any(hasattr(member, mark) for mark in _MARKS)]
    with_tags = all(isinstance(other, type) and issubclass(other, msgspec.Struct) for other in others)
    is_known = len(members) == 1 or (not models and (len(others) < 2 or with_tags))
    return None if is_known else _made(members)


@lru_cache(maxsize=128)
def _made(members: tuple[Any, ...]) -> type:
    return _Kind("Choice", (), {"members": members})


def members_of(kind: type) -> tuple[Any, ...]:
    """Return the types that a class stands for; an empty tuple if it is another class."""
    return kind.members if isinstance(kind, _Kind) else ()
