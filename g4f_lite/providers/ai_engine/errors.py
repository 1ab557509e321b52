"""The errors of AI Engine, and of the WordPress below it."""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import AuthenticationError, G4FLiteError, ProviderError, QuotaExceededError, ServiceError
from ...http.checks import rate_limit_error, says_rate_limit, shorten
from ...timeout import PASSING_STATUSES
from ..too_long import is_too_long, too_long

MESSAGE_LIMIT = 512  # characters of a message on a site that has not raised it; bytes in 2.4.4
READ_CHARACTERS = 4000  # of an error's text; a number of more digits is one that Python refuses to read

_REFUSED_NONCE = ("rest_forbidden", "rest_cookie_invalid_nonce")
_BUSY = PASSING_STATUSES - {500}  # whoever writes their body; the plugin answers 500 itself
_ALL_USERS_LIMIT = "went to sleep"  # of the plugin's default text when the limit for all users is used up


def service_error(status: int, parsed: Any, message: str = "") -> G4FLiteError | None:
    """Read the JSON of a refused request; None where it is neither the plugin's nor WordPress's.

    :param message: what was asked
    """
    said = parsed.get("message") if isinstance(parsed, dict) else None
    if not isinstance(said, str):
        return None
    refused, code = parsed.get("success") is False, parsed.get("code")
    error = error_of(said, status, message if refused else "")
    if refused or type(error) is not ServiceError:
        return error
    if code in _REFUSED_NONCE or (code and status in (401, 403)):
        return AuthenticationError(error.message, status=status)
    if code == "rest_no_route":
        hint = "is this the site's address, and is AI Engine switched on there?"
        return ServiceError(f"{error.message} ({hint})", status=status)
    return None if status in _BUSY or not code else error


def error_of(said: Any, status: int, message: str) -> ProviderError:
    """Make the error of a text that the site sent, which may hold HTML.

    :param message: what was asked
    """
    import html  # with its table of 2,000 names

    text = (said if isinstance(said, str) else json.dumps(said))[:READ_CHARACTERS]
    text = shorten(html.unescape(re.sub(r"<[^<>]*>", " ", text))) or "an error without a message"
    if _ALL_USERS_LIMIT in text:
        return QuotaExceededError(text, status=status)
    if says_rate_limit(text):
        return rate_limit_error(text, text, status=status)
    if is_too_long("", text, status):  # of the site's model
        return too_long(text, status)
    if len(message.encode()) > MESSAGE_LIMIT and ":" not in text:  # a text with a colon is the site's model's
        text += (
            f" The message has {len(message):,} characters; a site takes {MESSAGE_LIMIT} unless its owner"
            " raised that limit (old versions count bytes), and earlier turns are not counted"
        )
    return ServiceError(text, status=status, may_retry=False)
