"""The check of a provider of one's own looks at its list of models, and says how it has to be created."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import requests

from g4f_lite import G4FLiteError, Prompt
from g4f_lite.http import Exchange
from g4f_lite.testing import Echo, check_provider, provider_check

from .quill_provider import REPLIES, TEXT, Plain, Quill


@pytest.fixture(autouse=True)
def _few_early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the answers early in few places: where is the point of other tests."""
    monkeypatch.setattr(provider_check, "EARLY_ENDS", 3)


class Lists(Quill):
    """Lists its models, with its token."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        request = super().request(prompt, token)
        request.json = {"model": prompt.model, "messages": prompt.messages}
        return request

    def get_models(self) -> list[str]:
        return self.run(self.list_models)

    def list_models(self, exchange: Exchange) -> list[str]:
        headers = self.headers_with(Authorization=self.token_for(exchange))
        body = exchange.send(requests.Request("GET", f"{self.base_url}/models", headers=headers), "bootstrap")
        self.check_response(body)
        return [model["name"] for model in body.json()]


class SendsOne(Lists):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return super().request(replace(prompt, model="swan"), token)


class ListsAnything(Lists):
    def list_models(self, exchange: Exchange) -> list[str]:
        return list(exchange.send(requests.Request("GET", f"{self.base_url}/models"), "bootstrap").json())


class ListsNothing(Lists):
    def list_models(self, exchange: Exchange) -> list[str]:
        try:
            return super().list_models(exchange)
        except G4FLiteError:
            return []


NAMES = '[{"name": "swan"}, {"name": "heron"}]'


@pytest.mark.parametrize(
    ("kind", "replies", "message"),
    [
        (Lists, {"/models": NAMES}, None),
        (SendsOne, {"/models": NAMES}, "the same is sent for the models 'swan' and 'heron': send prompt.model"),
        (Lists, {}, "there is no reply for /models, to which get_models sent a request"),
        (Lists, {"/models": '[{"id": "swan"}]'}, r"get_models: Lists\.list_models raised KeyError: 'name'"),
        (Lists, {"/models": '[{"name": "swan"}]'}, r"get_models returns \['swan'\], and not \['swan', 'heron'\]"),
        (ListsAnything, {"/models": NAMES}, r"get_models: ListsAnything\.get_models returned list"),
        (
            ListsAnything,
            {"/models": '["swan", "heron"]'},
            "a refusal of the request to /models is a Resp.*check_response",
        ),
        (ListsNothing, {"/models": NAMES}, "a refusal of the request to /models is not an AuthenticationError"),
    ],
)
def test_the_list_of_models_is_checked(kind: type[Quill], replies: Any, message: str | None) -> None:
    make = partial(kind, api_key="the-good-key")
    if message is None:
        check_provider(make, {**replies, **REPLIES}, text=TEXT, models=["swan", "heron"])
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, {**replies, **REPLIES}, text=TEXT, models=["swan", "heron"])


class HasUser(Plain):
    def __init__(self, user: str, **settings: Any) -> None:
        super().__init__(**settings)


class Closed(Plain):
    def __init__(self) -> None:
        super().__init__()


class DropsItsSettings(Plain):
    def __init__(self, **settings: Any) -> None:
        super().__init__()


def test_settings_that_have_no_effect() -> None:
    with pytest.raises(AssertionError, match=r"^DropsItsSettings\.__init__ does not pass base_url= on to super"):
        check_provider(DropsItsSettings, {"/say": "x"}, text="x")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (HasUser, r"missing 1 required positional argument: 'user'; make gets .*partial\(Parley, user='ann'\)"),
        (lambda: Plain(), r"unexpected keyword argument 'base_url'; make gets base_url= and retry="),
        (Closed, r"Closed does not accept base_url=, .*; add \*\*settings to its __init__"),
        (lambda **_: Echo(), r"make must return a provider of a service over HTTP, not Echo"),
    ],
)
def test_what_cannot_be_made_is_an_error_that_says_how(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_provider(make, {"/say": "x"}, text="x")
