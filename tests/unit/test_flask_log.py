"""What the log of a Flask app says, to somebody who does not know this library."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import flask
import pytest

from g4f_lite import (
    AuthenticationError,
    Client,
    ContextLengthExceededError,
    DeadlineExceededError,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    Timeout,
    TransportError,
)
from g4f_lite.contrib.flask import G4FLite, error_response, stream_answer
from g4f_lite.contrib.flask.limits import setting_of
from g4f_lite.emulator import Emulator
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.testing import Scripted

DOWN = TransportError("could not connect")


def make_app(provider: Any, **config: Any) -> flask.Flask:
    app = flask.Flask("app")
    app.config.update({"TESTING": True, "G4F_LITE_PROVIDER": provider, **config})
    chat = G4FLite(app)
    app.add_url_rule("/", view_func=lambda: str(chat.client.ask("Hello", model=flask.request.args.get("model"))))
    app.add_url_rule("/stream", "stream", lambda: stream_answer(chat.client.stream("Hello")))
    app.add_url_rule("/late", "late", lambda: flask.Response(map(str, chat.client.stream("Hello"))))
    return app


@pytest.mark.parametrize(
    ("member", "level"),
    [
        (Scripted(RateLimitError("slow down")), "WARNING"),
        (Scripted(ContextLengthExceededError("9 tokens > 8")), "WARNING"),
        (Scripted(AuthenticationError("no such key", status=401)), "ERROR"),
        (Scripted(QuotaExceededError("no credit")), "ERROR"),
        (Fallback([Scripted(DOWN), Scripted(QuotaExceededError("no credit"))]), "ERROR"),
        (Fallback([Scripted(DOWN), "groq"]), "WARNING"),  # one that has no key is not asked
    ],
)
def test_a_member_that_fails_until_it_is_mended_is_an_error_of_one_line(
    member: Any, level: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert make_app([member, "echo"]).test_client().get("/").data == b"Hello"
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == (level, None)


@pytest.mark.parametrize(
    ("others", "level"),
    [
        ([], "WARNING"),
        ([Scripted(ContextLengthExceededError("9 tokens > 8"))], "WARNING"),
        ([Scripted(AuthenticationError("no such key", status=401))], "ERROR"),
        (["groq"], "WARNING"),
    ],
)
def test_what_has_to_be_mended_is_an_error_also_where_another_member_is_down(
    others: list[Any], level: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    app = make_app(Fallback([*others, Scripted(DOWN)]))
    app.register_error_handler(G4FLiteError, error_response)
    app.test_client().get("/")
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == (level, None)


@pytest.mark.parametrize("path", ["/", "/stream", "/late"])
def test_an_answer_of_another_member_is_a_line_of_the_log(path: str, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app([Scripted(DOWN), "echo"])
    assert b"Hello" in app.test_client().get(path).data
    (record,) = caplog.records
    line = "g4f_lite: Echo answers, after no answer from Scripted: could not connect"
    assert (record.name, record.levelname, record.getMessage()) == ("app", "WARNING", line)


def test_a_member_that_is_skipped_is_no_line_for_each_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is one without its key, which the app was warned of when it started."""
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    members = Scripted(*[DOWN] * FAILURES_TO_OPEN), "groq", Scripted(*["It is."] * (FAILURES_TO_OPEN + 2))
    browser = make_app(Fallback(members, clock=lambda: 1000.0)).test_client()
    for _ in range(FAILURES_TO_OPEN + 2):
        assert browser.get("/").data == b"It is."
    assert len(caplog.records) == FAILURES_TO_OPEN


def test_the_chains_in_a_chain_and_those_of_models_are_logged_as_well(caplog: pytest.LogCaptureFixture) -> None:
    inner = Fallback([Scripted(AuthenticationError("no such key", status=401)), Scripted(DOWN)])
    outer = Fallback([inner, Scripted("outer")])
    of_model = Fallback([Fallback([Scripted(RateLimitError("slow down")), Scripted("inner")])])
    browser = make_app(outer, G4F_LITE_MODELS={"large": of_model}).test_client()
    assert (browser.get("/").data, browser.get("/?model=large").data) == (b"outer", b"inner")
    of_outer = "Fallback: no provider answered: Scripted: no such key; Scripted: could not connect"
    assert [record.getMessage() for record in caplog.records] == [
        f"g4f_lite: Scripted answers, after no answer from {of_outer}",
        "g4f_lite: Scripted answers, after no answer from Scripted: slow down",
    ]


def test_the_apps_own_on_fallback_stays(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []
    chain = Fallback([Scripted(DOWN), Scripted("It is.")], on_fallback=lambda *arguments: told.append(arguments))
    make_app(chain).test_client().get("/")
    assert (told, caplog.records) == ([([DOWN], "Scripted")], [])


def test_a_chain_that_is_logged_can_be_pickled() -> None:
    chain = Fallback([OpenAICompatible("http://127.0.0.1:1/v1"), OpenAICompatible("http://127.0.0.1:2/v1")])
    make_app(chain)
    assert pickle.loads(pickle.dumps(chain)).on_fallback is not None


def test_a_path_cannot_write_lines_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(Scripted(DOWN))
    app.register_error_handler(TransportError, error_response)
    app.add_url_rule("/<name>", "any", lambda name: str(app.extensions["g4f_lite"].ask(name)))
    app.test_client().get("/a%0AERROR")
    assert caplog.messages == ["g4f_lite: no answer to GET /a%0AERROR: Scripted: could not connect"]


def test_an_answer_that_was_cut_is_told_from_none(caplog: pytest.LogCaptureFixture) -> None:
    browser = make_app(Scripted(["It ", DOWN], DOWN)).test_client()
    assert b"event: failed" in browser.get("/stream").data
    with pytest.raises(TransportError):
        browser.get("/stream")
    (record,) = caplog.records
    line = "g4f_lite: incomplete answer to GET /stream: Scripted: could not connect"
    assert record.getMessage().startswith(line)


def fail_in_the_end(answer: str, error: BaseException | None) -> None:
    if error is None:
        raise OSError("the disk is full")


def test_errors_are_in_the_log_of_an_app_that_configures_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first piece, after it, and in ``on_done``, which alone is a mistake of the app's."""
    monkeypatch.setattr(logging.root, "handlers", [])  # without those of pytest
    monkeypatch.setattr(logging.getLogger("app"), "handlers", [])
    errors = [RateLimitError("slow down"), ["Light ", TransportError("a reset")], AuthenticationError("no"), "Hello."]
    app = make_app(Scripted(*errors))
    app.register_error_handler(G4FLiteError, error_response)
    client = app.extensions["g4f_lite"]
    app.add_url_rule("/<name>", "any", lambda name: stream_answer(client.stream(name), on_done=fail_in_the_end))
    browser = app.test_client()
    assert b"event: done" in b"".join(browser.get("/chat").data for _ in errors)
    log = capsys.readouterr().err
    for text in (
        "WARNING in failed_calls: g4f_lite: no answer to GET /chat: Scripted: slow down\n",
        "WARNING in failed_calls: g4f_lite: incomplete answer to GET /chat: Scripted: a reset\n",
        "ERROR in failed_calls: g4f_lite: no answer to GET /chat: Scripted: no\n",
        "ERROR in failed_calls: g4f_lite: on_done failed, or the app's context, after the answer to GET /chat\nTrace",
        "\nOSError: the disk is full\n",
        "Traceback",
    ):
        assert log.count(text) == 1, text


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("config", "environment", "path", "told"),
    [
        ({"G4F_LITE_STREAM_TIMEOUT": 0.2}, {}, "/stream", "; G4F_LITE_STREAM_TIMEOUT sets 0.2 s"),
        ({"G4F_LITE_TIMEOUT": 0.2}, {}, "/", "; G4F_LITE_TIMEOUT sets 0.2 s"),
        ({}, {"G4F_LITE_TIMEOUT": "0.2"}, "/stream", "; G4F_LITE_TIMEOUT sets 0.2 s"),
        ({}, {"G4F_LITE_STREAM_TIMEOUT": "0.2"}, "/stream", "; G4F_LITE_STREAM_TIMEOUT sets 0.2 s"),
        ({"G4F_LITE_STREAM_TIMEOUT": Timeout(first=0.2)}, {}, "/stream", "; G4F_LITE_STREAM_TIMEOUT sets 0.2 s"),
        (dict.fromkeys(["G4F_LITE_TIMEOUT", "G4F_LITE_STREAM_TIMEOUT"], 0.2), {}, "/", "_TIMEOUT set 0.2 s"),
        ({}, {}, "/short", ""),
        ({"G4F_LITE_PROVIDER": Timeout(first=0.2)}, {}, "/stream", ""),
    ],
)
def test_a_limit_of_the_app_is_told_with_the_setting_that_has_it(
    config: dict[str, Any],
    environment: dict[str, str],
    path: str,
    told: str,
    g4f_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not one of a call, nor of a provider."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    own = config.pop("G4F_LITE_PROVIDER", None)
    app = make_app(OpenAICompatible(f"{g4f_emulator.url}/v1", model="m", retry=None, timeout=own), **config)
    app.register_error_handler(G4FLiteError, error_response)
    app.add_url_rule("/short", "short", lambda: app.extensions["g4f_lite"].ask("Hello", timeout=0.2))
    g4f_emulator.fail("stall", after=0, times=None)
    assert app.test_client().get(path).status_code == 504
    (line,) = caplog.messages
    assert "0.2 s" in line
    assert line.endswith(told) if told else "G4F_LITE" not in line


@pytest.mark.once
def test_a_chain_says_it_too_and_an_app_that_gave_its_client_has_no_setting(
    g4f_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    g4f_emulator.fail("stall", after=0, times=None)
    members = [OpenAICompatible(f"{g4f_emulator.url}/v1", model="m", retry=None) for _ in range(2)]
    app = make_app(members, G4F_LITE_TIMEOUT=0.3)
    app.register_error_handler(G4FLiteError, error_response)
    assert app.test_client().get("/").status_code == 504
    assert caplog.messages[0].endswith("; G4F_LITE_TIMEOUT sets 0.3 s")
    assert not setting_of(DeadlineExceededError("no connection", limit="connect", seconds=0.3), app)  # it rarely is
    given = flask.Flask("app")
    client = G4FLite(given, client=Client(members[0], timeout=25)).client
    given.register_error_handler(G4FLiteError, error_response)
    given.add_url_rule("/", view_func=lambda: client.ask("Hello", timeout=0.3))
    assert given.test_client().get("/").status_code == 504
    assert "G4F_LITE" not in caplog.messages[1]
