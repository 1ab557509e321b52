"""A Flask app with several providers: what visitors are told while all fail, and what the log says."""

from __future__ import annotations

import json
from typing import Any

import flask
import pytest

from g4f_lite import (
    AuthenticationError,
    Fallback,
    G4FLiteError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    TransportError,
)
from g4f_lite.contrib.flask import G4FLite, error_response, stream_answer
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.testing import Scripted


def make_app(*members: Any, **config: Any) -> flask.Flask:
    """Make an app whose page asks a chain, of a clock that stands still."""
    app = flask.Flask("app")
    app.config.update({"TESTING": True, "G4F_LITE_PROVIDER": Fallback(members, clock=lambda: 1000.0), **config})
    chat = G4FLite(app)
    app.register_error_handler(G4FLiteError, error_response)
    app.add_url_rule("/", view_func=lambda: chat.client.ask("Hello"))
    return app


@pytest.mark.parametrize(
    ("error", "first", "while_skipped"),
    [
        (RateLimitError("slow down", retry_after=40), (503, "40"), (503, "40")),
        (QuotaExceededError("a day's limit", retry_after=400), (503, "400"), (503, "400")),
        (ResponseStatusError("busy", status=503, retry_after=40), (503, "40"), (503, "40")),
        (RateLimitError("slow down"), (503, "60"), (503, "30")),
        (TransportError("down"), (503, "30"), (503, "30")),
        (ResponseStatusError("down", status=502), (503, "30"), (503, "30")),
        (AuthenticationError("no such key", status=401), (502, None), (502, None)),
        (QuotaExceededError("no credit"), (502, None), (502, None)),
    ],
)
def test_while_all_members_are_skipped_visitors_are_told_for_how_long(
    error: G4FLiteError, first: tuple[int, str | None], while_skipped: tuple[int, str | None]
) -> None:
    app = make_app(*(Scripted(*[error] * FAILURES_TO_OPEN) for _ in range(2)))
    seen = [app.test_client().get("/") for _ in range(FAILURES_TO_OPEN + 1)]
    told = [(response.status_code, response.headers.get("Retry-After")) for response in seen]
    assert (told[0], told[-1]) == (first, while_skipped)


def test_the_errors_of_all_members_are_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    make_app(Scripted(TransportError("down")), Scripted(RateLimitError("slow down"))).test_client().get("/")
    (record,) = caplog.records
    expected = "g4f_lite: no answer to GET /: Fallback: no provider answered: Scripted: down; Scripted: slow down"
    assert record.getMessage() == expected


@pytest.mark.parametrize(
    ("providers", "warning"),
    [
        (
            ["groq", "mistral"],
            "calls will fail: Groq: no key: set GROQ_API_KEY.*; Mistral: no key: set MISTRAL_API_KEY",
        ),
        (["groq", "echo"], "of the providers, one that is not ready is skipped: Groq: no key: set GROQ_API_KEY"),
    ],
)
def test_a_member_without_its_key_is_a_warning_when_the_app_starts(providers: list[str], warning: str) -> None:
    with pytest.warns(UserWarning, match=warning):
        make_app(*providers, TESTING=False)


def test_members_that_are_ready_are_no_warning() -> None:
    make_app("echo", "scripted", TESTING=False)


def test_after_the_headers_the_wait_is_in_the_event() -> None:
    app = make_app(Scripted(["It ", RateLimitError("slow down", retry_after=6.2)]))
    client = app.extensions["g4f_lite"]
    app.add_url_rule("/stream", "stream", lambda: stream_answer(client.stream("Hello")))
    last = app.test_client().get("/stream").data.decode().split("event: failed\ndata: ")[1]
    text = "The service is not available at the moment. Please try again later."
    assert json.loads(last) == {"status": 503, "error": text, "retry_after": 7}
