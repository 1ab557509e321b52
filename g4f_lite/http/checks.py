"""Decides what came: a challenge page, the service's own error, an error status, or the beginning of an answer."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Callable
from datetime import timezone
from typing import Any
from urllib.parse import urlsplit

from ..errors import (
    AuthenticationError,
    ChallengeError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    TransportError,
)
from .body import BLANK, Body, parse_json

ERROR_BODY_BYTES = 64 * 1024
SHOWN_CHARACTERS = 300

# Patterns are compiled by re at their first use: a failure needs them, an import does not.
# Words on the pages of Cloudflare, DDoS-Guard and the captcha services.
_CHALLENGE = (
    r"(?i)just a moment|cf-chl|cf_chl|cf-browser-verification|challenge-platform|cf-turnstile|cf-error|cf-wrapper"
    r"|attention required|captcha|ddos-guard|checking your browser|verify(?:ing)? (?:that )?you are (?:a )?human"
    r"|enable javascript and cookies"
)
_RATE_LIMIT = r"(?i)rate.?limit|too many requests"
_USED_UP = (
    r"(?i)reached (?:the|your) (?:\w{1,30} ){0,5}limit|insufficient.quota|exceeded your current quota|usage limit"
    r"|out of credit|limit (?:has been )?(?:reached|exceeded) for (?:today|this)"
)

# Takes the status, the parsed JSON (or None) and the text of a refused request; gives the service's own error, or None.
ServiceErrorReader = Callable[[int, Any, str], "G4FLiteError | None"]


def check(body: Body, service_error: ServiceErrorReader) -> None:
    """Raise unless the response is the beginning of an answer.  The body decides, not its Content-Type.

    :param body: the response
    :param service_error: reads the service's own error bodies
    :raises G4FLiteError: of the kind that fits best
    """
    if 200 <= body.status < 300:
        if body.peek().lstrip(BLANK).startswith(b"<"):
            text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
            raise_challenge(body, text)
            raise ResponseFormatError(
                f"expected an answer, got a web page: {shorten(_visible(text))!r}", status=body.status
            )
        return
    text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
    raise_challenge(body, text)
    try:
        parsed = parse_json(text.lstrip("\ufeff"))
    except ResponseFormatError:
        parsed = None
    error = service_error(body.status, parsed, text) or error_for_status(body, text)
    if isinstance(error, ProviderError) and error.retry_after is None:
        error.retry_after = parse_retry_after(body.headers.get("Retry-After"))
    raise error


def raise_challenge(body: Body, text: str) -> None:
    """Raise if a response is a page that asks for a human being.

    :param body: the response
    :param text: the beginning of its body
    :raises ChallengeError: it is such a page
    """
    is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
    if body.headers.get("cf-mitigated") or (is_page and re.search(_CHALLENGE, text)):
        raise ChallengeError(
            f"{body.origin} answered with a page that asks for a human being ({shorten(_visible(text), 60)!r}); "
            "this library does not get past such pages. Use another provider, or the site in a browser.",
            status=body.status,
        )


def error_for_status(body: Body, text: str) -> G4FLiteError:
    """Make the error for an error status whose body says nothing that is known."""
    is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
    status, shown = body.status, shorten(_visible(text) if is_page else text)
    said = f": {shown}" if shown else ""
    if is_page:
        page = shorten(_visible(re.sub(r"(?is)<title\b.*?</title\s*>", " ", text)) or shown, 60)
        said = f", with a web page in place of an answer: {page!r}"
    target = body.headers.get("Location")
    if 300 <= status < 400 and target:
        return ResponseStatusError(
            f"{body.origin} redirects to {shorten(target)}; prompts are not sent on. "
            "If that is the right place, give it as base_url",
            status=status,
            body=shown,
        )
    if status == 407:
        return TransportError(f"the proxy refused the request with status 407{said}", cause="proxy")
    if status in (401, 403):
        return AuthenticationError(f"refused with status {status}{said}", status=status)
    if status == 402:
        return QuotaExceededError(f"payment is required (status 402){said}", status=status)
    if status == 429:
        return rate_limit(text, f"too many requests (status 429){said}", status=status)
    place = "" if said else f" from {body.origin}{urlsplit(body.response.url).path}"
    return ResponseStatusError(f"status {status}{place}{said}", status=status, body=shown)


def rate_limit(text: str, message: str, *, status: int | None = None) -> RateLimitError:
    """Make the error for a rate limit: QuotaExceededError where the text says that an allowance is used up."""
    kind = QuotaExceededError if re.search(_USED_UP, text) else RateLimitError
    return kind(message, status=status)


def says_rate_limit(text: str) -> bool:
    """Tell whether a service's error text is about a limit on how often or how much may be sent."""
    return bool(re.search(_RATE_LIMIT, text) or re.search(_USED_UP, text))


def refuses_headers(error: BaseException) -> bool:
    """Tell whether an error says that the request's headers were too large; cookies make them so.

    nginx, Apache and gunicorn say it with status 400 in words of their own, others with 431.
    """
    if not isinstance(error, ProviderError):
        return False
    too_large = r"(?i)(?:header|cookie).{0,30}(?:too (?:large|long|big)|limit)"
    text = f"{error.message} {getattr(error, 'body', '')}"
    return error.status == 431 or (error.status == 400 and re.search(too_large, text) is not None)


def parse_retry_after(value: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date (RFC 9110 §10.2.3).

    :param value: the header's value; None where there is no such header
    :param now: tells the time in seconds since the epoch
    :returns: seconds to wait, 0 for a past date, None where the value makes no sense
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"\d+(\.\d*)?", value, re.ASCII):
        return float(value)  # an enormous number of digits becomes infinity
    try:
        date = email.utils.parsedate_to_datetime(value)
        wait = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, wait) if math.isfinite(wait) else None


def shorten(text: str, length: int = SHOWN_CHARACTERS) -> str:
    """Fold the white space of a text and cut it, for a message; what is far behind is not read."""
    text = " ".join(text[:ERROR_BODY_BYTES].split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _visible(page: str) -> str:
    """Give roughly the text that a browser would show of an HTML page."""
    page = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|\Z)", " ", page)
    return re.sub(r"<[^>]*>?", " ", page)
