"""Lists of models, and images on request, in the forms in which servers send them."""

from __future__ import annotations

import base64
import copy
import pickle
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite import (
    AllProvidersFailedError,
    Client,
    DeadlineExceededError,
    Delta,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    Provider,
    ResponseFormatError,
    RetryPolicy,
    ServiceError,
    Timeout,
)
from g4f_lite.http.body import Body
from g4f_lite.http.exchange import Exchange
from g4f_lite.prompt import Prompt

from .conftest import Provide
from .openai_answers import HELLO, refused, whole
from .raw_server import Connection, RawServer, every, length

PIXEL = "iVBORw0KGgo="

LISTS: dict[str, Any] = {
    "OpenAI's": {"object": "list", "data": [{"id": "a"}, {"id": "b"}]},
    "a bare list": [{"id": "a"}, {"id": "b"}],
    "names alone": ["a", "b"],
    "names alone in data": {"data": ["a", "b"]},
    "missing fields": {"data": [{"id": "a"}, {}, {"id": None}, {"object": "model"}, None, {"id": "b"}]},
    "names for ids": {"data": [{"name": "a"}, {"model": "b"}]},
    "Ollama's tags": {"models": [{"name": "a", "model": "a", "size": 1}, {"name": "b", "details": {}}]},
    "Cloudflare's": {"success": True, "result": [{"id": "a"}, {"name": "b"}]},
    "twice": {"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]},
    "one of one": [{"id": "a"}],
}


@pytest.mark.parametrize("form", LISTS)
def test_a_list_of_models(form: str, provide: Provide) -> None:
    with RawServer(every(whole(LISTS[form]))) as server:
        assert provide(server).get_models() == (["a"] if form == "one of one" else ["a", "b"])


class Listing(Provider):
    """A provider of one's own that lists its models."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        raise NotImplementedError

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        raise NotImplementedError

    def get_models(self) -> list[str]:
        return self.run(self._listed)

    def _listed(self, exchange: Exchange) -> list[str]:
        body = exchange.send(requests.Request("GET", self.base_url), "bootstrap")
        self.check_response(body)
        return list(body.json())


@pytest.mark.parametrize("kind", [OpenAICompatible, Listing])
@pytest.mark.parametrize("way", ["the client's", "with_options"])
def test_models_are_listed_through_the_proxy_of_the_client(kind: Any, way: str) -> None:
    listed = whole(["a", "b"])
    with RawServer(every(listed)) as server, RawServer(every(listed)) as proxy, kind(base_url=server.url) as provider:
        client = Client(provider, proxy=proxy.url) if way == "the client's" else Client(provider)
        if way != "the client's":
            client = client.with_options(proxy=proxy.url)
        assert [model.id for model in client.models.list()] == ["a", "b"]
        assert client.models.get_all() == ["a", "b"]
        assert client.models.retrieve("b").id == "b"
        assert (len(proxy.requests), server.requests) == (3, [])
        assert provider.get_models() == ["a", "b"]  # without a client, and so without its proxy
        assert (len(proxy.requests), len(server.requests)) == (3, 1)


@pytest.mark.parametrize("kind", [OpenAICompatible, Listing])
def test_models_are_listed_within_the_limits_of_the_client(kind: Any) -> None:
    with RawServer(every(length(b"", status="503 Busy"), whole(["a"]))) as server:
        client = Client(kind(base_url=server.url, retry=None))
        again = client.with_options(retry=RetryPolicy(attempts=2, backoff=0))
        assert [model.id for model in again.models.list()] == ["a"]
    with RawServer(Connection.silence) as server, pytest.raises(DeadlineExceededError) as caught:
        Client(kind(base_url=server.url)).with_options(timeout=Timeout(total=0.05)).models.list()
    assert caught.value.limit == "total"


@pytest.mark.parametrize("listed", [{"data": []}, {"data": None}, {"models": None}, []])
def test_a_list_without_models(listed: Any, provide: Provide) -> None:
    with RawServer(every(whole(listed))) as server:
        assert provide(server).get_models() == []


@pytest.mark.parametrize(
    "listed", [{"error": "no models"}, {"error": {"message": "no models"}}, {"detail": "no models"}]
)
def test_an_error_is_no_list(listed: Any, provide: Provide) -> None:
    with RawServer(every(whole(listed))) as server, pytest.raises(ServiceError, match="no models") as caught:
        provide(server).get_models()
    assert caught.value.step == "bootstrap"


@pytest.mark.parametrize("status", ["404 Not Found", "405 No", "501 No"])
def test_the_tags_of_ollama_where_there_is_no_list(status: str) -> None:
    def old(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1]
            answers = {"/v1/chat/completions": HELLO, "/api/tags": whole({"models": [{"name": "llama3"}]})}
            connection.send(answers.get(path) or whole({"detail": "Not Found"}, status=status))

    with RawServer(old) as server, OpenAICompatible(server.url + "/v1", retry=None) as provider:
        assert provider.get_models() == ["llama3"]
        assert provider.create(messages="hi") == "Hello"
        assert server.requests[-1].json["model"] == "llama3"


def test_where_there_is_no_list_at_all_the_first_refusal_counts(provide: Provide) -> None:
    with RawServer(every(whole({"detail": "no such page"}, status="404 Not Found"))) as server:
        with pytest.raises(ServiceError, match="no such page"):
            provide(server).get_models()
        assert [request.line.split()[1] for request in server.requests] == ["/models", "/api/tags"]


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
def test_where_there_is_no_list_to_choose_a_model_from_the_error_says_how_to_name_one(status: str) -> None:
    unnamed = "which was asked for because no model is named: set G4F_LITE_MODEL or model="
    with RawServer(every(whole({"error": {"message": "no such page"}}, status=status))) as server:
        told = f"no such page; there is no list of models at {server.url}/v1/models"
        with OpenAICompatible(f"{server.url}/v1", retry=None) as provider:
            for call, expected in ((provider.get_models, told), (lambda: provider.ask("hi"), f"{told}, {unnamed}")):
                with pytest.raises(G4FLiteError) as caught:
                    call()
                assert str(caught.value).endswith(expected)


# Images

MADE: dict[str, tuple[Any, list[str]]] = {
    "addresses": (
        {"data": [{"url": "http://x.test/1"}, {"url": "http://x.test/2"}]},
        ["http://x.test/1", "http://x.test/2"],
    ),
    "Base64": ({"data": [{"b64_json": PIXEL}]}, [f"data:image/png;base64,{PIXEL}"]),
    "Base64 with its type": (
        {"data": [{"b64_json": f"data:image/webp;base64,{PIXEL}"}]},
        [f"data:image/webp;base64,{PIXEL}"],
    ),
    "images": ({"images": [{"url": "http://x.test/1"}]}, ["http://x.test/1"]),
    "both": ({"images": [{"url": "http://x.test/1"}], "data": [{"url": "http://x.test/1"}]}, ["http://x.test/1"]),
    "a bare list": ([{"url": "http://x.test/1"}], ["http://x.test/1"]),
    "one that failed": (
        {"data": [{"error": "filtered"}, {"url": "http://x.test/1"}, {"url": None, "b64_json": ""}]},
        ["http://x.test/1"],
    ),
}


@pytest.mark.parametrize("form", MADE)
def test_images_that_are_made(form: str, provide: Provide) -> None:
    answer, urls = MADE[form]
    with RawServer(every(whole(answer))) as server:
        assert provide(server).generate_image("a cat").urls == urls


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"data": []}, ResponseFormatError, "expected images"),
        ({"data": [{"url": "javascript:alert(1)"}]}, ResponseFormatError, "the address of an image is not what"),
        ({"data": [{"error": {"message": "filtered"}}]}, ServiceError, "filtered"),
        ({"error": {"message": "no"}}, ServiceError, "no"),
        ({"message": "asleep"}, ServiceError, "asleep"),
        ({"data": None, "error": "out"}, ServiceError, "out"),
    ],
)
def test_no_image(answer: Any, kind: type[G4FLiteError], words: str, provide: Provide) -> None:
    with RawServer(every(whole(answer))) as server, pytest.raises(kind, match=words) as caught:
        provide(server).generate_image("a cat")
    assert caught.value.step == "image"


def test_what_the_service_says_of_images_is_passed_on(provide: Provide) -> None:
    usage = {"input_tokens": 3, "output_tokens": 40, "total_tokens": 43, "input_tokens_details": {"text_tokens": 3}}
    rows = [{"url": "https://x.test/a", "revised_prompt": "A very white cat"}, {"b64_json": PIXEL}]
    answer = {"created": 1589478378, "data": rows, "usage": {**usage, "seconds": 2}}
    with RawServer(every(whole(answer))) as server:
        made = Client(provide(server)).images.generate("a white cat", n=2)
    assert made.to_dict() == {
        "created": 1589478378,
        "data": rows,
        "provider": "OpenAICompatible",
        "usage": {**usage, "seconds": 2},
    }
    assert made.usage is not None
    assert (made.data[0].revised_prompt, made.data[1].revised_prompt) == ("A very white cat", None)
    assert (made.usage.total_tokens, made.usage.input_tokens_details) == (43, {"text_tokens": 3})


def test_an_image_remembers_it_when_it_is_copied(provide: Provide) -> None:

    answer = {
        "created": 5,
        "data": [{"url": "https://x.test/a", "revised_prompt": "A cat"}],
        "usage": {"total_tokens": 1},
    }
    with RawServer(every(whole(answer))) as server:
        image = provide(server).generate_image("cat")
    for made in (image, copy.copy(image), copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
        assert (made.revised_prompts, made.created, made.usage) == (["A cat"], 5, {"total_tokens": 1})


@pytest.mark.once
@pytest.mark.parametrize("is_given", [True, False])
def test_the_total_of_an_image_is_that_of_all_members_of_a_chain_together(
    is_given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_given:
        monkeypatch.setenv("G4F_LITE_TIMEOUT", "1")

    def silent(connection: Connection) -> None:
        connection.request()
        connection.silence()

    with RawServer(silent) as first, RawServer(silent) as second:
        chain = Fallback([OpenAICompatible(server.url, model="m", retry=None) for server in (first, second)])
        began_at = time.monotonic()
        with pytest.raises(AllProvidersFailedError) as caught:
            Client(chain).images.generate("a cat", timeout=1 if is_given else None)
        assert time.monotonic() - began_at < 1.8
        assert [getattr(error, "seconds", None) for error in caught.value.errors] == pytest.approx([0.5, 0.5], abs=0.1)


def test_what_may_be_refused_for_an_image_says_so(provide: Provide) -> None:
    with RawServer(every(refused({"message": "content must be a string"}))) as server:
        asker = provide(server)
        for images, advice in (
            (None, ""),
            (base64.b64decode(PIXEL), "; the messages contain an image, which the model may not take"),
        ):
            with pytest.raises(ServiceError) as caught:
                asker.ask("What is this?", images=images)
            assert str(caught.value) == f"OpenAICompatible, prompt: content must be a string{advice}"
