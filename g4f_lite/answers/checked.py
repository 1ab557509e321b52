"""The deltas that a provider yields, as everybody relies on them: each is one, and its characters are whole."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..errors import HookError
from ..messages import SURROGATE, valid_text
from .deltas import (
    COUNTS,
    DELTAS,
    Attached,
    Delta,
    Finish,
    OtherChoice,
    Reasoning,
    Refusal,
    Revision,
    ToolCallDelta,
    Usage,
    shown,
)

# JSON writes a character such as an emoji as a pair of surrogates, \ud83d\ude42.  A service that cuts between them
# sends two halves that are valid JSON, and no text that could be printed or saved.
_FIRST_HALF = re.compile(r"[\ud800-\udbff]\Z")
_LONE = "\ufffd"
MAX_HALVES = 1_000  # that wait for the other one, each in a choice or a call of its own
_WITH_TEXT = (str, ToolCallDelta, Reasoning, Refusal)

Where = tuple[type[Any], int, int]  # the kind of delta, its choice, and its tool call


# What the fields of a delta must be; everything that is made of an answer relies on it.
_FIELDS: dict[type, tuple[tuple[str, str, tuple[type, ...]], ...]] = {
    Reasoning: (("text", "str", (str,)),),
    Refusal: (("text", "str", (str,)),),
    Revision: (("text", "str", (str,)),),
    ToolCallDelta: (("index", "int", (int,)), ("arguments", "str", (str,))),
    Attached: (("fields", "dict", (dict,)),),
    Usage: (
        *((name, "int", (int,)) for name in COUNTS[:3]),
        *((name, "int or None", (int, type(None))) for name in COUNTS[3:]),
        ("extra", "dict", (dict,)),
    ),
    Finish: (("reason", "str or None", (str, type(None))),),
    OtherChoice: (("index", "int", (int,)),),
}


def checked(deltas: Iterable[Delta], hook: str) -> Generator[Delta, None, None]:
    """Return a provider's deltas with the halves of a character joined, and a lone half as U+FFFD.

    :param hook: the name of the method that yields them, for the error
    :raises HookError: if one is not a delta, or one of its fields has a wrong type
    """
    halves: dict[Where, str] = {}
    for delta in deltas:
        if type(delta) is str and not halves and (delta.isascii() or not SURROGATE.search(delta)):
            yield delta
            continue
        _check(delta, hook)
        if halves and isinstance(delta, Finish):
            yield from _left_over(halves)
        choice, inner = (delta.index, delta.delta) if isinstance(delta, OtherChoice) else (0, delta)
        if not isinstance(inner, _WITH_TEXT):
            yield delta
            continue
        text = inner if isinstance(inner, str) else inner.arguments if isinstance(inner, ToolCallDelta) else inner.text
        where = type(inner), choice, inner.index if isinstance(inner, ToolCallDelta) else 0
        if where not in halves and (text.isascii() or not SURROGATE.search(text)):
            yield delta
            continue
        text = halves.pop(where, "") + text
        if len(halves) == MAX_HALVES:
            yield from _left_over(halves)
        if half := _FIRST_HALF.search(text):
            halves[where] = half.group()
            text = text[:-1]
        if text or isinstance(inner, ToolCallDelta):
            whole = _with_text(inner, valid_text(text))
            yield OtherChoice(choice, whole) if choice else whole
    if halves:
        yield from _left_over(halves)


def _left_over(halves: dict[Where, str]) -> Iterator[Delta]:
    for kind, choice, index in halves:
        empty: Delta = ToolCallDelta(index) if kind is ToolCallDelta else "" if issubclass(kind, str) else kind("")
        delta = _with_text(empty, _LONE)
        yield OtherChoice(choice, delta) if choice else delta
    halves.clear()


def _with_text(delta: Delta, text: str) -> Delta:
    if isinstance(delta, (Reasoning, Refusal)):
        return replace(delta, text=text)
    return replace(delta, arguments=text) if isinstance(delta, ToolCallDelta) else text


def _check(value: object, hook: str) -> None:
    """Check what a hook of a provider yielded, and was not text.

    :raises HookError: if it is not a delta, or one of its fields has a wrong type
    """
    if not isinstance(value, DELTAS):
        raise not_a_delta(value, hook)
    for name, wanted, kinds in _FIELDS.get(type(value), ()):
        if not isinstance(found := getattr(value, name), kinds):
            what = f"{type(value).__name__} with {name}={found!r:.80}"
            raise HookError(f"yielded {what}; make it {wanted}", step=hook)
    if isinstance(value, OtherChoice):
        _check(value.delta, hook)


def not_a_delta(value: object, hook: str) -> HookError:
    """Make the error for what a hook of a provider yielded in place of a delta."""
    hint = "yield str, Finish or another Delta"
    if isinstance(value, (bytes, bytearray)):
        hint = 'write .decode("utf-8", "replace")'
    return HookError(f"yielded {shown(value)}; {hint}", step=hook)
