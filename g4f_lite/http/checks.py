"""Decides what came: a challenge page, the service's own error, an error status, or the beginning of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ..arguments import safe_url
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
from .pages import is_enough, is_page, visible, without_title
from .parsing import BLANK, parse_json
from .urls import origin_of
from .waits import named_wait, reset_wait

if TYPE_CHECKING:
    from .body import Body

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
    r"|out of credit|(?:no|any) credits|credit balance is too low|billing.hard.limit"
    r"|limit (?:has been )?(?:reached|exceeded) for (?:today|this)"
)
# Reasons to end an answer, and names of events, that say that it failed: OpenRouter's "error", Zhipu's
# "network_error", DeepSeek's "insufficient_system_resource", Gemini's "MALFORMED_FUNCTION_CALL", SGLang's "abort" …
_FAILURE = r"(?i)error|fail|abort|cancel|malformed|insufficient|time.?d?.?out|exception|interrupt|unavailable|overload"

# OpenAI's and most others', Anthropic's, Azure's, Amazon's.
_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid")

# Takes the status, the parsed JSON (or None) and the text of a refused request; gives the service's own error, or None.
ServiceErrorReader = Callable[[int, Any, str], "G4FLiteError | None"]


def check(body: Body, service_error: ServiceErrorReader) -> None:
    """Raise unless the response is the beginning of an answer.

    The body decides, and not its Content-Type, unless it begins with ``<``: then it is a page where the type is HTML,
    or none that XML or plain text has.

    :param body: the response
    :param service_error: reads the service's own error bodies
    :raises G4FLiteError: of the kind that fits best
    """
    if 200 <= body.status < 300:
        if not body.peek().lstrip(BLANK).startswith(b"<"):
            return
        start = body.peek(is_enough).decode("utf-8", "replace")
        if not is_page(_type_of(body), start):
            return
        text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
        raise_challenge(body, text)
        page = f"expected an answer, got {_page_in_words(body, text)}"
        error = service_error(body.status, None, text) or ResponseFormatError(page, status=body.status)
        complete(error, body)
        raise error
    text = body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace")
    raise_challenge(body, text)
    try:
        parsed = parse_json(text.lstrip("\ufeff"))
    except ResponseFormatError:
        parsed = None
    error = service_error(body.status, parsed, text) or error_for_status(body, text)
    if isinstance(error, (ProviderError, ModelNotSupportedError)) and not is_page(_type_of(body), text):
        error.body = text
    complete(error, body)
    raise error


def complete(error: G4FLiteError, body: Body) -> None:
    """Add to an error what its response says: the status, how long to wait, whether to retry, the request's id."""
    headers = body.headers
    if isinstance(error, (ProviderError, ModelNotSupportedError)):
        error.status = body.status if error.status is None else error.status
        error.request_id = error.request_id or request_id_of(headers)
    if not isinstance(error, ProviderError):
        return
    wait = named_wait(headers)
    if wait is None and error.retry_after is None and isinstance(error, RateLimitError):
        wait = reset_wait(headers)  # which many services send with every answer
    if wait is not None:  # a server that loads its model may name none at all, and would be asked without a pause
        error.retry_after = max(wait, error.retry_after or 0.0) if getattr(error, "loading", False) else wait
    error.may_retry = error.may_retry and headers.get("x-should-retry", "").strip().lower() != "false"


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the service's id of a request, from the headers of its response; None if there is none."""
    return next((value for name in _REQUEST_IDS if (value := headers.get(name))), None)


def raise_challenge(body: Body, text: str) -> None:
    """Raise if a response is a page that asks for a human being.

    :param body: the response
    :param text: the beginning of its body
    :raises ChallengeError: if it is such a page
    """
    text = text[:ERROR_BODY_BYTES]
    if body.headers.get("cf-mitigated") or (is_page(_type_of(body), text) and re.search(_CHALLENGE, text)):
        raise ChallengeError(
            f"{body.origin} answered with a page that asks for a human being ({shorten(visible(text), 60)!r}); "
            "this library does not get past such pages. Use another provider, or the site in a browser.",
            status=body.status,
        )


def error_for_status(body: Body, text: str) -> G4FLiteError:
    """Make the error for an error status whose body says nothing that is known."""
    page = is_page(_type_of(body), text)
    status, shown = body.status, shorten(visible(text) if page else text)
    said = f": {shown}" if shown else ""
    if page:
        words = shorten(visible(without_title(text)) or shown, 60)
        said = f", with a web page in place of an answer: {words!r}"
    if 300 <= status < 400 and "Location" in body.headers:
        return _elsewhere(body, shown)
    if status == 407:
        return TransportError(f"the proxy refused the request with status 407{said}", cause="proxy")
    if status in (401, 403):
        return AuthenticationError(f"refused with status {status}{said}", status=status)
    if status == 402:
        return QuotaExceededError(f"payment is required (status 402){said}", status=status)
    if status == 429:
        return rate_limit_error(text, f"too many requests (status 429){said}", status=status)
    place = "" if said else f" from {body.origin}{urlsplit(body.response.url).path}"
    return ResponseStatusError(f"status {status}{place}{said}", status=status, body=shown)


def _elsewhere(body: Body, shown: str) -> ResponseStatusError:
    """Make the error for a redirect that is not followed."""
    target = body.headers["Location"]
    with suppress(ValueError):
        target = urljoin(body.response.url, target)
    target = safe_url(target)
    advice = f"if that is the right place, give base_url={target!r}"
    reason = "which is not followed" if body.step == "bootstrap" else "and a prompt is not sent on to there"
    if body.step == "bootstrap" and body.response.request.method == "POST" and origin_of(target) == body.origin:
        advice = f"if a login succeeds like this, bootstrap of its provider has to accept status {body.status}"
    return ResponseStatusError(
        f"{body.origin} redirects to {target}, {reason}; {advice}", status=body.status, body=shown
    )


def rate_limit_error(text: str, message: str, *, status: int | None = None) -> RateLimitError:
    """Make the error for a rate limit: QuotaExceededError where the text says that an allowance is used up."""
    kind = QuotaExceededError if re.search(_USED_UP, text) else RateLimitError
    return kind(message, status=status)


def says_rate_limit(text: str) -> bool:
    """Return whether a service's error text is about a limit on how often or how much may be sent."""
    return bool(re.search(_RATE_LIMIT, text) or re.search(_USED_UP, text))


def names_failure(word: str) -> bool:
    """Return whether a finish reason or the name of an event says that something failed."""
    return bool(re.search(_FAILURE, word))


def shorten(text: str, length: int = SHOWN_CHARACTERS) -> str:
    """Fold the white space of a text and cut it, for a message; what is far behind is not read."""
    text = " ".join(text[:ERROR_BODY_BYTES].split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _page_in_words(body: Body, page: str) -> str:
    if shown := shorten(visible(page)):
        return f"a web page: {shown!r}"
    kind = _type_of(body)
    named = f"the type {shorten(kind, 60)!r}" if kind else "no type"
    return f"a web page of {named} that shows no text: {shorten(page)!r}"


def _type_of(body: Body) -> str:
    return body.headers.get("Content-Type") or ""
