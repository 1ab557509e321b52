"""How long a service asks its callers to wait, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from g4f_lite import ContextLengthExceededError, QuotaExceededError, RateLimitError
from g4f_lite.http.waits import named_wait, parse_duration, parse_reset, reset_wait, wait_in_text
from g4f_lite.providers.openai.errors import service_error

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "30s"}, 30),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0),
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "2500", "Retry-After": "3"}, 2.5),
        ({"retry-after-ms": "soon", "Retry-After": "3"}, 3),
        ({"retry-after-ms": "9" * 200, "Retry-After": "3"}, 3),
        ({"Retry-After": "5, 7"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_a_wait_that_is_named(headers: dict[str, str], seconds: float | None) -> None:
    assert named_wait(CaseInsensitiveDict(headers), now=lambda: NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset-requests": "1s"}, 1),
        ({"X-RateLimit-Reset": "7"}, 7),
        ({"ratelimit-reset": "7"}, 7),
        ({"x-ratelimit-reset": "1700000005"}, 5),
        ({"X-RateLimit-Reset": "1700000005000"}, 5),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:13:25Z"}, 5),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        (
            {
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "20ms",
                "x-ratelimit-remaining-tokens": "900",
            },
            360,
        ),
        ({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({}, None),
    ],
)
def test_when_a_limit_is_reset(headers: dict[str, str], seconds: float | None) -> None:
    assert reset_wait(CaseInsensitiveDict(headers), now=lambda: NOW) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("34s", 34), ("1m2.5s", 62.5), ("20ms", 0.02), ("2h", 7200), ("1d", 86400), ("34", None), ("s", None), ("", None)],
)
def test_a_duration(value: str, seconds: float | None) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached. Please try again in 7.66s. Visit …", 7.66),
        ("Please try again in 6m0s.", 360),
        ("Please retry in 34.07s.", 34.07),
        ("Please retry after 26 seconds.", 26),
        ("try again in 540ms", 0.54),
        ("Try again in 2 minutes", 120),
        ("Please wait 20 seconds", 20),
        ("Wait for 1m before the next request", 60),
        ("Please try again in 1h 30m.", 5400),
        ("try again in 1m 5s", 65),
        ("try again in 7 minutes and 12 seconds", 432),
        ("retry after 20 s", 20),
        ("Please wait 1 day, 2 hours", 93600),
        ("try again in 300 milliseconds", 0.3),
        ("try again in 5 models", None),
        ("wait a moment", None),
        ("try again in a moment", None),
        ("try again later", None),
    ],
)
def test_a_wait_in_words(text: str, seconds: float | None) -> None:
    assert wait_in_text(text) == seconds


@given(st.text(max_size=60) | st.from_regex(r"[\d.smhdZ:TE+-]{1,40}", fullmatch=True))
def test_no_text_is_more_than_a_wait_or_none(text: str) -> None:
    for wait in (parse_duration(text), parse_reset(text), wait_in_text(text)):
        assert wait is None or wait >= 0


def gemini(quota_id: str, message: str = "You exceeded your current quota, please check your plan.") -> dict[str, Any]:
    """Write a refusal as Gemini does."""
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota_id}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
    ]
    return {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}


PASSED_ON = {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}}


@pytest.mark.parametrize(
    ("error", "kind", "seconds"),
    [
        (gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), RateLimitError, 34.5),
        (gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), QuotaExceededError, 34.5),
        (gemini("GenerateRequestsPerMinute", "Quota exceeded, limit: 0"), QuotaExceededError, 34.5),
        ({"message": "You exceeded your current quota, please check your plan."}, QuotaExceededError, None),
        ({"message": "You exceeded it", "code": "insufficient_quota"}, QuotaExceededError, None),
        ({"message": "Slow down, please try again in 20s."}, RateLimitError, 20),
        ({"message": "Rate limit exceeded", "metadata": PASSED_ON}, RateLimitError, 3),
        ({"message": "Slow down", "retry_after": 2}, RateLimitError, 2),
        ({"message": "Slow down", "details": "none"}, RateLimitError, None),
    ],
)
def test_a_limit_that_the_body_tells_of(error: dict[str, Any], kind: type, seconds: float | None) -> None:
    for body in ({"error": error}, [{"error": error}]):
        made: Any = service_error(429, body)
        assert (type(made), made.retry_after) == (kind, seconds)


@pytest.mark.parametrize("status", [413, 429])
def test_a_prompt_that_no_wait_makes_smaller(status: int) -> None:
    said = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 12328"
    made = service_error(status, {"error": {"message": said, "type": "tokens", "code": "rate_limit_exceeded"}})
    assert type(made) is ContextLengthExceededError
    assert made.status == status


@pytest.mark.parametrize("ahead", [-3600, 0, 3600])
def test_a_date_is_read_by_the_clock_of_the_service(ahead: int) -> None:
    """This machine's may be wrong."""
    headers = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}
    clock: dict[str, Any] = {"now": lambda: NOW + ahead}
    assert named_wait(CaseInsensitiveDict(headers | {"Retry-After": "Tue, 14 Nov 2023 22:13:30 GMT"}), **clock) == 10
    assert reset_wait(CaseInsensitiveDict(headers | {"x-ratelimit-reset": "1700000005"}), **clock) == 5
    assert named_wait(CaseInsensitiveDict(headers | {"Retry-After": "7"}), **clock) == 7
    other = {"Date": "today", "Retry-After": "Tue, 14 Nov 2023 22:13:30 GMT"}
    assert named_wait(CaseInsensitiveDict(other), now=lambda: NOW) == 10
