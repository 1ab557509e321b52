"""Secrets that a server sends back in every way it can appear nowhere that people read."""

from __future__ import annotations

import base64
import gc
import html
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import pydantic
import pytest
import requests

from g4f_lite import (
    Client,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    OutputError,
    Provider,
    RefusalError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    TransportError,
    TurnsExceededError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.http.body import Body
from g4f_lite.http.pool import PooledSession, Session
from g4f_lite.prompt import Prompt

from .hostile import BOOTSTRAPS
from .matrix_cells import PROVIDERS
from .proxies import SOCKSProxy
from .raw_server import PATIENCE, Connection, RawServer, Request, chunked, delta, every, head, length

TOKEN = "canary-of-the-server-7f3a9c"
KEY = "canary-key-51d0b2aa"


def _echo_everything(request: Request) -> str:
    return " | ".join([*request.headers.values(), request.line])


CALL = {"id": "1", "type": "function", "function": {"name": "tool", "arguments": json.dumps({"city": KEY})}}
COUNTED = {"prompt_tokens": 1, "completion_tokens": 0}
PLACES: dict[str, Callable[[str], bytes]] = {
    "a refusal": lambda said: length(json.dumps({"error": {"message": said}}).encode(), status="400 No"),
    "a failure": lambda said: length(json.dumps({"message": said, "code": 500}).encode(), status="503 No"),
    "a refusal with slashes": lambda said: length(
        json.dumps({"error": said}).replace("-", "\\u002d").encode(), status="400 No"
    ),
    "an encoded page": lambda said: length(b"<p>" + said.replace("-", "&#x2d;").encode(), status="500 No"),
    "a page": lambda said: length(f"<html>{html.escape(said)}</html>".encode(), status="500 No"),
    "a challenge": lambda said: length(f"<title>Just a moment {html.escape(said)}</title>".encode(), status="403 No"),
    "a redirect": lambda said: length(b"", "Location: /?echo=" + said.replace("\n", " "), status="302 There"),
    "a stream": lambda said: chunked(b'event: error\ndata: {"error": ' + json.dumps(said).encode() + b"}\n\n"),
    "no json": lambda said: chunked(b"data: {" + said.encode() + b"\n\n", b"event: trylimit\ndata: " + said.encode()),
    "a broken head": lambda said: head("Content-Length: 0", "no colon", f"X-Echo: {said}", status="500 No"),
    "a reset": lambda said: b"",
}
ANSWERS: dict[str, Callable[[str], bytes]] = {
    "an answer that is cut": lambda said: chunked(delta(said)),
    "an empty answer": lambda said: chunked(
        b"data: " + json.dumps({"choices": [{"finish_reason": said}], "usage": {**COUNTED, "said": said}}).encode()
    ),
    "an answer with a hole": lambda said: chunked(delta("text"), b"data: " + said.encode() + b"\n\n"),
}
GIVEN: dict[str, dict[str, Any]] = {
    "api key": {"api_key": KEY},
    "secret header": {"headers": {"X-Api-Key": KEY}},
    "authorization": {"headers": {"Authorization": f"Bearer {KEY}"}},
    "cookie header": {"headers": {"Cookie": f"sid={KEY}"}},
    "cookies": {"cookies": {"sid": KEY}},
    "proxy password": {"proxy": f"http://user:{KEY}@127.0.0.1:PORT"},
    "proxy user": {"proxy": f"http://{KEY}@127.0.0.1:PORT"},
    "proxy user without a password": {"proxy": f"http://{KEY}:@127.0.0.1:PORT"},
}
FETCHED = ("AiEngine", "AiChats", "AiChatOnline")  # whose secret comes from the server


class Notes:
    """Collects everything that could be read."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def error(self, error: G4FLiteError, *, variables: bool = True) -> None:
        self.texts += [str(error), repr(error), "".join(traceback.format_exception(error)), repr(vars(error))]
        self.texts += traceback.TracebackException.from_exception(error, capture_locals=variables).format()
        self.texts += [repr(pickle.dumps(error)), repr(vars(pickle.loads(pickle.dumps(error))))]

    def provider(self, provider: Provider) -> None:
        provider.on_retry = None
        self.texts += [repr(provider), str(provider), repr(pickle.dumps(provider)), f"{provider!r}"]

    def log(self, caplog: pytest.LogCaptureFixture) -> None:
        for record in caplog.get_records("call"):  # caplog.text has only what the end of a test logs, at its end
            self.texts += [record.getMessage(), repr(vars(record))]

    def everything(self) -> None:
        """Note the repr of every object of this library's that there is."""
        for thing in gc.get_objects():
            if str(type(thing).__module__).startswith("g4f_lite."):
                self.texts.append(repr(thing))

    def none_shows(self, *secrets: str) -> None:
        for secret in secrets:
            for text in self.texts:
                assert secret not in text, text[max(0, text.find(secret) - 200) :][:500]


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> Iterator[Notes]:
    """Take notes; logs of every level are among them."""
    caplog.set_level(logging.DEBUG)
    taken = Notes()
    yield taken
    taken.log(caplog)
    taken.none_shows(KEY, TOKEN)


def test_a_secret_in_the_log_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("g4f_lite.anything").debug("the key is %s", KEY)
    taken = Notes()
    taken.log(caplog)
    with pytest.raises(AssertionError, match=KEY):
        taken.none_shows(KEY)


def _serve(place: str) -> Callable[[Connection], None]:
    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1].partition("?")[0]
            if path in BOOTSTRAPS:
                connection.send(_bootstrap(path))
                continue
            connection.send((PLACES | ANSWERS)[place](_echo_everything(request)))
            if place == "a reset":
                connection.reset()
                return

    return answer


def _bootstrap(path: str) -> bytes:
    if path == "/chat/":
        return length(b"<p>", f"Set-Cookie: _csrf-front={TOKEN}; path=/", f"Set-Cookie: sid={TOKEN}; path=/")
    return length(json.dumps({"success": True, "restNonce": TOKEN, "code": 200, "data": TOKEN}).encode())


def _fail(provider: Provider, notes: Notes) -> None:
    stream = provider.create_generator(messages="hi")
    with pytest.raises(G4FLiteError) as caught:
        stream.text()
    notes.error(caught.value)
    notes.provider(provider)
    notes.texts.append(repr(stream))


def _settings(notes: Notes, **more: Any) -> dict[str, Any]:
    def on_retry(error: G4FLiteError, attempt: int, wait: float) -> None:
        notes.error(error)

    return {"retry": RetryPolicy(attempts=2, backoff=0), "timeout": PATIENCE, "on_retry": on_retry, **more}


@pytest.mark.parametrize("place", PLACES | ANSWERS)
@pytest.mark.parametrize("what", GIVEN)
def test_what_was_given(what: str, place: str, notes: Notes) -> None:
    with RawServer(_serve(place)) as server:
        given = {
            name: value.replace("PORT", str(server.port)) if isinstance(value, str) else value
            for name, value in GIVEN[what].items()
        }
        url = "http://service.test/v1" if "proxy" in given else server.url
        with OpenAICompatible(url, model="m", **_settings(notes, **given)) as provider:
            _fail(provider, notes)
        assert server.requests


@pytest.mark.parametrize("place", ["a refusal", "a failure", "a redirect", "a stream", "an answer that is cut"])
@pytest.mark.parametrize("name", ["sig", "code", "api_key"])
def test_what_the_query_of_an_address_holds(
    name: str, place: str, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="urllib3")  # which logs every address as it is
    with RawServer(_serve(place)) as server:
        address = f"{server.url}/v1?api-version=1&{name}={KEY}"
        with OpenAICompatible(address, model="m", **_settings(notes)) as provider:
            _fail(provider, notes)
        assert KEY in server.requests[0].line


@pytest.mark.parametrize("what", GIVEN)
def test_no_object_shows_what_it_holds(what: str, notes: Notes) -> None:
    class Looks(OpenAICompatible):
        def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
            notes.everything()
            super().check_response(body, prompt)

    gc.collect()  # the answers of other tests, which hold what they hold
    with RawServer(_serve("a refusal")) as server:
        given = {
            name: value.replace("PORT", str(server.port)) if isinstance(value, str) else value
            for name, value in GIVEN[what].items()
        }
        with Looks("http://127.0.0.1:9/v1" if "proxy" in given else server.url, model="m", **given) as provider:
            provider.pool._idle.append(PooledSession(Session(), token=TOKEN, generation=provider.pool._generation))
            with pytest.raises(G4FLiteError):
                provider.create(messages="hi")
    shown = "".join(notes.texts)
    assert "Exchange(" in shown
    assert "Route(" in shown
    assert "PooledSession(" in shown


class _Signs(requests.auth.AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signature"] = KEY
        return request


OWN: dict[str, tuple[str, Any]] = {
    "a pair": ("auth", ("user", KEY)),
    "basic": ("auth", requests.auth.HTTPBasicAuth("user", KEY)),
    "its own auth": ("auth", _Signs()),
    "headers": ("headers", {"Authorization": f"Token {KEY}"}),
    "a query": ("params", {"code": KEY}),
}


def _decoded(request: Request) -> str:
    """Give everything that came, a password as it was typed."""
    signed = request.headers.get("authorization", "")
    return f"{base64.b64decode(signed[6:])!r} {signed}" if signed.startswith("Basic ") else _echo_everything(request)


@pytest.mark.parametrize("what", OWN)
def test_what_an_own_session_adds(what: str, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="urllib3")  # whose own log has whole addresses at DEBUG

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            connection.send(PLACES["a refusal"](_decoded(request).replace("=", " ")))

    with requests.Session() as session, RawServer(answer) as server:
        name, value = OWN[what]
        setattr(session, name, value)
        with OpenAICompatible(server.url, model="m", session=session, **_settings(notes)) as provider:
            _fail(provider, notes)
        assert KEY in _decoded(server.requests[0])


@pytest.mark.parametrize("word", ["connection", "prompt"])
def test_a_cookie_like_a_word_of_ours_takes_nothing_from_an_error(word: str) -> None:
    provider = OpenAICompatible("http://127.0.0.1:9/v1", model="m", cookies={"a": word}, retry=None)
    with provider, pytest.raises(TransportError) as caught:
        provider.create(messages="hi")
    assert (caught.value.cause, caught.value.step) == ("connection", "prompt")
    assert str(caught.value).startswith("OpenAICompatible, prompt: could not connect")


def test_an_exception_that_the_caller_handles_is_the_callers() -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(delta("text"), last=b""))

    with RawServer(answer) as server, OpenAICompatible(server.url, model="m", api_key=KEY) as provider:
        stream = provider.create_generator(messages="hi").start()
        mine = requests.HTTPError(f"?token={KEY}", response=requests.Response())
        try:
            raise mine
        except requests.HTTPError:
            with pytest.raises(StreamInterruptedError):
                stream.text()
    assert str(mine) == f"?token={KEY}"
    assert mine.response is not None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FETCHED)
def test_what_was_fetched(name: str, place: str, notes: Notes) -> None:
    with RawServer(_serve(place)) as server, PROVIDERS[name][1](server.url, **_settings(notes)) as provider:
        _fail(provider, notes)
        assert len(server.requests) >= 2


SIGNED = "/own?X-Amz-Credential=cred-{0}&X-Amz-Signature={0}&sig={0}"
PICTURES: dict[str, Callable[[Connection], object]] = {
    "is a page": lambda c: c.send(length(b"<html>no</html>")),
    "is gone": lambda c: c.send(length(b"gone", status="404 No")),
    "is lost": lambda c: c.reset(),
    "is elsewhere": lambda c: c.send(length(b"", f"Location: {SIGNED.format(TOKEN)}", status="302 There")),
    "is nearby": lambda c: c.send(length(b"", f"Location: http://10.0.0.1{SIGNED.format(TOKEN)}", status="302 There")),
    "is nowhere": lambda c: c.send(length(b"", f"Location: http://[{SIGNED.format(TOKEN)}", status="302 There")),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_the_signed_address_of_a_picture(kind: str, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has such an address has the picture."""
    caplog.set_level(logging.INFO, logger="urllib3")  # whose own log has whole addresses at DEBUG

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if "images/generations" in request.line:
                url = connection.server.url + SIGNED.format(TOKEN)
                connection.send(length(json.dumps({"data": [{"url": url}]}).encode()))
            else:
                PICTURES[kind](connection)

    with RawServer(answer) as server, OpenAICompatible(server.url, **_settings(notes)) as provider:
        image = provider.generate_image("a cat")
        with pytest.raises(G4FLiteError) as caught:
            image.bytes()
        notes.error(caught.value, variables=False)  # the picture's own frame has its address
        notes.texts.append(repr(image))
        assert TOKEN in image.urls[0]  # which the caller asked for


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socks_proxys_password(scheme: str, notes: Notes) -> None:
    with SOCKSProxy() as proxy:
        route = proxy.address.replace(":canary-proxy-password@", f":{KEY}@")
        with OpenAICompatible(f"{scheme}://127.0.0.1:9", model="m", **_settings(notes, proxy=route)) as provider:
            _fail(provider, notes)


def test_a_key_of_the_environment(monkeypatch: pytest.MonkeyPatch, notes: Notes) -> None:
    with RawServer(_serve("a refusal")) as server:
        monkeypatch.setenv("G4F_LITE_BASE_URL", server.url)
        monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
        with OpenAICompatible(server.url, model="m", **_settings(notes)) as provider:
            _fail(provider, notes)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_stream_that_is_cut_after_it_began(notes: Notes) -> None:
    def answer(connection: Connection) -> None:
        request = connection.request()
        assert request is not None
        said = json.dumps({"error": {"message": _echo_everything(request)}}).encode()
        connection.send(chunked(delta("text"), b"data: " + said + b"\n\n"))

    with RawServer(answer) as server:
        headers = {"X-Token": TOKEN}
        with OpenAICompatible(server.url, model="m", api_key=KEY, headers=headers, **_settings(notes)) as provider:
            _fail(provider, notes)


class Place(NamedTuple):
    name: int


class Person(pydantic.BaseModel):
    name: int


@pytest.mark.parametrize("output", [int, Place, Person, Literal["a", "b"]])
@pytest.mark.parametrize(
    "message",
    [{"content": KEY}, {"content": json.dumps({"name": KEY})}, {"refusal": f"no {KEY}"}, {"tool_calls": [CALL]}],
)
def test_a_typed_answer_that_does_not_fit(output: Any, message: dict[str, Any], notes: Notes) -> None:
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **_settings(notes)) as provider,
    ):
        for repairs in (0, 1):
            with pytest.raises((OutputError, RefusalError)) as caught:
                Client(provider).ask("hi", output=output, repairs=repairs)
            notes.error(caught.value, variables=False)
        with pytest.raises((OutputError, RefusalError)) as caught:
            _ = Client(provider).stream("hi", output=output).output
        notes.error(caught.value, variables=False)


def test_turns_of_tools_that_have_no_end(notes: Notes) -> None:
    def tool(city: str) -> str:
        """Fail."""
        raise RuntimeError(f"boom {city}")

    body = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [CALL]}}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **_settings(notes)) as provider,
        pytest.raises(TurnsExceededError) as caught,
    ):
        Client(provider).ask("hi", tools=[tool], max_turns=2)
    assert len(caught.value.messages) == 4
    notes.error(caught.value, variables=False)


def test_a_header_of_a_name_that_says_nothing(notes: Notes) -> None:
    with RawServer(_serve("a refusal")) as server:
        settings = _settings(notes, headers={"X-Tenant": KEY})
        with OpenAICompatible(server.url, model="m", **settings) as provider, pytest.raises(ServiceError) as caught:
            provider.ask("hi")
        assert server.requests[0].headers["x-tenant"] == KEY
    notes.error(caught.value, variables=False)


def test_an_answer_of_a_chain_that_is_cut(notes: Notes) -> None:
    with (
        RawServer(_serve("an answer that is cut")) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **_settings(notes)) as provider,
        pytest.raises(StreamInterruptedError) as caught,
    ):
        Client(Fallback([provider])).ask("hi")
    assert "| *** |" in caught.value.partial
    notes.error(caught.value, variables=False)


def test_the_emulators_records(notes: Notes) -> None:
    with Emulator(api_key=KEY) as emulator:
        with OpenAICompatible(emulator.url + "/v1", model="m", api_key=KEY, headers={"X-Token": TOKEN}) as provider:
            provider.create(messages=f"say {TOKEN}")
        notes.texts += [repr(emulator.requests), str(emulator.requests[0])]


@pytest.mark.parametrize("place", ["a refusal", "a stream", "a redirect", "no json"])
def test_the_command(place: str, notes: Notes) -> None:
    pytest.importorskip("click")
    with RawServer(_serve(place)) as server:
        environment = {
            **os.environ,
            "G4F_LITE_BASE_URL": server.url,
            "G4F_LITE_API_KEY": KEY,
            "G4F_LITE_MODEL": "m",
            "G4F_LITE_LOG": "debug",
        }
        done = subprocess.run(
            [sys.executable, "-m", "g4f_lite", "chat", "hi"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 6,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode != 0
        assert any(request.headers.get("authorization") == f"Bearer {KEY}" for request in server.requests)
    _, error, message = done.stderr.rpartition("\nError: ")
    assert error
    assert "Traceback" not in message  # the log above it has one
    assert KEY not in done.stdout + done.stderr
