"""Tokens of a service: fetched once for a session, and again where the service rejects one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import responses

from g4f_lite import AuthenticationError, Body, Finish, Prompt, Provider, RateLimitError
from g4f_lite.http import Exchange

URL = "http://quill.example"


@pytest.fixture(autouse=True)
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.post(f"{URL}/chat", json="Hello")
        mocked.get(f"{URL}/token", json={"ticket": "one"})
        yield mocked


class WithToken(Provider):
    """A provider whose service rejects its first token with status 200."""

    url = URL

    def bootstrap(self, exchange: Exchange) -> str:
        return str(exchange.send(requests.Request("GET", f"{URL}/token"), "bootstrap").json()["ticket"])

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{URL}/chat", headers={"Ticket": token})

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Any]:
        if (text := body.json()) == "expired":
            raise AuthenticationError("the ticket has expired")
        yield text
        yield Finish()

    def get_models(self) -> list[str]:
        return self.run(lambda exchange: [self.token_for(exchange)])


def test_a_token_that_is_rejected_with_status_200_is_fetched_again(service: responses.RequestsMock) -> None:
    service.replace(responses.POST, f"{URL}/chat", json="expired")
    service.post(f"{URL}/chat", json="Hello")
    assert WithToken().ask("x") == "Hello"
    assert [call.request.path_url for call in service.calls] == ["/token", "/chat", "/token", "/chat"]


class TokenForGood(WithToken):
    token_sources = 0


class WithoutToken(WithToken):
    bootstrap = Provider.bootstrap


@pytest.mark.parametrize(
    ("kind", "paths"), [(TokenForGood, ["/token", "/chat"]), (WithoutToken, ["/chat"])], ids=["no source", "no token"]
)
def test_a_token_that_cannot_be_fetched_again_ends_the_call(
    service: responses.RequestsMock, kind: type[WithToken], paths: list[str]
) -> None:
    service.replace(responses.POST, f"{URL}/chat", json="expired")
    with pytest.raises(AuthenticationError, match="the ticket has expired"):
        kind().ask("x")
    assert [call.request.path_url for call in service.calls] == paths


def test_a_token_is_fetched_once_for_prompts_and_other_requests(service: responses.RequestsMock) -> None:
    provider = WithToken(session=requests.Session())
    assert provider.get_models() == ["one"]
    with ThreadPoolExecutor(4) as executor:
        assert set(executor.map(provider.ask, "abcd")) == {"Hello"}
    assert [call.request.path_url for call in service.calls].count("/token") == 1


def test_an_old_token_is_replaced_for_other_requests_too(service: responses.RequestsMock) -> None:
    class Lists(WithToken):
        def get_models(self) -> list[str]:
            return self.run(self.list_models)

        def list_models(self, exchange: Exchange) -> list[str]:
            headers = {"Ticket": self.token_for(exchange)}
            body = exchange.send(requests.Request("GET", f"{URL}/models", headers=headers), "bootstrap")
            self.check_response(body)
            return list(body.json())

    service.get(f"{URL}/models", json=["one"])
    service.get(f"{URL}/models", status=401)
    service.get(f"{URL}/models", json=["two"])
    service.get(f"{URL}/models", status=401)
    provider = Lists()
    assert [provider.get_models() for _ in range(2)] == [["one"], ["two"]]
    with pytest.raises(AuthenticationError):
        provider.get_models()
    paths = [call.request.path_url for call in service.calls]
    assert paths == ["/token", "/models", "/models", "/token", "/models", "/models", "/token", "/models"]


def test_a_limit_on_tokens_with_status_200_says_when_it_ends(service: responses.RequestsMock) -> None:
    class Limited(WithToken):
        def bootstrap(self, exchange: Exchange) -> str:
            exchange.send(requests.Request("GET", f"{URL}/token"), "bootstrap")
            raise RateLimitError("no more tokens")

    headers = {"Retry-After": "300", "x-request-id": "r-1"}
    service.replace(responses.GET, f"{URL}/token", json={}, headers=headers)
    for call in (lambda: Limited().ask("x"), lambda: Limited().get_models()):
        with pytest.raises(RateLimitError) as caught:
            call()
        assert (caught.value.retry_after, caught.value.request_id, caught.value.step) == (300, "r-1", "bootstrap")


def test_a_token_that_the_provider_itself_refuses_is_fetched_again(service: responses.RequestsMock) -> None:
    class Expiring(WithToken):
        def request(self, prompt: Prompt, token: str) -> requests.Request:
            if token == "one":
                raise AuthenticationError("the ticket has expired")
            return super().request(prompt, token)

    service.get(f"{URL}/token", json={"ticket": "two"})
    assert Expiring().ask("x") == "Hello"
    assert [call.request.path_url for call in service.calls] == ["/token", "/token", "/chat"]
