"""How long an engine waits for the next request: seconds, or as Ollama writes it."""

from __future__ import annotations

import math
import re
from typing import Any

KeepAlive = float | int | str
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(keep_alive: Any) -> float:
    """Return the seconds in ``300``, ``"5m"`` or ``"1h30m"``; any negative number is -1, for ever.

    :raises TypeError: if it is neither a number nor a string
    :raises ValueError: if it is not a duration
    """
    if isinstance(keep_alive, bool) or not isinstance(keep_alive, (int, float, str)):
        raise TypeError(f"keep_alive must be seconds or a string such as '5m', not {type(keep_alive).__name__}")
    text = str(keep_alive).strip()
    try:
        seconds = float(text)
    except ValueError:
        sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
        if not text or _PART.sub("", text):
            raise ValueError(f"keep_alive must be seconds or a string such as '5m', not {keep_alive!r}") from None
        seconds = sign * sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if math.isnan(seconds):
        raise ValueError("keep_alive must be seconds, not NaN")
    return seconds if 0 <= seconds < math.inf else -1.0
