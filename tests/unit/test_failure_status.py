"""The status of a chain that failed: one rule for the visitors of a Flask app and the clients of a server."""

from __future__ import annotations

import flask
import pytest

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    ChallengeError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    TransportError,
)
from g4f_lite.contrib.flask import error_response
from g4f_lite.contrib.server.failures import NEVER_RETRY, api_error

LIMITED, LATER = RateLimitError("slow down", retry_after=7), RateLimitError("slow down", retry_after=9)
COOLING = RateLimitError("it was limited before", retry_after=8, skipped=True)
SKIPPED = ProviderError("it failed before", retry_after=12, skipped=True)
SKIPPED_FOR_A_KEY = ProviderError("it failed before", skipped=True)
DOWN, BUSY = TransportError("refused"), ResponseStatusError("busy", status=503, retry_after=20)
SILENT, REFUSED = DeadlineExceededError("slow", limit="total"), AuthenticationError("no such key", status=401)
LONG, NO_CREDIT = ContextLengthExceededError("8192 tokens", status=400), QuotaExceededError("no credit")
NEVER = [NEVER_RETRY]


def after(seconds: int) -> list[tuple[str, str]]:
    return [("Retry-After", str(seconds))]


@pytest.mark.parametrize(
    ("errors", "of_flask", "of_server"),
    [
        # What may pass by itself, also where others have to be mended, and whether a member was asked or skipped.
        ([SKIPPED, LIMITED], (503, "7"), (503, None, after(7))),
        ([DOWN, LIMITED], (503, "7"), (503, None, after(7))),
        ([SKIPPED, LATER, REFUSED], (503, "9"), (503, None, after(9))),
        ([BUSY, SILENT], (503, "20"), (503, None, after(20))),
        ([DOWN, DOWN], (503, "30"), (503, None, NEVER)),
        ([DOWN, SKIPPED], (503, "12"), (503, None, after(12))),
        ([SKIPPED, SKIPPED], (503, "12"), (503, None, after(12))),
        # All that may pass are limits: OpenAI's word for them.
        ([LATER, COOLING], (503, "8"), (429, "rate_limit_exceeded", after(8))),
        ([LIMITED, REFUSED, SILENT], (503, "7"), (429, "rate_limit_exceeded", after(7))),
        # A shorter prompt helps at once.
        ([LIMITED, LONG, DOWN], (413, None), (400, "context_length_exceeded", [])),
        # Nothing passes.
        ([SILENT, REFUSED], (504, None), (504, "timeout", NEVER)),
        ([ChallengeError("a captcha", retry_after=5), REFUSED], (502, None), (502, None, NEVER)),
        ([SKIPPED_FOR_A_KEY, REFUSED], (502, None), (502, None, NEVER)),
        ([REFUSED, REFUSED], (502, None), (502, "upstream_authentication", NEVER)),
        ([NO_CREDIT, NO_CREDIT], (502, None), (429, "insufficient_quota", NEVER)),
        ([ServiceError("no such option", status=422)], (502, None), (422, None, [])),
        ([ContentFilterError("no", status=403)], (502, None), (400, "content_filter", [])),
        # The members of a chain in a chain count like others.
        ([AllProvidersFailedError("none", errors=[REFUSED, LIMITED]), SKIPPED], (503, "7"), (503, None, after(7))),
        ([AllProvidersFailedError("none", errors=[SILENT, REFUSED]), REFUSED], (504, None), (504, "timeout", NEVER)),
        ([AllProvidersFailedError("it has no members"), REFUSED], (502, None), (502, None, NEVER)),
    ],
)
def test_a_failed_chain_has_one_status(
    errors: list[G4FLiteError], of_flask: tuple[int, str | None], of_server: tuple[int, str | None, list[object]]
) -> None:
    error = AllProvidersFailedError("none answered", errors=errors)
    with flask.Flask("app").test_request_context():
        response = error_response(error)
    assert (response.status_code, response.headers.get("Retry-After")) == of_flask
    made = api_error(error)
    assert (made.status, made.code, made.headers) == of_server
    assert made.message == "none answered"
