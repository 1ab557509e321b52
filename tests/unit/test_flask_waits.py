"""A visitor is told of a rate limit, instead of kept waiting for its end."""

from __future__ import annotations

from typing import Any

import flask
import pytest

from g4f_lite import Fallback, G4FLiteError, OpenAICompatible, RetryPolicy
from g4f_lite.contrib.flask import G4FLite, error_response, stream_answer
from g4f_lite.emulator import Emulator
from g4f_lite.http.deadline import Deadline
from g4f_lite.testing import Scripted

URL = "http://127.0.0.1:1/v1"
OWN = RetryPolicy(max_retry_after=30)


def make_app(**config: Any) -> flask.Flask:
    app = flask.Flask("app")
    app.config.update({"TESTING": True, **config})
    return app


@pytest.mark.parametrize("path", ["/stream", "/ask"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_long_wait_is_a_status_at_once(
    members: int, path: str, g4f_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deadline, "sleep", lambda deadline, seconds: pytest.fail(f"it waits for {seconds} s"))
    app = make_app(G4F_LITE_PROVIDER=[OpenAICompatible(f"{g4f_emulator.url}/v1") for _ in range(members)])
    chat = G4FLite(app)
    app.register_error_handler(G4FLiteError, error_response)
    app.add_url_rule("/stream", "stream", lambda: stream_answer(chat.client.stream("Hello")))
    app.add_url_rule("/ask", "ask", lambda: chat.client.ask("Hello"))
    for _ in range(members):
        g4f_emulator.fail("rate_limit", retry_after=40)
    response = app.test_client().get(path)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "40")


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        ({}, 8),
        ({"G4F_LITE_PROVIDER": "groq"}, 8),
        ({"G4F_LITE_PROVIDER": OpenAICompatible(URL)}, 8),
        ({"G4F_LITE_PROVIDER": "groq, mistral"}, 8),
        ({"G4F_LITE_PROVIDER": Fallback([OpenAICompatible(URL), "groq"])}, 8),
        ({"G4F_LITE_PROVIDER": OpenAICompatible(URL, retry=OWN)}, None),
        ({"G4F_LITE_PROVIDER": OpenAICompatible(URL, retry=None)}, None),
        ({"G4F_LITE_PROVIDER": ["groq", OpenAICompatible(URL, retry=OWN)]}, None),
        ({"G4F_LITE_PROVIDER": Fallback(["groq", OpenAICompatible(URL, retry=OWN)])}, None),
        ({"G4F_LITE_MODELS": {"large": OpenAICompatible(URL, retry=OWN)}}, None),
    ],
)
def test_how_long_a_call_waits_for_a_service(config: dict[str, Any], longest: float | None) -> None:
    """A policy that the configuration has for a provider holds, and is not replaced: None."""
    router = G4FLite(make_app(**config)).client._router
    assert router.retry == ("own" if longest is None else RetryPolicy(max_retry_after=longest))


def test_a_view_may_wait_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    begin = Scripted.begin

    def noting(self: Scripted, prompt: Any) -> Any:
        seen.append(prompt.retry)
        return begin(self, prompt)

    monkeypatch.setattr(Scripted, "begin", noting)
    client = G4FLite(make_app(G4F_LITE_PROVIDER=Scripted(*["Hello."] * 3))).client
    client.ask("Hello"), client.ask("Hello", retry=OWN), client.with_options(retry=OWN).ask("Hello")
    assert seen == [RetryPolicy(max_retry_after=8), OWN, OWN]
