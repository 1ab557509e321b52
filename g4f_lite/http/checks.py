"""Decides what kind of answer came: a challenge page, the service's own error, a status, or an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import (
    AuthenticationError,
    ChallengeError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    TransportError,
)
from .body import BLANK, Body, parse_json
from .redact import without_credentials
from .waits import named_wait, reset_wait

ERROR_BODY_BYTES = 64 * 1024
SHOWN_CHARACTERS = 300

# Words of Cloudflare's, DDoS-Guard's and the captcha services' pages.
_CHALLENGE = re.compile(
    r"just a moment|cf-chl|cf_chl|cf-browser-verification|challenge-platform|cf-turnstile|cf-error|cf-wrapper"
    r"|attention required|captcha|ddos-guard|checking your browser|verify(?:ing)? (?:that )?you are (?:a )?human"
    r"|enable javascript and cookies",
    re.IGNORECASE,
)
_RATE_LIMIT = re.compile(r"rate.?limit|too many requests", re.IGNORECASE)
_USED_UP = re.compile(
    r"reached (?:the|your) (?:\w{1,30} ){0,5}limit|insufficient.quota|exceeded your current quota|usage limit"
    r"|out of credit|limit (?:has been )?(?:reached|exceeded) for (?:today|this)",
    re.IGNORECASE,
)

# OpenAI's and most others', Anthropic's, Azure's, Amazon's.
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid")

# Reads (status, parsed JSON or None, text) of a refused request as the service's own error, or gives None.
ServiceErrorReader = Callable[[int, Any, str], "G4FLiteError | None"]


def check(body: Body, service_error: ServiceErrorReader) -> None:
    """Raise unless the response is the beginning of an answer.  The body decides, not its Content-Type.

    :param service_error: knows the service's own error bodies
    :raises G4FLiteError: the kind that fits best
    """
    if 200 <= body.status < 300:
        if body.peek().lstrip(BLANK).startswith(b"<"):
            text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
            raise_challenge(body, text)
            raise ResponseFormatError(
                f"a web page where an answer belongs: {shorten(_visible(text))!r}", status=body.status
            )
        return
    text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
    raise_challenge(body, text)
    try:
        parsed = parse_json(text.lstrip("\ufeff"))
    except ResponseFormatError:
        parsed = None
    error = service_error(body.status, parsed, text) or error_for_status(body, text)
    if isinstance(error, (ProviderError, ModelNotSupportedError)) and not _is_page(text):
        error.body = text
    complete(error, body)
    raise error


def complete(error: G4FLiteError, body: Body) -> None:
    """Add to an error what the headers say: how long to wait, whether to retry, and the request's id."""
    headers = body.headers
    if isinstance(error, (ProviderError, ModelNotSupportedError)) and error.request_id is None:
        error.request_id = next((value for name in _REQUEST_IDS if (value := headers.get(name))), None)
    if not isinstance(error, ProviderError):
        return
    wait = named_wait(headers)
    if wait is None and error.retry_after is None and isinstance(error, RateLimitError):
        wait = reset_wait(headers)  # which many services send with every answer
    if wait is not None:
        error.retry_after = wait
    error.may_retry = error.may_retry and headers.get("x-should-retry", "").strip().lower() != "false"


def raise_challenge(body: Body, text: str) -> None:
    """Raise if a page asks for a human being.

    :raises ChallengeError: it does
    """
    if body.headers.get("cf-mitigated") or (_is_page(text) and _CHALLENGE.search(text)):
        raise ChallengeError(
            f"{body.origin} answered with a page that asks for a human being ({shorten(_visible(text), 60)!r}); "
            "this library does not get past such pages. Use another provider, or the site in a browser.",
            status=body.status,
        )


def error_for_status(body: Body, text: str) -> G4FLiteError:
    """Make the error for a status that is no success and a body that says nothing known."""
    is_page = _is_page(text)
    status, shown = body.status, shorten(_visible(text) if is_page else text)
    said = f": {shown}" if shown else ""
    if is_page:
        page = shorten(_visible(re.sub(r"(?is)<title\b.*?</title\s*>", " ", text)) or shown, 60)
        said = f", and a web page where an answer belongs: {page!r}"
    if 300 <= status < 400 and "Location" in body.headers:
        return _elsewhere(body, shown)
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


def _elsewhere(body: Body, shown: str) -> ResponseStatusError:
    """Make the error for a redirect that is not followed."""
    target = body.headers["Location"]
    try:
        target = without_credentials(urljoin(body.response.url, target))
    except ValueError:
        target = target.partition("?")[0]
    target = shorten(target)
    return ResponseStatusError(
        f"{body.origin} redirects to {target}, and a prompt is not sent on to there; "
        f"if that is the right place, give base_url={target!r}",
        status=body.status,
        body=shown,
    )


def rate_limit(text: str, message: str, *, status: int | None = None) -> RateLimitError:
    """Make the rate-limit error: a used-up allowance where the text says that, else too many requests."""
    kind = QuotaExceededError if _USED_UP.search(text) else RateLimitError
    return kind(message, status=status)


def says_rate_limit(text: str) -> bool:
    """Tell whether a service's error text is about a limit on how often or how much one may ask."""
    return bool(_RATE_LIMIT.search(text) or _USED_UP.search(text))


def shorten(text: str, length: int = SHOWN_CHARACTERS) -> str:
    """Fold white space and cut a text for a message; what is far behind is not looked at."""
    text = " ".join(text[:ERROR_BODY_BYTES].split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _is_page(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def _visible(page: str) -> str:
    """Give what a reader of an HTML page would see of it, more or less."""
    page = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|\Z)", " ", page)
    return re.sub(r"<[^>]*>?", " ", page)
