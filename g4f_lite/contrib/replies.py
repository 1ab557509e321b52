"""What a web server of ours writes into its responses: JSON that browsers read, and how long to wait."""

from __future__ import annotations

import math
from typing import Any

from .. import messages

MOST_SECONDS = 86_400.0  # that a client is told to wait


def to_json(value: Any) -> str:
    """Write a value as JSON that ``JSON.parse`` reads, whatever a service has sent.

    NaN and the infinities, for which JSON has no word, become null, and half of a character U+FFFD.
    """
    return messages.valid_text(messages.to_json(value, ensure_ascii=False, separators=(",", ":")))


def retry_after(seconds: float) -> str:
    """Return the value of a Retry-After header: whole seconds, at least one and at most a day."""
    return str(math.ceil(max(1.0, min(seconds, MOST_SECONDS))))
