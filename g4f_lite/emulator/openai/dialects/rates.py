"""How servers say that a client is to wait, and with which status they fail for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from ...reply import Header, Reply, bytes_reply, json_reply
from ...service import FailureKind
from ..call import Call
from ..dialect import Dialect
from ..failure import Failure

Headers = Callable[[float], list[Header]]


def _rate(
    name: str,
    summary: str,
    software: str,
    headers: Headers,
    body: Callable[[Failure], object] = lambda failure: {"error": failure.error},
) -> Dialect:
    """Describe how servers answer a rate limit."""

    def fail(failure: Failure, call: Call) -> Reply | None:
        return json_reply(failure.status, body(failure), headers(failure.wait)) if failure.kind == "limit" else None

    return Dialect(name, summary, software, failure=fail)


def _status(
    name: str,
    summary: str,
    software: str,
    status: int,
    body: Callable[[Failure], object],
    kind: FailureKind = "error",
    headers: Headers = lambda wait: [],
) -> Dialect:
    """Describe servers that fail with another status; a string is not JSON."""

    def fail(failure: Failure, call: Call) -> Reply | None:
        if failure.kind != kind or failure.forced:
            return None
        answer = body(failure)
        if isinstance(answer, str):
            return bytes_reply(status, "text/plain; charset=UTF-8", answer.encode())
        return json_reply(status, answer, headers(failure.wait))

    return Dialect(name, summary, software, failure=fail)


def _cloudflare(code: int) -> Dialect:
    summary = f"Fail with {code} and a line of text."
    return _status(f"cloudflare-{code}", summary, "Cloudflare", code, lambda failure: f"error code: {code}")


def _should_retry(name: str, word: str) -> Dialect:
    def fail(failure: Failure, call: Call) -> Reply | None:
        usual = failure.reply()
        return Reply(usual.status, [*usual.headers, ("x-should-retry", word)], usual.body)

    summary = f"Add the header `x-should-retry: {word}` to every failure."
    return Dialect(name, summary, "OpenAI, Anthropic", failure=fail)


def _moment(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def _milliseconds(wait: float) -> list[Header]:
    return [("retry-after-ms", str(math.ceil(wait * 1000)))]


def _duration(seconds: float) -> str:
    """Write seconds as Go does: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes:.0f}m" if minutes else "") + f"{rest:g}s"


def _durations(wait: float) -> list[Header]:
    return [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", _duration(wait)),
    ]


def _openrouter(failure: Failure, call: Call) -> Reply | None:
    if failure.kind != "limit":
        return None
    reset = str(math.ceil((time.time() + failure.wait) * 1000))
    headers = [("X-RateLimit-Limit", "20"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", reset)]
    error = {"message": failure.message, "code": failure.status, "metadata": {"headers": dict(headers)}}
    return json_reply(failure.status, {"error": error}, headers)


def _anthropic(wait: float) -> list[Header]:
    reset = _moment(wait).isoformat(timespec="seconds").replace("+00:00", "Z")
    return [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", reset),
    ]


def _google(failure: Failure, metric: str, quota: str, *details: object) -> object:
    message = (
        "You exceeded your current quota, please check your plan and billing details.\n"
        f"* Quota exceeded for metric: {metric}, limit: 10"
    )
    violations = [{"quotaMetric": metric, "quotaId": quota}]
    failed = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": [failed, *details]}
    return [{"error": error}]


def _per_minute(failure: Failure) -> object:
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{failure.wait:g}s"}
    quota = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    return _google(failure, "generate_content_free_tier_requests", quota, delay)


def _per_day(failure: Failure) -> object:
    quota = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    return _google(failure, "generate_content_free_tier_requests", quota)


def _too_large(failure: Failure) -> object:
    message = (
        "Request too large for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Requested 12328,"
        " please reduce your message size and try again."
    )
    return {"error": {"message": message, "type": "tokens", "code": "rate_limit_exceeded"}}


def _in_words(failure: Failure) -> object:
    message = f"{failure.message}: Limit 3, Used 3, Requested 1. Please try again in {_duration(failure.wait)}."
    return {"error": {**failure.error, "message": message}}


DIALECTS = [
    _rate(
        "retry-after-ms",
        "Say how long to wait in the header `retry-after-ms`.",
        "Azure OpenAI",
        _milliseconds,
        lambda failure: {"error": {"code": "429", "message": failure.message}},
    ),
    _rate(
        "retry-after-date",
        "Say until when to wait in the header `Retry-After`, as a date.",
        "proxies and web servers",
        lambda wait: [("Retry-After", format_datetime(_moment(wait), usegmt=True))],
    ),
    _rate(
        "reset-duration",
        "Say how long to wait in `x-ratelimit-reset-requests`, such as `6m0s` or `20ms`.",
        "OpenAI, Groq",
        _durations,
    ),
    _rate(
        "reset-seconds",
        "Say how long to wait in `x-ratelimit-reset`, in seconds.",
        "Together",
        lambda wait: [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", f"{wait:g}")],
    ),
    Dialect(
        "reset-epoch",
        "Say until when to wait in `X-RateLimit-Reset`, in milliseconds since 1970, in a header and in the body.",
        "OpenRouter",
        failure=_openrouter,
    ),
    _rate(
        "reset-timestamp",
        "Say until when to wait in `anthropic-ratelimit-requests-reset`, as RFC 3339 has it.",
        "Anthropic",
        _anthropic,
    ),
    _rate("retry-in-words", "Say how long to wait in the message alone.", "OpenAI, Groq", lambda wait: [], _in_words),
    _rate(
        "gemini-retry-delay",
        "Word a limit per minute as a used-up quota, and say how long to wait in the body.",
        "Gemini",
        lambda wait: [],
        _per_minute,
    ),
    _status(
        "gemini-daily-quota", "Word a quota per day as a limit per minute is worded.", "Gemini", 429, _per_day, "quota"
    ),
    _should_retry("should-retry", "true"),
    _should_retry("should-not-retry", "false"),
    _status(
        "groq-request-too-large",
        "Answer a prompt that is too large with 413 and the code of a rate limit.",
        "Groq",
        413,
        _too_large,
        "limit",
    ),
    _status(
        "groq-capacity",
        "Fail with 498 when there is no capacity left.",
        "Groq",
        498,
        lambda failure: {"error": {"message": "Flex tier capacity exceeded", "type": "capacity_exceeded"}},
    ),
    _status(
        "conflict",
        "Fail with 409 for a moment.",
        "OpenAI",
        409,
        lambda failure: {"error": {**failure.error, "type": "conflict_error", "code": None}},
    ),
    _status(
        "overloaded-529",
        "Fail with 529 while overloaded.",
        "Anthropic",
        529,
        lambda failure: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ),
    *(_cloudflare(code) for code in range(520, 525)),
    _status(
        "llama.cpp-loading",
        "Fail with 503 while the model is loaded.",
        "llama.cpp's server",
        503,
        lambda failure: {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
    ),
    _status(
        "hugging-face-loading",
        "Fail with 503 while the model is loaded, and estimate the time.",
        "Hugging Face",
        503,
        lambda failure: {"error": "Model m is currently loading", "estimated_time": failure.wait},
    ),
]
