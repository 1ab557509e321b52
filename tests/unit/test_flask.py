"""The Flask extension: the client of an app."""

from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any, Literal

import flask
import pytest

from g4f_lite import (
    Client,
    Local,
    Pace,
    ProviderNotFoundError,
    Timeout,
)
from g4f_lite.contrib.flask import G4FLite, stream_answer
from g4f_lite.providers import environment
from g4f_lite.testing import Scripted


def make_app(**config: Any) -> Any:
    app = flask.Flask("app")
    app.config.update({"TESTING": True, **config})
    return app


def timeouts_of(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give a list to which the total timeout of each call is added."""
    seen: list[Any] = []
    begin = Scripted.begin

    def noting(self: Scripted, prompt: Any) -> Any:
        seen.append(prompt.timeout and prompt.timeout.total)
        return begin(self, prompt)

    monkeypatch.setattr(Scripted, "begin", noting)
    return seen


def test_a_view_that_returns_an_answer_needs_nothing_of_it(g4f_scripted: Scripted) -> None:
    import g4f_lite

    g4f_scripted.queue("A short summary.", ["A ", "story."])
    app = flask.Flask("legacy")
    app.add_url_rule("/summary", "summary", lambda: g4f_lite.ask("Sum it up."))
    app.add_url_rule("/story", "story", lambda: flask.Response(map(str, g4f_lite.stream("A story").start())))
    assert app.test_client().get("/summary").data == b"A short summary."
    assert app.test_client().get("/story").data == b"A story."


def test_the_client_of_the_configuration() -> None:
    chat = G4FLite()
    config = {"G4F_LITE_PROVIDER": "groq", "G4F_LITE_MODEL": "small", "G4F_LITE_API_KEY": "sk-1"}
    app = make_app(**config, G4F_LITE_MODELS={"gpt-4o": "large"}, G4F_LITE_PROXY="http://127.0.0.1:3128")
    chat.init_app(app)
    with app.app_context():
        client = chat.client
        assert flask.current_app.extensions["g4f_lite"] is client
    assert client is chat.client, "the only app's, for a worker without a context"
    assert client.provider.name == "Groq"
    assert client.model == "small"
    assert client.provider.get_model("small") == "small"
    assert client._router.proxy == "http://127.0.0.1:3128"
    assert client._router.models == {"gpt-4o": "large"}


def test_answers_may_be_cached_and_paced(tmp_path: Path) -> None:
    scripted = Scripted("Hello.")
    config = {"G4F_LITE_CACHE": tmp_path / "answers.sqlite", "G4F_LITE_PACE": Pace(rpm=600)}
    client = G4FLite(make_app(G4F_LITE_PROVIDER=scripted, **config)).client
    assert [client.ask("Hello"), client.ask("Hello"), client.stream("Hello").text()] == ["Hello."] * 3
    assert len(scripted.calls) == 1


def test_each_app_has_its_own_client() -> None:
    chat = G4FLite()
    apps = [make_app(G4F_LITE_PROVIDER=Scripted(model=name)) for name in ("a", "b")]
    for app in apps:
        chat.init_app(app)
    for app, model in zip(apps, "ab", strict=True):
        with app.test_request_context():
            assert chat.client.provider.model == model
    with pytest.raises(RuntimeError, match="has several apps; outside a request"):
        chat.client  # noqa: B018


def test_an_app_that_it_does_not_know() -> None:
    chat = G4FLite()
    with pytest.raises(RuntimeError, match="has no app; outside"):
        chat.client  # noqa: B018
    with make_app().app_context(), pytest.raises(RuntimeError, match=r"call init_app\(app\)"):
        chat.client  # noqa: B018
    app = make_app()
    G4FLite(app)
    with pytest.raises(RuntimeError, match="has a G4FLite already"):
        chat.init_app(app)


def test_a_client_of_ones_own_keeps_its_settings() -> None:
    client = Client(Scripted(), timeout=3)
    app = make_app(G4F_LITE_PROVIDER="groq", G4F_LITE_TIMEOUT=9)
    assert G4FLite(app, client=client).client is client
    assert client._router.timeout == Timeout.of(3)
    with pytest.raises(TypeError, match=r"client must be a g4f_lite\.Client, not str"):
        G4FLite(client="groq")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"app must be a flask\.Flask, not Blueprint"):
        G4FLite(flask.Blueprint("chat", "chat"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("own", "whole", "streamed"), [(Timeout(read=4), 4, 4), (None, 25, 120)])
def test_the_shorter_limits_of_a_provider_object_hold(own: Any, whole: int, streamed: int) -> None:
    router = G4FLite(make_app(G4F_LITE_PROVIDER=Local(timeout=own))).client._router
    limits = [(each.read, each.total) for each in (router.ask_timeout, router.timeout)]
    assert limits == [(whole, 25), (streamed, 120)]


@pytest.mark.parametrize(
    ("config", "environment", "whole", "streamed"),
    [
        ({}, None, 25, 120),
        ({"G4F_LITE_TIMEOUT": 9}, None, 9, 120),
        ({"G4F_LITE_STREAM_TIMEOUT": Timeout(total=300)}, None, 25, 300),
        ({"G4F_LITE_TIMEOUT": 9, "G4F_LITE_STREAM_TIMEOUT": 90}, "7", 9, 90),
        ({"G4F_LITE_TIMEOUT": "9", "G4F_LITE_STREAM_TIMEOUT": "90.5"}, None, 9, 90.5),  # as the environment has them
        ({}, "7", None, None),  # the provider reads the environment
    ],
)
def test_whole_answers_and_streams_have_limits_of_their_own(
    config: dict[str, Any],
    environment: str | None,
    whole: float | None,
    streamed: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if environment:
        monkeypatch.setenv("G4F_LITE_TIMEOUT", environment)
    scripted = Scripted()
    seen = timeouts_of(scripted, monkeypatch)
    client = G4FLite(make_app(G4F_LITE_PROVIDER=scripted, **config)).client
    create, parse = client.chat.completions.create, client.chat.completions.parse
    client.ask("Hello"), create("Hello"), create("Hello", stream=False), client.conversation().ask("Hello")
    client.ask("Hello", output=str), parse("Hello", response_format=str), client.conversation().ask("Hi", output=str)
    assert seen == [whole] * 7
    client.stream("Hello").text(), list(create("Hello", stream=True)), client.conversation().stream("Hello").text()
    assert seen[7:] == [streamed] * 3
    client.ask("Hello", timeout=5), client.stream("Hello", timeout=5).text(), client.conversation().ask("Hi", timeout=5)
    assert seen[10:] == [5] * 3


@pytest.mark.parametrize(("config", "streamed"), [({}, 4), ({"G4F_LITE_STREAM_TIMEOUT": 90}, 90)])
def test_the_limit_of_streams_may_be_in_the_environment(
    config: dict[str, Any], streamed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_STREAM_TIMEOUT", "4")
    scripted = Scripted()
    seen = timeouts_of(scripted, monkeypatch)
    client = G4FLite(make_app(G4F_LITE_PROVIDER=scripted, **config)).client
    client.ask("Hello"), client.stream("Hello").text()
    assert seen == [25, streamed]


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("G4F_LITE_STREAM_TIMOUT", "configuration of the app is not a setting.*is G4F_LITE_STREAM_TIMEOUT meant"),
        (
            "G4F_LITE_HAT",
            "HAT in the configuration of the app is not a setting of g4f_lite, and has no effect$",
        ),
        (
            "G4F_LITE_CONTEXT",
            "CONTEXT in the configuration of the app has no effect; set it in the environment",
        ),
    ],
)
def test_a_key_without_effect_is_a_warning(key: str, match: str) -> None:
    with pytest.warns(UserWarning, match=match) as caught:
        G4FLite(make_app(**{key: 60}))
    assert [warning.filename for warning in caught] == [__file__]


def test_a_misprinted_variable_is_a_warning_also_where_the_provider_is_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setenv("G4F_LITE_STREAMTIMEOUT", "28")
    with pytest.warns(UserWarning, match="STREAMTIMEOUT in the environment .*is G4F_LITE_STREAM_TIMEOUT meant"):
        G4FLite(make_app(G4F_LITE_PROVIDER=Scripted()))


def test_a_variable_that_only_the_configuration_has_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_START", "1")
    monkeypatch.setenv("G4F_LITE_CONTEXT", "2048")
    with pytest.warns(UserWarning, match="START in the environment has no effect; set it in the configuration"):
        G4FLite(make_app(G4F_LITE_CONTEXT=2048))
    G4FLite(make_app(G4F_LITE_START=False))


@pytest.mark.parametrize(
    ("config", "variables", "told"),
    [
        ({}, {"G4F_LITE_PROVIDER": "http://127.0.0.1:1/v1"}, True),
        ({"G4F_LITE_PROVIDER": "groq"}, {}, True),
        ({"G4F_LITE_BASE_URL": "http://127.0.0.1:1/v1"}, {}, True),
        ({}, {"G4F_LITE_BASE_URL": "http://127.0.0.1:1/v1"}, False),
        ({"G4F_LITE_PROVIDER": "groq", "G4F_LITE_API_KEY": "sk-1"}, {}, False),
        ({"G4F_LITE_PROVIDER": Scripted()}, {}, False),  # which may have it from the app
    ],
)
def test_a_key_without_its_server_is_a_warning(
    config: dict[str, Any], variables: dict[str, str], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_warned", set())
    monkeypatch.setenv("G4F_LITE_API_KEY", "sk-1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match="API_KEY in the environment has no effect") if told else nullcontext():
        G4FLite(make_app(**config))


def test_the_environment_may_configure_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "echo")
    assert G4FLite(make_app(TESTING=False)).client.ask("Hello") == "Hello"


@pytest.mark.parametrize(
    ("config", "error", "match"),
    [
        ({"G4F_LITE_PROVIDER": "gorq"}, ProviderNotFoundError, "try groq"),
        ({"G4F_LITE_PROVIDER": 3}, TypeError, "provider must be"),
        ({"G4F_LITE_API_KEY": "sk-1"}, TypeError, "does not select a service"),
        ({"G4F_LITE_TIMEOUT": "long"}, ValueError, "G4F_LITE_TIMEOUT must be seconds, such as 30, not 'long'"),
        ({"G4F_LITE_TIMEOUT": [9]}, TypeError, r"G4F_LITE_TIMEOUT must be seconds, such as 30, not \[9\]"),
        ({"G4F_LITE_STREAM_TIMEOUT": 0}, ValueError, "G4F_LITE_STREAM_TIMEOUT must be seconds, such as 30, not 0"),
        ({"G4F_LITE_PROVIDER": "echo", "G4F_LITE_START": True}, ValueError, "Echo has nothing to start"),
        ({"G4F_LITE_SENTENCES": "Nein."}, TypeError, "G4F_LITE_SENTENCES must be strings by status, such as"),
        ({"G4F_LITE_SENTENCES": {502: None}}, TypeError, "must be strings by status"),
        ({"G4F_LITE_SENTENCES": {500: "Nein."}}, ValueError, "500 is not one of 404, 413, 502, 503, 504, cut$"),
    ],
)
def test_a_wrong_configuration_is_an_error_at_once(config: dict[str, Any], error: type[Exception], match: str) -> None:
    app = make_app(**config)
    with pytest.raises(error, match=match):
        G4FLite(app)
    assert "g4f_lite" not in app.extensions


def test_the_engine_is_started_if_the_configuration_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(Local, "start", lambda local: started.append(local))
    local = Local()
    G4FLite(make_app(G4F_LITE_PROVIDER=local))
    assert started == []
    G4FLite(make_app(G4F_LITE_PROVIDER=local, G4F_LITE_START=True))
    assert started == [local]


def test_without_flask_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("g4f_lite.contrib.flask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    with pytest.raises(ImportError, match=r'needs Flask: pip install "g4f-lite\[flask\]"') as caught:
        __import__("g4f_lite.contrib.flask")
    assert type(caught.value).__name__ == "MissingDependencyError"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def last_output(text: str, kind: Any) -> Any:
    """Stream a typed answer, and give the value that its last event has."""
    with flask.Flask("app").test_request_context():
        body = stream_answer(Client(Scripted(text)).stream("Which room?", output=kind)).get_data(as_text=True)
    return json.loads(body.rpartition("event: done\ndata: ")[2])["output"]


def test_the_end_of_a_typed_answer_has_the_value_that_the_program_has() -> None:
    """The text has an example before it, a word in another case, a number in quotes, and a field too many."""
    pytest.importorskip("msgspec", reason="the extra typed is not installed")
    Room = dataclasses.make_dataclass("Room", [("kind", Literal["single", "double"]), ("beds", int)])
    text = 'As in {"example": 1}: {"kind": "DOUBLE", "beds": "2", "admin": true}'
    assert last_output(text, Room) == {"kind": "double", "beds": 2}


def test_the_end_of_a_typed_answer_has_the_names_that_the_model_was_told() -> None:
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    pytest.importorskip("msgspec", reason="the extra typed is not installed")
    Room = pydantic.create_model("Room", until=(date, pydantic.Field(alias="to")))
    assert last_output('{"to": "2026-01-02T00:00:00", "admin": true}', Room) == {"to": "2026-01-02"}
