"""The rate limits and quotas of OpenAI-compatible services, and the wait that the body of an error names."""

from __future__ import annotations

import json
import re
from typing import Any

from requests.structures import CaseInsensitiveDict

from ...errors import QuotaExceededError, RateLimitError
from ...http.checks import rate_limit_error, says_rate_limit
from ...http.waits import MOST_SECONDS, named_wait, parse_duration, reset_wait, wait_in_text
from .fields import objects_in

_USED_UP_CODES = ("insufficient_quota", "billing_hard_limit", "access_terminated")
_LONG = r"(?i)per.?(?:day|week|month)|limit: 0(?![.\d])"
_SHORT = r"(?i)per.?(?:second|minute)"


def is_limit(label: str, said: str, status: int | None) -> bool:
    """Return whether an error is about how often or how much one may ask.

    :param label: the error's codes, in lower case
    :param said: its words
    """
    return status == 429 or "resource_exhausted" in label or says_rate_limit(f"{label} {said}")


def limit_error(error: Any, label: str, said: str, message: str, status: int | None) -> RateLimitError:
    """Make the error for a limit, with the wait that its body names.

    Gemini words a limit per minute as OpenAI words a used-up account; what it attaches tells them apart.

    :param error: the error as the service sent it
    :param label: its codes, in lower case
    :param said: its words
    :param message: what our error says
    """
    details = json.dumps(error.get("details")) if isinstance(error, dict) and error.get("details") else ""
    wait = _wait_in(error)
    made = rate_limit_error(f"{label} {said}", message, status=status)
    if any(code in label for code in _USED_UP_CODES) or (details and re.search(_LONG, details + said)):
        made = QuotaExceededError(message, status=status)
    elif wait is not None or re.search(_SHORT, details):
        made = RateLimitError(message, status=status)
    made.retry_after = wait_in_text(said) if wait is None else wait
    return made


def _wait_in(error: Any) -> float | None:
    """Find the wait among an error's fields: Google's ``retryDelay``, or headers that OpenRouter passes on."""
    if not isinstance(error, dict):
        return None
    for detail in objects_in(error.get("details")):
        if isinstance(delay := detail.get("retryDelay"), str):
            return parse_duration(delay)
    metadata = error.get("metadata")
    for holder in (error, metadata):
        seconds = holder.get("retry_after") if isinstance(holder, dict) else None
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0:
            return float(min(seconds, MOST_SECONDS))
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    if not isinstance(headers, dict):
        return None
    passed_on = CaseInsensitiveDict({str(name): str(value) for name, value in headers.items()})
    wait = named_wait(passed_on)
    return reset_wait(passed_on) if wait is None else wait
