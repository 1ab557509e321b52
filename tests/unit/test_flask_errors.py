"""What visitors of a Flask app are told of errors, and what its log says of them."""

from __future__ import annotations

from typing import Any

import flask
import pytest

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    ContextLengthExceededError,
    ConversationNotFoundError,
    DeadlineExceededError,
    G4FLiteError,
    HookError,
    ModelNotSupportedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    StoreError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.contrib.flask import error_response
from g4f_lite.testing import Scripted


def make_app(**config: Any) -> Any:
    app = flask.Flask("app")
    app.config.update({"TESTING": True, **config})
    return app


LIMITED, DEAD = RateLimitError("groq said: sk-1", retry_after=7.2), TransportError("refused")
BUSY = "The service is not available at the moment. Please try again later."
NONE = "There is no answer at the moment. Please try again later."
SLOW = "The answer took too long. Please try again."
SHORTEN = "The question, or the chat before it, is too long. Please shorten the question, or start a new chat."
SILENT, LONG = DeadlineExceededError("slow", limit="total"), ContextLengthExceededError("8192 tokens", status=400)


@pytest.mark.parametrize(
    ("error", "status", "retry_after", "text"),
    [
        (LIMITED, 503, "8", BUSY),
        (RateLimitError("slow down"), 503, "60", BUSY),
        (RateLimitError("slow down", retry_after=0), 503, "1", BUSY),
        (RateLimitError("slow down", retry_after=float("inf")), 503, "86400", BUSY),
        (RateLimitError("slow down", retry_after=float("nan")), 503, "1", BUSY),
        (QuotaExceededError("no credit"), 502, None, NONE),
        (QuotaExceededError("a day's limit", retry_after=3600), 503, "3600", BUSY),
        (SILENT, 504, None, SLOW),
        (DeadlineExceededError("silent", limit="first"), 504, None, SLOW),
        (DeadlineExceededError("not there", limit="connect"), 503, "30", BUSY),
        (DEAD, 503, "30", BUSY),
        (ResponseStatusError("down", status=500), 503, "30", BUSY),
        (ProviderError("skipped", retry_after=12, skipped=True), 503, "12", BUSY),
        (TransportError("no certificate", cause="tls"), 502, None, NONE),
        (StreamInterruptedError("cut"), 502, None, NONE),
        (ServiceError("internal"), 502, None, NONE),
        (LONG, 413, None, SHORTEN),
        (ModelNotSupportedError("no such model"), 502, None, NONE),
        (ConversationNotFoundError("gone"), 404, None, "There is no such conversation."),
        (AllProvidersFailedError("all", errors=[LIMITED, RateLimitError("x", retry_after=3)]), 503, "3", BUSY),
        (AllProvidersFailedError("all", errors=[QuotaExceededError("x"), LIMITED]), 503, "8", BUSY),
        (AllProvidersFailedError("all", errors=[DEAD, ServiceError("x")]), 503, "30", BUSY),
        (AllProvidersFailedError("all", errors=[DEAD, RateLimitError("x", retry_after=600)]), 503, "30", BUSY),
        (AllProvidersFailedError("all", errors=[SILENT, DEAD]), 503, "30", BUSY),
        (AllProvidersFailedError("all", errors=[SILENT, AuthenticationError("x")]), 504, None, SLOW),
        (AllProvidersFailedError("all", errors=[AuthenticationError("x"), ServiceError("x")]), 502, None, NONE),
        (AllProvidersFailedError("all", errors=[LIMITED, LONG, DEAD]), 413, None, SHORTEN),
        (AllProvidersFailedError("all"), 502, None, NONE),
        (AllProvidersFailedError("all", errors=[AllProvidersFailedError("some", errors=[LIMITED])]), 503, "8", BUSY),
        (RuntimeError("a mistake"), 502, None, NONE),
    ],
)
def test_what_visitors_are_told(
    error: Exception, status: int, retry_after: str | None, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with make_app().test_request_context():
        response = error_response(error)
    assert (response.status_code, response.headers.get("Retry-After")) == (status, retry_after)
    assert response.get_json() == {"error": text}
    if status == 404:
        assert caplog.records == []
        return
    (record,) = caplog.records
    assert record.getMessage().startswith("g4f_lite: no answer to GET /: ")


@pytest.mark.parametrize(
    "error",
    [
        LIMITED,
        RateLimitError("slow down"),
        QuotaExceededError("a day's limit", retry_after=3600),
        SILENT,
        LONG,
        AllProvidersFailedError("all", errors=[AuthenticationError("no such key"), LONG]),
        ServiceError("internal", status=500),
        StreamInterruptedError("cut"),
        AllProvidersFailedError("all", errors=[AuthenticationError("no such key"), LIMITED, DEAD]),
        ProviderError("skipped", retry_after=30),
    ],
)
def test_what_may_pass_by_itself_is_a_line_of_the_log(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with make_app().test_request_context():
        error_response(error)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage().startswith(f"g4f_lite: no answer to GET /: {str(error).splitlines()[0]}")
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    "error",
    [
        QuotaExceededError("no credit"),
        AuthenticationError("no such key"),
        ModelNotSupportedError("no such model"),
        ServiceError("no such option", status=400),
        TransportError("no certificate", cause="tls"),
        StoreError("the disk is full"),
        AllProvidersFailedError("all", errors=[QuotaExceededError("no credit"), AuthenticationError("no such key")]),
    ],
)
def test_what_somebody_has_to_mend_is_an_error_of_one_line(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with make_app().test_request_context():
        error_response(error)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert record.getMessage() == f"g4f_lite: no answer to GET /: {error}"


MISTAKE = HookError("raised KeyError: 'choices'", provider="Mine", step="deltas")


@pytest.mark.parametrize(
    ("error", "mistake"),
    [
        (RuntimeError("a mistake"), None),
        (MISTAKE, None),
        (AllProvidersFailedError("all", errors=[MISTAKE, DEAD]), MISTAKE),
    ],
)
def test_a_mistake_in_the_code_is_an_error_with_its_traceback(
    error: Exception, mistake: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    with make_app().test_request_context():
        error_response(error)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", f"g4f_lite: no answer to GET /: {error}")
    assert record.exc_info is not None
    assert record.exc_info[1] is (mistake or error)


def test_visitors_are_told_in_the_apps_own_words() -> None:
    with make_app(G4F_LITE_SENTENCES={504: "Zu langsam."}).test_request_context():
        assert error_response(DeadlineExceededError("slow", limit="total")).get_json() == {"error": "Zu langsam."}
        assert error_response(DEAD).get_json() == {"error": BUSY}


def test_it_is_an_error_handler(g4f_scripted: Scripted) -> None:
    import g4f_lite

    app = make_app()
    app.register_error_handler(G4FLiteError, error_response)
    app.add_url_rule("/", view_func=lambda: g4f_lite.ask("Hello"))
    g4f_scripted.queue(LIMITED)
    response = app.test_client().get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "8")
