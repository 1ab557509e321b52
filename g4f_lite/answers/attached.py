"""What services attach to messages and tool calls under names of their own, joined from its pieces."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby
from typing import Any

# Fields whose pieces are parts of one text; of any other the last piece counts.
_GROWING = frozenset(
    {"arguments", "content", "data", "input", "reasoning", "refusal", "signature", "summary", "text"}
    | {"thinking", "transcript"}
)
OBJECT_BYTES = 64  # of a list or an object, even an empty one
TEXT_BYTES = 32
NUMBER_BYTES = 8
_PLAIN = frozenset({str, int, float, bool, type(None)})


def join(fields: dict[str, Any], *pieces: dict[str, Any]) -> dict[str, Any]:
    """Join later pieces of a JSON object to what came before them, in place, and give that.

    Objects are joined name by name.  Items of lists are joined where both say the same ``index``, else they follow
    one another.  Texts grow in fields such as ``text`` and ``data``; any other value is replaced.  Many pieces at once
    take the time of one: a service may send a long text, and then thousands of pieces of it in one line.

    :param fields: what came before; the caller's own
    :param pieces: the later pieces, which are left as they are
    """
    for name in dict.fromkeys(name for piece in pieces for name in piece):
        if name not in fields and len(pieces) == 1:
            fields[name] = copied(pieces[0][name])
            continue
        fields.setdefault(name, None)
        values = (piece[name] for piece in pieces if piece.get(name) is not None)
        for kind, run in groupby(values, type):
            _add(fields, name, kind, list(run))
    return fields


def _add(fields: dict[str, Any], name: str, kind: type[Any], values: list[Any]) -> None:
    """Join values of one kind to what is under a name."""
    old = fields[name]
    if kind in (dict, list) and not isinstance(old, kind):
        old = fields[name] = copied(values.pop(0))
    if kind is dict:
        join(old, *values)
    elif kind is list:
        _join_lists(old, chain.from_iterable(values))
    elif kind is str and name in _GROWING:
        fields[name] = "".join((old, *values) if isinstance(old, str) else values)
    else:
        fields[name] = copied(values[-1])


def _join_lists(items: list[Any], more: Iterable[Any]) -> None:
    more = list(more)
    if are_plain(more):
        items += more
        return
    pieces: list[dict[str, Any]] = []  # of the last item
    for item in more:
        last = items[-1] if items else None
        if isinstance(last, dict) and isinstance(item, dict) and _is_same(last, item):
            pieces.append(item)
            continue
        if pieces:
            join(items[-1], *pieces)
            pieces = []
        items.append(copied(item))
    if pieces:
        join(items[-1], *pieces)


def _is_same(item: dict[str, Any], piece: dict[str, Any]) -> bool:
    return isinstance(item.get("index"), int) and all(item.get(name) == piece.get(name) for name in ("index", "type"))


def are_plain(values: Iterable[Any]) -> bool:
    """Return whether JSON values hold no others, as millions of numbers in a line do, which take no time so."""
    return _PLAIN.issuperset(map(type, values))


def copied(value: Any) -> Any:
    """Copy a JSON value."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return value.copy() if are_plain(value) else list(map(copied, value))
    return value


def size_of(value: Any) -> int:
    """Give about the bytes that a JSON value takes in memory."""
    if isinstance(value, str):
        return TEXT_BYTES + len(value)
    if isinstance(value, dict):
        return OBJECT_BYTES + sum(len(key) + size_of(inner) for key, inner in value.items())
    if isinstance(value, list):
        numbers = are_plain(value) and str not in map(type, value)
        return OBJECT_BYTES + (NUMBER_BYTES * len(value) if numbers else sum(map(size_of, value)))
    return NUMBER_BYTES
