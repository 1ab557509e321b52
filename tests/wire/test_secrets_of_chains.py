"""Secrets that a service sends back appear in no error that is made, kept or logged outside the call that sent them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from g4f_lite import (
    AllProvidersFailedError,
    BaseProvider,
    Client,
    Delta,
    Fallback,
    Finish,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    Provider,
    ResponseFormatError,
    ServiceError,
    TurnsExceededError,
)
from g4f_lite.contrib.server import create_app
from g4f_lite.http.body import Body
from g4f_lite.http.exchange import Exchange
from g4f_lite.prompt import Prompt
from g4f_lite.testing import Scripted

from .canaries import KEY, PLACES, Notes, serve, settings_for, take_notes  # noqa: F401  a fixture
from .raw_server import RawServer, every, length

NO = length(b'{"error": {"message": "no"}}', status="400 No")
CALL = {"id": "1", "type": "function", "function": {"name": "tool", "arguments": json.dumps({"city": KEY})}}


def note_all(notes: Notes, error: AllProvidersFailedError) -> None:
    for each in (error, *error.errors):
        notes.error(each, variables=False)


@pytest.mark.product
@pytest.mark.parametrize("place", [*PLACES, "an empty answer"])
@pytest.mark.parametrize("given", [{"api_key": KEY}, {"api_key": lambda: KEY}, {"cookies": {"sid": KEY}}])
def test_a_chain_whose_last_member_knows_nothing_of_the_key(given: dict[str, Any], place: str, notes: Notes) -> None:
    with (
        RawServer(serve(place)) as server,
        RawServer(every(NO)) as other,
        OpenAICompatible(server.url, model="m", **settings_for(notes, **given)) as first,
        OpenAICompatible(other.url, model="m", retry=None) as last,
    ):
        for chain in (Fallback([first, last]), Fallback([Fallback([first, last]), Scripted(ServiceError("no"))])):
            with pytest.raises(AllProvidersFailedError) as caught:
                chain.ask("hi")
            note_all(notes, caught.value)


def test_a_chain_that_answers_logs_no_key(notes: Notes) -> None:
    with (
        RawServer(serve("an empty answer")) as server,
        OpenAICompatible(server.url, model="m", **settings_for(notes, api_key=KEY)) as first,
    ):
        assert Fallback([first, Scripted("fine")]).ask("hi") == "fine"


def test_a_chain_goes_on_beside_a_member_whose_key_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "two words")
    chain = Fallback([OpenAICompatible.preset("groq"), Scripted(ServiceError("no")), Scripted("fine")])
    with pytest.warns(UserWarning, match="another provider answers, as this one has no usable key: Groq"):
        assert chain.ask("hi") == "fine"


def test_a_server_over_a_chain_tells_its_clients_no_key(notes: Notes) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/chat/completions", "HTTP_HOST": "localhost"}
    environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    with (
        RawServer(serve("an empty answer")) as server,
        RawServer(every(NO)) as other,
        OpenAICompatible(server.url, model="m", **settings_for(notes, api_key=KEY)) as first,
        OpenAICompatible(other.url, model="m", retry=None) as last,
    ):
        answer = create_app(Fallback([first, last]))({**environ, "wsgi.input": io.BytesIO(body)}, lambda *_: None)
        said = b"".join(answer).decode()
    assert "***" in json.loads(said)["error"]["message"]
    notes.texts.append(said)


def test_an_answer_of_a_chain_that_is_in_a_cache(notes: Notes, tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": f"not {KEY}"}, "finish_reason": "stop"}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, model="m", **settings_for(notes, api_key=KEY)) as provider,
        Client(Fallback([provider]), cache=tmp_path / "answers") as client,
    ):
        for _ in range(2):
            client.ask("hi")
            with pytest.raises(G4FLiteError) as caught:
                client.ask("hi", output=int, repairs=0)
            notes.error(caught.value, variables=False)
    assert len(server.requests) == 3  # what does not fit is asked for once more


def test_the_turns_of_tools_that_two_members_of_a_chain_have_answered(notes: Notes) -> None:
    def tool(city: str) -> str:
        """Look."""
        return "dry"

    body = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [CALL]}}]}).encode()
    other_call = {**CALL, "function": {"name": "tool", "arguments": '{"city": "Oslo"}'}}
    other_body = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [other_call]}}]}).encode()
    with (
        RawServer(every(length(body), NO)) as server,
        RawServer(every(length(other_body))) as other,
        OpenAICompatible(server.url, model="m", api_key=lambda: KEY, retry=None) as first,
        OpenAICompatible(other.url, model="m", retry=None) as last,
        pytest.raises(TurnsExceededError) as caught,
    ):
        Client(Fallback([first, last])).ask("hi", tools=[tool], max_turns=2)
    assert len(caught.value.messages) == 4
    notes.error(caught.value, variables=False)


class Own(BaseProvider):
    """A provider of one's own whose service sends back the key.

    :param where: where it fails
    """

    def __init__(self, api_key: str, where: str) -> None:
        self.key = api_key
        self.where = where

    def begin(self, prompt: Prompt) -> Generator[Delta, None, None]:
        if self.where == "at once":
            raise ServiceError(f"wrong key {self.key}")
        if self.where == "no source":
            return f"wrong key {self.key}"  # type: ignore[return-value]
        return self._deltas()

    def _deltas(self) -> Generator[Delta, None, None]:
        if self.where == "before the text":
            raise ServiceError(f"wrong key {self.key}")
        if self.where == "no text":
            yield Finish(self.key)
            return
        yield "text"
        raise ServiceError(f"wrong key {self.key}")


@pytest.mark.parametrize("where", ["at once", "no source", "before the text", "no text", "in the text"])
def test_a_provider_of_ones_own(where: str, notes: Notes) -> None:
    with pytest.raises(G4FLiteError, match=r"\*\*\*") as caught:
        Own(KEY, where).ask("hi")
    notes.error(caught.value, variables=False)
    with pytest.raises(G4FLiteError, match=r"\*\*\*") as caught:
        Fallback([Own(KEY, where), Scripted(ServiceError("no"))]).ask("hi")
    if isinstance(caught.value, AllProvidersFailedError):
        note_all(notes, caught.value)
    notes.error(caught.value, variables=False)


class Tokens(Provider):
    """A service that wants a token in the JSON of each prompt."""

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(requests.Request("GET", self.base_url), "bootstrap")
        self.check_response(body)
        return str(body.json())

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", self.base_url, json={"token": token})

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        body.new_token = "another-one-7"
        yield "text"
        raise ServiceError(body.read().decode())

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError(text) if status == 500 else None


OLD = length(f'{{"error": "the token {KEY} is old"}}'.encode(), status="401 No")


@pytest.mark.parametrize(
    "answers",
    [
        [OLD, length(b"no token", status="500 No")],
        [OLD, length(b'"another-token-7"'), OLD],
        [length(f"the token {KEY} is old".encode())],
    ],
    ids=["no other one", "another that is rejected too", "replaced by the answer"],
)
def test_a_token_that_is_not_the_one_of_the_session_any_more(answers: list[bytes], notes: Notes) -> None:
    with (
        RawServer(every(length(json.dumps(KEY).encode()), *answers)) as server,
        Tokens(base_url=server.url, retry=None) as provider,
        pytest.raises(G4FLiteError, match=r"the token \*\*\* is old") as caught,
    ):
        provider.ask("hi")
    assert len(server.requests) == 1 + len(answers)
    notes.error(caught.value, variables=False)


def test_an_image_that_is_a_text(notes: Notes) -> None:
    body = json.dumps({"choices": [{"message": {"content": f"I am {KEY}"}, "finish_reason": "stop"}]}).encode()

    class Painter(OpenAICompatible):
        generate_image = None  # type: ignore[assignment]  # so that images come in a chat

    with (
        RawServer(every(length(body))) as server,
        Painter(server.url, model="m", api_key=KEY, retry=None) as provider,
        pytest.raises(ResponseFormatError, match="expected an image") as caught,
    ):
        Client(provider).images.generate("a cat")
    assert caught.value.partial == "I am ***"
    notes.error(caught.value, variables=False)


def test_an_image_that_is_fetched_later(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="urllib3")  # which logs every URL as it is
    with (
        RawServer(every(length(b"{}"))) as server,
        OpenAICompatible(server.url, model="m", retry=None) as provider,
    ):
        url, given = f"{server.url}/{KEY}.png", {"X-Api-Key": KEY}
        message = {"images": [{"image_url": {"url": url}}]}
        body = json.dumps({"choices": [{"message": message}], "data": [{"url": url}]}).encode()
        server._serve = every(length(body))
        answer = Client(provider).ask("a cat", extra_headers=given)
        with pytest.raises(ResponseFormatError, match=r"\*\*\*") as caught:
            answer.images[0].bytes()
        notes.error(caught.value, variables=False)
        with pytest.raises(ResponseFormatError, match=r"\*\*\*") as caught:
            Client(provider).images.generate("a cat", response_format="b64_json", extra_headers=given)
        notes.error(caught.value, variables=False)


def test_a_list_of_models_that_has_the_key_in_it(notes: Notes) -> None:
    body = json.dumps({"data": [{"id": f"of-{KEY}"}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, api_key=KEY, retry=None) as provider,
        pytest.raises(ModelNotSupportedError, match=r"\*\*\*") as caught,
    ):
        Client(provider).models.retrieve(f"of-{KEY}"[:-1])
    notes.texts += [str(caught.value).replace(f"of-{KEY}"[:-1], "")]
