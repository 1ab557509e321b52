"""No copy of a provider has its secrets: it takes them from the environment, or says which one is missing."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import requests
import responses

from g4f_lite import AuthenticationError, OpenAICompatible

from .sent_keys import ELSEWHERE, KEY, sent_key


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda provider: pickle.loads(pickle.dumps(provider))])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"api_key": KEY}, "G4F_LITE_API_KEY"),
        ({"headers": {"X-Api-Key": KEY, "X-Other": "kept"}}, "headers"),
        ({"cookies": {"session": KEY}}, "cookies"),
        ({"proxy": f"http://user:{KEY}@proxy.test:3128"}, "G4F_LITE_PROXY"),
    ],
)
def test_a_copy_remembers_that_a_secret_is_missing(remake: Any, settings: dict[str, Any], named: str) -> None:
    provider = OpenAICompatible(ELSEWHERE, model="m", timeout=7, **settings)
    assert KEY.encode() not in pickle.dumps(provider)
    again = remake(remake(provider))
    assert (again.base_url, again.model, again.timeout) == (ELSEWHERE, "m", provider.timeout)
    asking = [
        lambda: again.create(messages="hi"),
        lambda: again.create_embeddings("hi"),
        lambda: again.generate_image("a cat"),
    ]
    for ask in asking:
        with responses.RequestsMock(), pytest.raises(AuthenticationError, match=named):
            ask()


def test_a_copy_without_secrets_just_works() -> None:
    provider = OpenAICompatible(ELSEWHERE, model="m", headers={"X-Other": "kept"}, proxy="http://proxy.test:3128")
    again = pickle.loads(pickle.dumps(provider))
    assert (again.headers, again.proxy) == (provider.headers, provider.proxy)
    assert sent_key(again) is None


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda provider: pickle.loads(pickle.dumps(provider))])
def test_a_copy_does_not_take_the_key_of_another_server(monkeypatch: pytest.MonkeyPatch, remake: Any) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", "http://gateway.test/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
    again = remake(OpenAICompatible(ELSEWHERE, api_key="given-key"))
    with responses.RequestsMock(), pytest.raises(AuthenticationError, match="with its URL in G4F_LITE_BASE_URL, or"):
        again.create("m", "hi")
    monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
    assert sent_key(again) == KEY


def test_a_copy_takes_its_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    again = pickle.loads(pickle.dumps(OpenAICompatible("https://api.openai.com/v1", api_key="given-key")))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert sent_key(again) == KEY


def test_an_own_session_is_lost_in_a_copy() -> None:
    with requests.Session() as session:
        again = pickle.loads(pickle.dumps(OpenAICompatible(ELSEWHERE, session=session)))
    with pytest.raises(AuthenticationError, match="session"):
        again.create("m", "hi")
