"""Addresses of servers as people write them, redirects, and what goes beside a prompt."""

from __future__ import annotations

import pickle
import re
import socket
from typing import Any

import pytest
import responses

import g4f_lite
from g4f_lite import (
    AuthenticationError,
    Client,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    ProviderError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
)

from .openai_answers import HELLO, whole
from .raw_server import Connection, RawServer, every, hello, length

MODELS = whole({"data": [{"id": "m"}]})


class Paths(RawServer):
    """A server that answers under some paths, and says of all others that there is nothing.

    :param answers: the answer of each path
    :param otherwise: the answer of all others
    """

    def __init__(self, answers: dict[str, bytes], otherwise: bytes | None = None) -> None:
        super().__init__(self._answer)
        self.answers = answers
        self.otherwise = otherwise or whole({"detail": "Not Found"}, status="404 Not Found")

    def __enter__(self) -> Paths:
        super().__enter__()
        return self

    def _answer(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            connection.send(self.answers.get(request.line.split()[1], self.otherwise))

    @property
    def asked(self) -> list[str]:
        return [request.line.split()[1] for request in self.requests]


CHAT = "/v1/chat/completions"
DEPLOYED = "/openai/deployments/gpt/chat/completions?api-version=1"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/v1", CHAT),
        ("/v1/", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("/v1/chat", CHAT),
        ("/v1/completions", CHAT),
        ("/v1/responses", CHAT),
        ("/v1/models", CHAT),
        ("/v1/images/generations", CHAT),
        ("/api/chat", CHAT),
        ("/api/generate", CHAT),
        ("/api/chat/completions", "/api/chat/completions"),
        ("/chat", "/chat/chat/completions"),
        ("", "/chat/completions"),
        ("/openai/deployments/gpt?api-version=1", "/openai/deployments/gpt/chat/completions?api-version=1"),
        (
            "/openai/deployments/gpt/chat/completions?api-version=1",
            "/openai/deployments/gpt/chat/completions?api-version=1",
        ),
        ("/v1?a=1&b=%C3%BC&c=", "/v1/chat/completions?a=1&b=%C3%BC&c="),
    ],
)
def test_an_address_is_understood(written: str, asked: str) -> None:
    with Paths({asked: HELLO}) as server, OpenAICompatible(server.url + written, model="m") as provider:
        assert provider.create(messages="hi") == "Hello"
        assert server.asked == [asked]
        assert "?" not in provider.base_url


@pytest.mark.parametrize("name", ["chat.localhost", "a.b.LOCALHOST", "chat.localhost."])
def test_a_name_in_localhost_is_this_machine_and_is_not_looked_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, asked = socket.getaddrinfo, set()

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        asked.add(host)
        return look_up("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with RawServer(every(hello())) as server, OpenAICompatible(f"http://{name}:{server.port}", model="m") as provider:
        assert provider.create(messages="hi") == "Hello world"
    assert asked - {"127.0.0.1"} == {"localhost"}  # Windows' socket.socketpair asks for the other


def test_the_query_of_an_address_goes_with_every_request() -> None:
    answers = {
        "/v1/models?api-version=1": MODELS,
        "/v1/chat/completions?api-version=1": HELLO,
        "/v1/images/generations?api-version=1": whole({"data": [{"url": "http://x.test/1"}]}),
    }
    with Paths(answers) as server, OpenAICompatible(server.url + "/v1?api-version=1") as provider:
        assert provider.create(messages="hi") == "Hello"
        assert provider.generate_image("a cat").urls == ["http://x.test/1"]
        assert server.asked == list(answers)


def test_a_deployment_is_the_model_that_is_asked() -> None:
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=1"
    with Paths({path: HELLO}) as server:
        provider = OpenAICompatible(server.url + "/openai/deployments/gpt-4o?api-version=1", default_query={"x": 1})
        with pytest.raises(ServiceError):
            provider.create(messages="hi")
        assert server.asked == [path + "&x=1"]
        assert server.requests[0].json["model"] == "gpt-4o"


NOWHERE = {
    "FastAPI": (whole({"detail": "Not Found"}, status="404 Not Found"), ServiceError),
    "g4f-lite serve": (
        whole(
            {"error": {"message": "this server has no /models; it has /v1/models/{model}", "code": "not_found"}},
            status="404 Not Found",
        ),
        ServiceError,
    ),
    "a plain 404": (length(b"404 page not found", status="404 Not Found"), ResponseStatusError),
    "a page with 404": (length(b"<html>Not Found</html>", status="404 Not Found"), ResponseStatusError),
    "a page": (length(b"<!DOCTYPE html><html>Open WebUI</html>"), ResponseFormatError),
    "405": (length(b"", status="405 Method Not Allowed"), ResponseStatusError),
    "LM Studio": (whole({"error": "Unexpected endpoint or method. (POST /chat/completions)"}), ServiceError),
    "501": (whole({"error": {"message": "Unknown route"}}, status="501 Not Implemented"), ResponseStatusError),
}


@pytest.mark.product
@pytest.mark.parametrize("kind", NOWHERE)
@pytest.mark.parametrize("model", ["m", None])
@pytest.mark.parametrize("path", ["", "/openai"])
def test_a_missing_version_is_explained_and_the_advice_works(kind: str, model: str | None, path: str) -> None:
    otherwise, error = NOWHERE[kind]
    answers = {path + CHAT: HELLO, path + "/v1/models": MODELS}
    with Paths(answers, otherwise) as server:
        with pytest.raises(error) as caught:
            OpenAICompatible(server.url + path, model=model, retry=None).create(messages="hi")
        advice = re.search(r"base_url='([^']+)'", str(caught.value))
        assert advice is not None, str(caught.value)
        assert advice[1] == f"{server.url}{path}/v1"
        assert OpenAICompatible(advice[1], model=model).create(messages="hi") == "Hello"


def test_a_missing_version_is_explained_by_the_variable_that_the_address_is_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Paths({}, NOWHERE["FastAPI"][0]) as server:
        monkeypatch.setenv("G4F_LITE_BASE_URL", f"{server.url}/")
        with pytest.raises(ServiceError, match=f": try G4F_LITE_BASE_URL={server.url}/v1$"):
            g4f_lite.ask("hi", model="m")
        with pytest.raises(ServiceError, match=f": try base_url='{server.url}/other/v1'$"):
            OpenAICompatible(f"{server.url}/other", model="m").ask("hi")


def test_a_missing_version_is_explained_where_images_are_asked_for_too() -> None:
    with Paths({}, NOWHERE["LM Studio"][0]) as server, pytest.raises(ServiceError, match=f"base_url='{server.url}/v1'"):
        OpenAICompatible(server.url, model="m").generate_image("a cat")


@pytest.mark.parametrize("path", ["/v1", "/v1beta/openai", "/api/v3", "/openai/deployments/gpt"])
def test_an_address_with_a_version_gets_no_advice(path: str) -> None:
    with Paths({}) as server, pytest.raises(ServiceError) as caught:
        OpenAICompatible(server.url + path, model="m").create(messages="hi")
    assert "base_url" not in str(caught.value)
    assert str(caught.value).endswith(f"status 404 often means a wrong address, which is {server.url}{path} here")


@responses.activate
def test_an_address_of_azure_without_a_path_is_explained() -> None:
    responses.post("https://mine.openai.azure.com/chat/completions", status=404, json={"error": {"message": "no"}})
    with pytest.raises(ServiceError, match=r"base_url='https://mine\.openai\.azure\.com/openai/v1'"):
        OpenAICompatible("https://mine.openai.azure.com", model="m", api_key="secret").create(messages="hi")


@pytest.mark.parametrize(("key", "header"), [("the-key", "api-key"), ("eyJ0eXAi.signed.token", "Authorization")])
@responses.activate
def test_azure_gets_its_key_where_it_looks_for_it(key: str, header: str) -> None:
    responses.post("https://mine.openai.azure.com/openai/v1/chat/completions", status=401, json={"error": "no"})
    with pytest.raises(AuthenticationError):
        OpenAICompatible("https://mine.openai.azure.com/openai/v1", model="m", api_key=key).create(messages="hi")
    sent = responses.calls[0].request.headers
    assert {name: sent[name] for name in ("api-key", "Authorization") if name in sent} == {
        header: key if header == "api-key" else f"Bearer {key}"
    }


# Redirects


def to(target: str, status: str = "307 Temporary Redirect") -> bytes:
    return length(b"moved", f"Location: {target}", status=status)


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_redirect_within_the_server_is_followed(status: str, hops: int) -> None:
    answers = {
        CHAT: to("/1", status),
        **{f"/{hop}": to(f"/{hop + 1}", status) for hop in range(1, hops)},
        f"/{hops}": HELLO,
    }
    with Paths(answers) as server, OpenAICompatible(server.url + "/v1", model="m", api_key="the-key") as provider:
        assert provider.create(messages="hi") == "Hello"
        assert server.asked == [CHAT, *(f"/{hop}" for hop in range(1, hops + 1))]
        assert len({(request.body, request.headers["authorization"]) for request in server.requests}) == 1
        assert server.connections == 1


def test_four_redirects_are_too_many() -> None:
    answers = {CHAT: to("/1"), **{f"/{hop}": to(f"/{hop + 1}") for hop in range(1, 4)}, "/4": HELLO}
    with Paths(answers) as server, pytest.raises(ResponseStatusError, match="redirects to"):
        OpenAICompatible(server.url + "/v1", model="m").create(messages="hi")
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
def test_what_would_turn_a_prompt_into_another_request_is_not_followed(status: str) -> None:
    with Paths({CHAT: to("/v1/chat/completions/", status), CHAT + "/": HELLO}) as server:
        with pytest.raises(ResponseStatusError) as caught:
            OpenAICompatible(server.url + "/v1", model="m").create(messages="hi")
        assert len(server.requests) == 1
        assert f"base_url='{server.url}/v1'" in str(caught.value)


def test_another_host_is_never_followed_and_named() -> None:
    with Paths({CHAT: HELLO}) as other, Paths({CHAT: to(other.url + CHAT + "?token=canary")}) as server:
        with pytest.raises(ResponseStatusError) as caught:
            OpenAICompatible(server.url + "/v1", model="m").create(messages="hi")
        assert not other.requests
        advice = re.search(r"base_url='([^']+)'", str(caught.value))
        assert advice is not None
        assert "canary" not in str(caught.value)
        assert OpenAICompatible(advice[1], model="m").create(messages="hi") == "Hello"


def test_a_redirect_to_https_names_the_address() -> None:
    with Paths({CHAT: to("https://localhost/v1/chat/completions")}) as server:
        provider = OpenAICompatible(server.url + "/v1", model="m")
        with pytest.raises(ResponseStatusError, match="base_url='https://localhost/v1'"):
            provider.create(messages="hi")


def test_a_list_of_models_is_found_behind_a_redirect() -> None:
    with Paths({"/v1/models": to("/v1/models/", "301 Moved"), "/v1/models/": MODELS}) as server:
        assert OpenAICompatible(server.url + "/v1").get_models() == ["m"]


# What goes beside a prompt


def test_headers_and_a_query_for_one_prompt() -> None:
    answers = {"/v1/models?a=1": MODELS, "/v1/chat/completions?a=2&b=x": HELLO, "/v1/chat/completions?a=1": HELLO}
    with Paths(answers) as server:
        provider = OpenAICompatible(
            server.url + "/v1",
            api_key="the-key",
            default_headers={"X-A": "default", "X-B": "b"},
            headers={"X-A": "a"},
            default_query={"a": 1},
        )
        provider.create(messages="hi", extra_headers={"x-b": "mine", "X-C": "c"}, extra_query={"a": 2, "b": "x"})
        provider.create(messages="hi")
        assert server.asked == list(answers)
        kept = [[request.headers.get(name) for name in ("x-a", "x-b", "x-c")] for request in server.requests]
        assert kept == [["a", "b", None], ["a", "mine", "c"], ["a", "b", None]]
        assert all("extra" not in str(request.json) for request in server.requests[1:])


def test_a_key_for_one_prompt() -> None:
    with Paths({CHAT: HELLO}) as server:
        provider = OpenAICompatible(server.url + "/v1", model="m", api_key="the-key")
        provider.create(messages="hi", extra_headers={"authorization": "Bearer another-key"})
        provider.create(messages="hi")
    assert [each.headers["authorization"] for each in server.requests] == ["Bearer another-key", "Bearer the-key"]


def test_a_client_takes_them_too() -> None:
    answers = {
        "/v1/chat/completions?a=1&b=2": HELLO,
        "/v1/images/generations?a=1&b=2": whole({"data": [{"url": "http://x/"}]}),
    }
    with Paths(answers) as server:
        client = Client(base_url=server.url + "/v1", model="m", default_headers={"X-A": "a"}, default_query={"a": "1"})
        extras: dict[str, Any] = {"extra_headers": {"X-B": "b"}, "extra_query": {"b": 2}}
        assert client.ask("hi", **extras) == "Hello"
        assert client.chat.completions.create("hi", **extras).choices[0].message.content == "Hello"
        assert client.images.generate("a cat", **extras).data[0].url == "http://x/"
        assert [(each.headers["x-a"], each.headers["x-b"]) for each in server.requests] == [("a", "b")] * 3


@pytest.mark.parametrize(
    "name", ["Host", "connection", "Content-Length", "TRANSFER-ENCODING", "Upgrade", "TE", "Expect"]
)
def test_headers_that_are_not_a_calls_own(name: str) -> None:
    with pytest.raises(ValueError, match=f"extra_headers cannot set {name}"):
        OpenAICompatible("http://127.0.0.1:9/v1").create_generator("m", "hi", extra_headers={name: "x"})


@pytest.mark.parametrize(
    ("extras", "kind"),
    [
        ({"extra_headers": "X-A: a"}, TypeError),
        ({"extra_headers": {"X-A": 3}}, TypeError),
        ({"extra_headers": {"X-A": "canary\nX-B: b"}}, ValueError),
        ({"extra_query": "a=1"}, TypeError),
        ({"extra_query": {"a": {"b": 1}}}, TypeError),
    ],
)
def test_extras_that_make_no_sense(extras: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match="extra_") as caught:
        OpenAICompatible("http://127.0.0.1:9/v1").create_generator("m", "hi", **extras)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["extra_headers", "extra_query"])
def test_a_chain_refuses_what_is_for_one_service(name: str) -> None:
    chain: Any = Fallback([OpenAICompatible("http://127.0.0.1:9/v1")])
    extras: dict[str, Any] = {name: {"a": "b"}}
    with pytest.raises(TypeError, match=f"Fallback takes no {name}"):
        chain.create("m", "hi", **extras)
    with pytest.raises(TypeError, match=name):
        Client(chain).ask("hi", **extras)


def test_no_error_shows_what_goes_beside_a_prompt() -> None:
    def echo(connection: Connection) -> None:
        request = connection.request()
        assert request is not None
        connection.send(whole({"error": f"{request.line} {request.headers}"}, status="400 Bad Request"))

    with RawServer(echo) as server, pytest.raises(ProviderError) as caught:
        OpenAICompatible(server.url + "/v1?region=open", model="m", default_query={"api-key": "canary-one"}).create(
            messages="hi", extra_headers={"X-Tenant": "canary-two"}, extra_query={"user": "canary-three"}
        )
    assert "canary" not in f"{caught.value} {vars(caught.value)}"
    assert "region=open" in str(caught.value)


def test_a_copy_keeps_no_secret_of_a_query() -> None:
    provider = OpenAICompatible(
        "http://127.0.0.1:9/v1?api-version=1", model="m", default_query={"api-key": "canary-one"}
    )
    stored = pickle.dumps(provider)
    assert b"canary" not in stored
    copied = pickle.loads(stored)
    assert copied.query == [("api-version", "1")]
    with pytest.raises(AuthenticationError, match="default_query"):
        copied.create(messages="hi")


def test_an_address_that_is_none_is_refused_without_its_query() -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        OpenAICompatible("http://u:canary@x/v1?key=canary")
    assert "canary" not in str(caught.value)
    with pytest.raises(G4FLiteError):
        OpenAICompatible("http://127.0.0.1:9/v1?key=canary", model="m", retry=None).create(messages="hi")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://localhost:11434/api", "http://localhost:11434/v1"),
        ("http://localhost:11434/api/", "http://localhost:11434/v1"),
        ("https://openrouter.ai/api", "https://openrouter.ai/api"),
        ("http://localhost:3000/api", "http://localhost:3000/api"),
    ],
)
def test_the_root_of_ollamas_own_api_is_known_by_its_port(given: str, expected: str) -> None:
    assert OpenAICompatible(given).base_url == expected


@responses.activate
def test_a_server_without_images_is_told_from_a_wrong_address() -> None:
    responses.post("http://127.0.0.1:9/v1/images/generations", status=404, body="404 page not found")
    with pytest.raises(ProviderError, match=r"generates no images; name a provider that does, for example openai$"):
        OpenAICompatible("http://127.0.0.1:9/v1").generate_image("a cat")
