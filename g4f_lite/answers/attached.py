"""What services attach to messages and tool calls under names of their own, joined from its pieces."""

from __future__ import annotations

import copy
from typing import Any

# Fields whose pieces are parts of one text; of any other the last piece counts.
_GROWING = frozenset(
    {"arguments", "content", "data", "input", "reasoning", "refusal", "signature", "summary", "text"}
    | {"thinking", "transcript"}
)
CONTAINER_BYTES = 64  # of a list or an object, even an empty one


def join(fields: dict[str, Any], piece: dict[str, Any]) -> dict[str, Any]:
    """Join a later piece of a JSON object to what came before it, in place, and give that.

    Objects are joined name by name.  Items of lists are joined where both say the same ``index``, else they follow
    one another.  Texts grow in fields such as ``text`` and ``data``; any other value is replaced.

    :param fields: what came before; the caller's own
    :param piece: the later piece, which is left as it is
    """
    for name, new in piece.items():
        old = fields.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            join(old, new)
        elif isinstance(old, list) and isinstance(new, list):
            _join_lists(old, new)
        elif isinstance(old, str) and isinstance(new, str) and name in _GROWING:
            fields[name] = None  # a text that nobody else holds is not copied to grow
            old += new
            fields[name] = old
        elif new is not None or name not in fields:
            fields[name] = copy.deepcopy(new)
    return fields


def _join_lists(items: list[Any], more: list[Any]) -> None:
    for item in more:
        last = items[-1] if items else None
        if isinstance(last, dict) and isinstance(item, dict) and _is_same(last, item):
            join(last, item)
        else:
            items.append(copy.deepcopy(item))


def _is_same(item: dict[str, Any], piece: dict[str, Any]) -> bool:
    return isinstance(item.get("index"), int) and all(item.get(name) == piece.get(name) for name in ("index", "type"))


def size_of(value: Any) -> int:
    """Give about the bytes that a JSON value takes in memory."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return CONTAINER_BYTES + sum(len(key) + size_of(inner) for key, inner in value.items())
    if isinstance(value, list):
        return CONTAINER_BYTES + sum(map(size_of, value))
    return 8
