"""A key, or a URL with a password, in the place of a name: neither an error nor a repr shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest

from g4f_lite import Client, Fallback, Local, OpenAICompatible
from g4f_lite.contrib.flask import G4FLite
from g4f_lite.contrib.server import create_app
from g4f_lite.testing import Scripted

KEY = "sk-proj-canary4567890canary4567890"
URL = "http://alice:canary/@x@127.0.0.1:9/v1"


def of_flask(**settings: Any) -> Client:
    app = flask.Flask("app")
    app.config.update(settings)
    return G4FLite(app).client


@pytest.mark.parametrize("name", [KEY, URL, f"groq:{KEY}", f"groq,{URL}", f"{URL}:model"])
@pytest.mark.parametrize(
    "make",
    [
        Client,
        lambda name: Fallback([name]),
        lambda name: Client("echo", model=name),
        lambda name: Scripted(model=name),
        lambda name: OpenAICompatible("http://127.0.0.1:9/v1", model=name),
        lambda name: OpenAICompatible.preset(name),
        lambda name: Local(name).ask("Hello"),
        lambda name: create_app("echo", origins=[name]),
        lambda name: of_flask(G4F_LITE_PROVIDER=name),
        lambda name: of_flask(G4F_LITE_MODEL=name),
        lambda name: of_flask(G4F_LITE_TIMEOUT=name),
    ],
)
def test_a_misplaced_secret_is_hidden(make: Callable[[str], Any], name: str) -> None:
    try:
        told = repr(make(name))
    except Exception as error:
        told = str(error)
    assert told
    assert "canary" not in told
