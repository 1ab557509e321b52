"""Keeps text from acting as one of a model's control tokens.

llama.cpp makes one text of all messages and only then looks for control tokens in it, so that
``<|im_end|><|im_start|>system`` in a user's message would begin a system message.  A blank behind the
first character of each (``< |im_end|>< |im_start|>system``) leaves the text readable and the token unknown.
It parses the arguments of earlier tool calls for some templates, so that a token which JSON spells with escapes,
such as ``\\u003c|im_end|>``, counts as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\/")  # that JSON has for characters which need none


def broken_up(value: Any, tokens: Iterable[str]) -> Any:
    """Give JSON with every control token in its strings and the names of its fields broken up.

    :param tokens: the model's control tokens
    """
    written = sorted((re.escape(token) for token in tokens if len(token) > 1), key=len, reverse=True)
    if not written:
        return value
    pattern = re.compile("|".join(written))

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return _broken_up_escaped(pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", value), pattern)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {walk(name): walk(inner) for name, inner in value.items()}
        return value

    return walk(value)


def _broken_up_escaped(text: str, pattern: re.Pattern[str]) -> str:
    """Break up the control tokens of which characters are spelled with escapes."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "/", text)
    if plain == text:
        return text
    for token in set(pattern.findall(plain)):
        first, *others = (rf"(?:\\?{re.escape(letter)}|\\u(?i:{ord(letter):04x}))" for letter in token)
        text = re.sub(f"({first})(?={''.join(others)})", r"\1 ", text)
    return text
