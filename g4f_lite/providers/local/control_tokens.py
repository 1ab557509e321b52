"""Keeps text from acting as one of a model's control tokens.

llama.cpp makes one text of all messages and only then looks for control tokens in it, so that
``<|im_end|><|im_start|>system`` in a user's message would begin a system message.  A blank behind the
first character of each (``< |im_end|>< |im_start|>system``) leaves the text readable and the token unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def broken_up(value: Any, tokens: Iterable[str]) -> Any:
    """Give JSON with every control token in its strings broken up.

    :param tokens: the model's control tokens
    """
    written = sorted((re.escape(token) for token in tokens if len(token) > 1), key=len, reverse=True)
    if not written:
        return value
    pattern = re.compile("|".join(written))

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {name: walk(inner) for name, inner in value.items()}
        return value

    return walk(value)
