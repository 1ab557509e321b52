"""A circuit breaker forgets what it has counted where somebody asks for that."""

from __future__ import annotations

import pytest

from g4f_lite import G4FLiteError, QuotaExceededError, RateLimitError, TransportError
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS, CircuitBreaker


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (TransportError("down"), 0),
        (QuotaExceededError("used up", retry_after=600), 0),
        (RateLimitError("too many", retry_after=600), 600),
    ],
)
def test_failures_are_forgiven_but_not_a_wait_that_the_service_asked_for(error: G4FLiteError, wait: float) -> None:
    breaker = CircuitBreaker(lambda: 100.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(error)
    assert breaker.wait() >= OPEN_SECONDS
    breaker.forgive()
    assert breaker.wait() == wait
