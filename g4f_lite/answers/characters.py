"""Whole characters out of pieces that a service cut in the middle of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..messages import SURROGATE, valid_text
from .deltas import Delta, Finish, OtherChoice, Reasoning, Refusal, ToolCallDelta, check_delta

# JSON writes a character such as an emoji as a pair of surrogates, \ud83d\ude42.  A service that cuts between them
# sends two halves that are valid JSON, and no text that could be printed or saved.
_FIRST_HALF = re.compile(r"[\ud800-\udbff]\Z")
_LONE = "\ufffd"
MAX_HALVES = 1_000  # that wait for the other one, each in a choice or a call of its own
_WITH_TEXT = (str, ToolCallDelta, Reasoning, Refusal)

Where = tuple[type[Any], int, int]  # the kind of delta, its choice, and its tool call


def whole_characters(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """Pass a provider's deltas on with the halves of a character joined, and a lone half as U+FFFD.

    :raises HookError: if one is not a delta
    """
    halves: dict[Where, str] = {}
    for delta in deltas:
        if type(delta) is str and not halves and (delta.isascii() or not SURROGATE.search(delta)):
            yield delta
            continue
        check_delta(delta, "deltas")
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
