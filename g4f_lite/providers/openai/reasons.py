"""What an error really says: the reason of whoever failed, and not the phrase of a gateway before it."""

from __future__ import annotations

import json
from typing import Any

from ...errors import ResponseFormatError
from ...http.parsing import parse_json
from ...messages import valid_text
from .fields import text_in

# Where services put an error's words, the most telling first.
_WORDS = (
    *("message", "msg", "detail", "error_description", "error_message", "error_msg", "errorMessage"),
    *("status_msg", "reason", "description", "title", "error", "errors", "err"),
)
_DEEPEST = 5  # errors inside errors that are looked into
_MOST = 5  # errors in a list that are told


def reason_of(error: Any, depth: int = 0) -> str:
    """Return the words of an error in any of the shapes in use; "" where it has none.

    What a service behind a gateway said stands first, and the gateway's own phrase behind it.
    """
    if depth > _DEEPEST or error is None or isinstance(error, bool):
        return ""
    if isinstance(error, str):
        return _unpacked(error, depth) if error.lstrip()[:1] in ("{", "[") else valid_text(error)
    if isinstance(error, list):
        return "; ".join(filter(None, (reason_of(item, depth + 1) for item in error[:_MOST])))
    if not isinstance(error, dict):
        return json.dumps(error)
    own = next(filter(None, (reason_of(error.get(name), depth + 1) for name in _WORDS)), "")
    if isinstance(error.get("loc"), list):  # of a check of fields: which one is wrong
        own = f"{'.'.join(map(str, error['loc']))}: {own}"
    deeper = _behind_gateway(error.get("metadata"), depth)
    return f"{deeper} ({own})" if deeper and own and deeper not in own else deeper or own


def attempt_of(error: Any) -> str:
    """Return what the model wrote that the service could not use, as Groq sends it; "" where there is nothing."""
    return text_in(error, "failed_generation")


def _unpacked(text: str, depth: int) -> str:
    """Return the reason in an error that a gateway passed on as text."""
    try:
        return reason_of(parse_json(text), depth + 1) or text
    except ResponseFormatError:
        return valid_text(text)


def _behind_gateway(metadata: Any, depth: int) -> str:
    """Return what the service behind OpenRouter said."""
    if not isinstance(metadata, dict):
        return ""
    said = reason_of(metadata.get("raw"), depth + 1) or reason_of(metadata.get("reasons"), depth + 1)
    name = text_in(metadata, "provider_name")
    return f"{name}: {said}" if said and name else said
