"""A field that a server refuses, and that a prompt can be sent without."""

from __future__ import annotations

import re
from typing import Any

from ...errors import G4FLiteError, ProviderError

# Of a refusal that names it, the field that is given up; the first that fits.
STREAM_OPTIONS, MAX_TOKENS, STREAM = "stream_options", "max_tokens", "stream"
_NAMED = {
    STREAM_OPTIONS: r"(?i)\bstream_options\b",
    MAX_TOKENS: r"\bmax_tokens\b",
    STREAM: r"(?i)\bstream(?:ing|ed)?\b",
}
# Of max_tokens there are refusals of its value, too, in which its new name might be ignored, and with it the limit.
_UNKNOWN = (
    r"(?i)max_completion_tokens|unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|forbidden"
    r"|not allowed|deprecated|no longer"
)


def refused_field(error: G4FLiteError, body: dict[str, Any], ours: set[str]) -> str | None:
    """Find the field that a server refuses and that may be given up; None where there is none.

    :param error: what the server answered
    :param body: what it was sent
    :param ours: fields that the caller has not asked for
    """
    if not isinstance(error, ProviderError) or error.status not in (400, 422):
        return None
    said = f"{error.message} {error.body}"
    for field, named in _NAMED.items():
        if field not in body or not re.search(named, said):
            continue
        if field == MAX_TOKENS:
            return field if re.search(_UNKNOWN, said) and "max_completion_tokens" not in body else None
        if field in ours:
            return field
    return None


def give_up(field: str, body: dict[str, Any]) -> None:
    """Take a refused field out of what is sent; a limit on tokens keeps its value under its newer name."""
    if field == MAX_TOKENS:
        if MAX_TOKENS in body:
            body.setdefault("max_completion_tokens", body.pop(MAX_TOKENS))
        return
    body.pop(field, None)
    if field == STREAM:
        body.pop(STREAM_OPTIONS, None)
