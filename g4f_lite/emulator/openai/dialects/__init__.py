"""Every dialect by name."""

from __future__ import annotations

from difflib import get_close_matches

from ..dialect import Dialect
from . import addresses, deltas, errors, events, lists, rates, requests, tool_calls

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for module in (errors, rates, requests, events, deltas, tool_calls, addresses, lists)
    for dialect in module.DIALECTS
}


def find_dialects(names: tuple[str, ...]) -> list[Dialect]:
    """Return the dialects of these names, in this order.

    :raises ValueError: if there is no such dialect
    """
    for name in names:
        if name not in DIALECTS:
            near = get_close_matches(name, DIALECTS) or ["the names in DIALECTS"]
            raise ValueError(f"there is no dialect {name!r}; use {' or '.join(near)}")
    return [DIALECTS[name] for name in names]
