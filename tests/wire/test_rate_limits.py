"""A polite rate limit loses nothing, and a dead service is left alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tenacity

from g4f_lite import (
    AiEngine,
    ContextLengthExceededError,
    G4FLiteError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    Timeout,
)
from g4f_lite.emulator import Emulator
from g4f_lite.http.observer import observer

from .conftest import Provide
from .openai_answers import HELLO, refused, whole
from .raw_server import Connection, RawServer, every, length

AT_ONCE = RetryPolicy(backoff=0)
WINDOW = 0.1  # seconds


def limited(*fields: str, status: str = "429 Too Many Requests", **error: Any) -> bytes:
    return refused({"message": "Rate limit reached", **error}, status, *fields)


class Limited(RawServer):
    """A server that answers five prompts in each window of time, and asks all others to wait for one."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.refused = 0
        self._answered: deque[float] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> Limited:
        super().__enter__()
        return self

    def _answer(self, connection: Connection) -> None:
        while connection.request() is not None:
            with self._lock:
                now = time.monotonic()
                while self._answered and self._answered[0] < now - WINDOW:
                    self._answered.popleft()
                is_taken = len(self._answered) < 5
                if is_taken:
                    self._answered.append(now)
                self.refused += not is_taken
            connection.send(HELLO if is_taken else limited(f"retry-after-ms: {WINDOW * 1000:g}"))


@pytest.mark.once
def test_60_calls_in_8_threads_against_a_polite_limit(provide: Provide) -> None:
    with Limited() as server, ThreadPoolExecutor(8) as threads:
        provider = provide(server, retry=RetryPolicy(attempts=12, budget=2), timeout=60)
        assert list(threads.map(lambda _: provider.create(messages="hi"), range(60))) == ["Hello"] * 60
        assert server.refused > 2, "the budget was not tried"


def test_a_limit_of_one_model_does_not_hold_up_another(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            first = len(connection.server.requests) == 1
            connection.send(limited("Retry-After: 30") if first and request.json["model"] == "busy" else HELLO)

    with RawServer(answer) as server:
        provider = provide(server, timeout=Timeout(total=20), retry=RetryPolicy(attempts=1))
        with pytest.raises(RateLimitError):
            provider.create("busy", "hi")
        assert provider.create("idle", "hi") == "Hello"
        assert provider.create("busy", "hi") == "Hello", "30 s do not fit into 20, so it was sent"


@pytest.mark.parametrize("timeout", [20, 35])
def test_a_cool_down_that_leaves_no_time_for_the_answer_is_not_waited_for(timeout: float, provide: Provide) -> None:
    with RawServer(every(limited("Retry-After: 30"), HELLO)) as server:
        provider = provide(server, timeout=60, retry=RetryPolicy(attempts=1))
        with pytest.raises(RateLimitError):
            provider.create(messages="hi")
        assert provider.create(messages="hi", timeout=timeout) == "Hello", "it was sent"
        assert len(server.requests) == 2


@pytest.mark.beside
@pytest.mark.parametrize("who", ["the same call", "another call", "another call that never waits"])
def test_who_waits(who: str, provide: Provide) -> None:
    wait = "retry-after-ms: 30000" if "never" in who else "retry-after-ms: 60"
    with RawServer(every(limited(wait), HELLO)) as server:
        patient = provide(server, retry=RetryPolicy(attempts=1 if "another" in who else 2))
        began = time.monotonic()
        if "another" in who:
            with pytest.raises(RateLimitError):
                patient.create(messages="hi")
            if "never" in who:
                patient.retry = None
        assert patient.create(messages="hi") == "Hello"
        took = time.monotonic() - began
        assert took < 30 if "never" in who else took >= 0.055


BUSY = refused({"message": "busy"}, "503 Busy", "retry-after-ms: 5")


@pytest.mark.parametrize("answer", [limited("Retry-After: 0"), limited(), BUSY])
def test_what_is_no_cool_down_costs_a_retry(answer: bytes, provide: Provide) -> None:
    with RawServer(every(answer)) as server:
        provider = provide(server, retry=RetryPolicy(attempts=9, backoff=0, budget=2))
        with pytest.raises(G4FLiteError, match="not sent again: too many calls of this provider are failing"):
            provider.create(messages="hi")
        assert len(server.requests) == 3


@pytest.mark.beside
def test_a_named_wait_costs_nothing_of_the_budget(provide: Provide) -> None:
    with RawServer(every(*[limited("retry-after-ms: 5")] * 30, HELLO)) as server:
        assert provide(server, retry=RetryPolicy(attempts=40, backoff=0, budget=0)).create(messages="hi") == "Hello"
        assert len(server.requests) == 31


def test_an_error_says_that_the_budget_caused_it(provide: Provide) -> None:
    with RawServer(every(refused({"message": "busy"}, "503 Busy"))) as server:
        provider = provide(server, retry=RetryPolicy(attempts=3, backoff=0, budget=3))
        told = []
        for _ in range(3):
            with pytest.raises(ResponseStatusError) as caught:
                provider.create(messages="hi")
            told.append(("too many calls" in str(caught.value), caught.value.attempts))
    assert told == [(False, 3), (True, 2), (True, 1)]


@pytest.mark.once
def test_a_dead_service_is_asked_no_more_than_the_budget_allows(provide: Provide) -> None:
    with RawServer(every(refused({"message": "down"}, "503 Down"))) as server, ThreadPoolExecutor(64) as threads:
        provider = provide(server, retry=RetryPolicy(attempts=9, backoff=0.01), timeout=60)

        def ask(_: int) -> bool:
            try:
                provider.create(messages="hi")
            except ResponseStatusError:
                return False
            return True

        assert not any(threads.map(ask, range(64)))
        assert len(server.requests) <= 64 + 20


@pytest.mark.parametrize("budget", [-1, float("nan")])
def test_a_budget_that_makes_no_sense(budget: float) -> None:
    with pytest.raises(ValueError, match="budget must be 0 retries or more"):
        RetryPolicy(budget=budget)


# The wait in every dialect

DIALECTS = {
    "retry-after-ms": limited("retry-after-ms: 30"),
    "Retry-After with a unit": limited("Retry-After: 30ms"),
    "x-ratelimit-reset-requests": limited("x-ratelimit-reset-requests: 30ms", "x-ratelimit-remaining-requests: 0"),
    "anthropic": limited("anthropic-ratelimit-requests-reset: 2020-01-01T00:00:00Z"),
    "Gemini": refused(
        {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.03s"}],
        },
        "429 Too Many Requests",
    ),
    "OpenRouter": limited(metadata={"headers": {"X-RateLimit-Reset": "0"}}),
    "beside the error": whole({"error": "Too many requests", "retry_after": 0.03}, status="429 Slow"),
    "words": limited(message="Rate limit reached. Please try again in 30ms."),
    "inside a 200": length(b'data: {"error": {"code": 429, "message": "Rate limit: try again in 30ms"}}\n\n'),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_wait_is_kept_in_every_dialect(dialect: str, provide: Provide) -> None:
    waits: list[float] = []
    with RawServer(every(DIALECTS[dialect], HELLO)) as server:
        provider = provide(
            server, retry=RetryPolicy(backoff=5), on_retry=lambda error, number, wait: waits.append(wait)
        )
        assert provider.create(messages="hi") == "Hello"
    assert waits == [pytest.approx(0 if dialect in ("anthropic", "OpenRouter") else 0.03)]


@pytest.mark.product
@pytest.mark.parametrize("status", [409, 425, 520, 521, 522, 523, 524, 529])
@pytest.mark.parametrize("body", [b"error code", b'{"error": {"message": "busy"}}', b'{"type": "error", "error": {}}'])
def test_what_passes_by_waiting_is_sent_again(status: int, body: bytes, provide: Provide) -> None:
    with RawServer(every(length(body, status=f"{status} Busy"), HELLO)) as server:
        assert provide(server, retry=AT_ONCE).create(messages="hi") == "Hello"


NEVER = {
    "a prompt that is too large": (
        limited(status="413 Too Large", code="rate_limit_exceeded"),
        ContextLengthExceededError,
    ),
    "a prompt beyond the limit itself": (
        limited(message="Request too large: Limit 60, Requested 90"),
        ContextLengthExceededError,
    ),
    "a veto": (limited("x-should-retry: false"), RateLimitError),
    "a veto for a status": (refused({"message": "down"}, "503 Down", "x-should-retry: False"), ResponseStatusError),
    "a wish that lifts no never": (refused({"message": "no"}, "400 No", "x-should-retry: true"), ServiceError),
    "a day's limit of Gemini's": (
        limited(
            message="You exceeded your current quota", details=[{"quotaId": "RequestsPerDay"}, {"retryDelay": "1s"}]
        ),
        QuotaExceededError,
    ),
    "too long a wait": (limited("Retry-After: 61"), RateLimitError),
}


@pytest.mark.parametrize("case", NEVER)
def test_what_no_wait_helps_is_raised_at_once(case: str, provide: Provide) -> None:
    answer, kind = NEVER[case]
    with RawServer(every(answer)) as server:
        with pytest.raises(kind) as caught:
            provide(server, retry=AT_ONCE, timeout=100).create(messages="hi")
        assert type(caught.value) is kind
        assert len(server.requests) == 1


def test_resets_are_no_wait_of_other_errors(provide: Provide) -> None:
    busy = refused({"message": "busy"}, "503 Busy", "x-ratelimit-reset-requests: 6m0s")
    with RawServer(every(busy, HELLO)) as server:
        assert provide(server, retry=AT_ONCE).create(messages="hi") == "Hello"


@pytest.mark.beside
def test_a_policy_of_tenacitys_keeps_its_waits_and_the_cool_down(provide: Provide) -> None:
    retry = tenacity.Retrying(stop=tenacity.stop_after_attempt(5), wait=tenacity.wait_fixed(0))
    with RawServer(every(limited("retry-after-ms: 60"), HELLO)) as server:
        began = time.monotonic()
        assert provide(server, retry=retry).create(messages="hi") == "Hello"
        assert time.monotonic() - began >= 0.05


def test_other_services_have_cool_downs_too() -> None:
    with Emulator() as emulator:
        emulator.fail("rate_limit", retry_after=0.05, times=1)
        with AiEngine(emulator.url, retry=RetryPolicy(backoff=9)) as provider:
            assert provider.create(messages="hi")


@pytest.mark.beside
def test_a_call_that_is_closed_waits_no_longer() -> None:
    with RawServer(every(limited("Retry-After: 30"))) as server:
        provider = OpenAICompatible(server.url, model="m", timeout=60, retry=RetryPolicy(attempts=1))
        with pytest.raises(RateLimitError):
            provider.create(messages="hi")
        stream = provider.create_generator(messages="hi")
        threading.Timer(0.1, stream.close).start()
        with pytest.raises(G4FLiteError, match="closed"):
            stream.start()
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (limited("Retry-After: 40"), "40"),
        (limited("retry-after-ms: 1500"), "1.5"),
        (limited("x-ratelimit-reset-requests: 2m0s", "x-ratelimit-remaining-requests: 0"), "120"),
        (refused({"message": "Rate limit reached. Please try again in 34.5s."}, "429 Too Many Requests"), "34.5"),
        (limited(), None),
    ],
)
def test_a_batch_is_told_the_wait_wherever_the_service_names_it(answer: bytes, told: str | None) -> None:
    seen: list[tuple[int, str | None]] = []
    before = observer.set(lambda status, headers: seen.append((status, headers.get("retry-after"))))
    try:
        with RawServer(every(answer)) as server, pytest.raises(RateLimitError):
            OpenAICompatible(f"{server.url}/v1", model="m", retry=None).create(messages="Hello")
    finally:
        observer.reset(before)
    assert seen == [(429, told)]
