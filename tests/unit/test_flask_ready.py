"""What is told of a provider that is not ready when the app starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
import pytest

from g4f_lite import AuthenticationError, Local, MissingDependencyError
from g4f_lite.contrib.flask import G4FLite
from g4f_lite.providers.local import runner, weights


def make_app(**config: Any) -> flask.Flask:
    app = flask.Flask("app")
    app.config.update(config)
    return app


def test_an_unconfigured_provider_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "check_installed", lambda: None)
    monkeypatch.setattr(weights, "find", lambda name: tmp_path)
    answers = "no provider is configured, so that the small embedded model answers; set G4F_LITE_PROVIDER"
    with pytest.warns(UserWarning, match=answers) as caught:
        G4FLite(make_app())
    assert caught[0].filename == __file__


def test_a_missing_key_is_a_warning_and_an_error_at_the_call() -> None:
    with pytest.warns(UserWarning, match="not ready, and calls will fail: .*GROQ_API_KEY"):
        chat = G4FLite(make_app(G4F_LITE_PROVIDER="groq"))
    with pytest.raises(AuthenticationError, match="GROQ_API_KEY"):
        chat.client.ask("Hello")


def test_an_unknown_provider_of_the_environment_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", "gorq")
    with pytest.warns(UserWarning, match="calls will fail: .*G4F_LITE_PROVIDER.*gorq"):
        G4FLite(make_app())


@pytest.mark.parametrize(
    "config",
    [
        {"TESTING": True},
        {"DEBUG": True},
        {"G4F_LITE_PROVIDER": "groq", "G4F_LITE_API_KEY": "sk-1"},
        {"G4F_LITE_BASE_URL": "http://127.0.0.1:1/v1"},
    ],
)
def test_no_warning(config: dict[str, Any]) -> None:
    G4FLite(make_app(**config))


def test_missing_weights_are_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None is given where a call would fetch them, and none where they are here."""
    monkeypatch.setattr(runner, "check_installed", lambda: None)
    monkeypatch.setattr(weights, "find", lambda name: None)
    monkeypatch.setattr(weights, "pull", lambda name: pytest.fail("it was downloaded"))
    with pytest.warns(UserWarning, match=r"calls will fail: .*weights of smollm2 are not in .*g4f-lite local pull"):
        G4FLite(make_app(G4F_LITE_PROVIDER="local"))
    G4FLite(make_app(G4F_LITE_PROVIDER=Local(download=True)))
    monkeypatch.setattr(weights, "find", lambda name: tmp_path)
    G4FLite(make_app(G4F_LITE_PROVIDER="local"))


def test_a_missing_engine_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingDependencyError('pip install "g4f-lite[local]"')

    monkeypatch.setattr(runner, "check_installed", missing)
    with pytest.warns(UserWarning, match=r"calls will fail: .*g4f-lite\[local\]"):
        G4FLite(make_app(G4F_LITE_PROVIDER="local"))
    unconfigured = r"no provider is configured, and calls will fail: .*g4f-lite\[local\]\"; set G4F_LITE_PROVIDER"
    with pytest.warns(UserWarning, match=unconfigured):
        G4FLite(make_app())
