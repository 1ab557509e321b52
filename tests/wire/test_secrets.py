"""Secrets that a server sends back in every way it can appear nowhere that people read."""

from __future__ import annotations

import base64
import gc
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from e2e.command import run

from g4f_lite import (
    G4FLiteError,
    OpenAICompatible,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.http.body import Body
from g4f_lite.http.pool import PooledSession
from g4f_lite.http.session import Session
from g4f_lite.prompt import Prompt

from .canaries import ANSWERS, KEY, PLACES, TOKEN, Notes, echo_everything, fail, serve, settings_for, take_notes  # noqa: F401  a fixture
from .matrix_cells import PROVIDERS
from .proxies import SOCKSProxy
from .raw_server import Connection, RawServer, Request, chunked, delta, head, length

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


def test_a_secret_in_the_log_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("g4f_lite.anything").debug("the key is %s", KEY)
    taken = Notes()
    taken.log(caplog)
    with pytest.raises(AssertionError, match=KEY):
        taken.none_shows(KEY)


def _given_in_places() -> Iterator[Any]:
    """Give each secret in each place; every day each place has two of them, and each of them several places."""
    for number, place in enumerate(PLACES | ANSWERS):
        for turn, what in enumerate(GIVEN):
            every_day = (turn - number) % len(GIVEN) in (0, 3)
            yield pytest.param(what, place, marks=[] if every_day else pytest.mark.once)


@pytest.mark.parametrize(("what", "place"), list(_given_in_places()))
def test_what_was_given(what: str, place: str, notes: Notes) -> None:
    with RawServer(serve(place)) as server:
        given = {
            name: value.replace("PORT", str(server.port)) if isinstance(value, str) else value
            for name, value in GIVEN[what].items()
        }
        url = "http://service.test/v1" if "proxy" in given else server.url
        with OpenAICompatible(url, model="m", **settings_for(notes, **given)) as provider:
            fail(provider, notes)
        assert server.requests


@pytest.mark.product
@pytest.mark.parametrize("place", ["a refusal", "a failure", "a redirect", "a stream", "an answer that is cut"])
@pytest.mark.parametrize("name", ["sig", "code", "api_key"])
def test_what_the_query_of_an_address_holds(
    name: str, place: str, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="urllib3")  # which logs every address as it is
    with RawServer(serve(place)) as server:
        address = f"{server.url}/v1?api-version=1&{name}={KEY}"
        with OpenAICompatible(address, model="m", **settings_for(notes)) as provider:
            fail(provider, notes)
        assert KEY in server.requests[0].line


@pytest.mark.parametrize("what", GIVEN)
def test_no_object_shows_what_it_holds(what: str, notes: Notes) -> None:
    class Looks(OpenAICompatible):
        def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
            notes.everything()
            super().check_response(body, prompt)

    gc.collect()  # the answers of other tests, which hold what they hold
    with RawServer(serve("a refusal")) as server:
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
    return f"{base64.b64decode(signed[6:])!r} {signed}" if signed.startswith("Basic ") else echo_everything(request)


@pytest.mark.parametrize("what", OWN)
def test_what_an_own_session_adds(what: str, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="urllib3")  # whose own log has whole addresses at DEBUG

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            connection.send(PLACES["a refusal"](_decoded(request).replace("=", " ")))

    with requests.Session() as session, RawServer(answer) as server:
        name, value = OWN[what]
        setattr(session, name, value)
        with OpenAICompatible(server.url, model="m", session=session, **settings_for(notes)) as provider:
            fail(provider, notes)
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


@pytest.mark.product
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FETCHED)
def test_what_was_fetched(name: str, place: str, notes: Notes) -> None:
    with RawServer(serve(place)) as server, PROVIDERS[name][1](server.url, **settings_for(notes)) as provider:
        fail(provider, notes)
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

    with RawServer(answer) as server, OpenAICompatible(server.url, **settings_for(notes)) as provider:
        image = provider.generate_image("a cat")
        with pytest.raises(G4FLiteError) as caught:
            image.bytes()
        notes.error(caught.value, variables=False)  # the picture's own frame has its address
        notes.texts.append(repr(image))
        assert TOKEN in image.urls[0]  # which the caller asked for


@pytest.mark.parametrize("status", ["403 no {}", "407 {}", "200 {}"])
def test_a_proxy_that_sends_back_its_credentials(status: str, notes: Notes) -> None:
    def answer(connection: Connection) -> None:
        request = connection.request()
        assert request is not None
        credentials = request.headers["proxy-authorization"].removeprefix("Basic ")
        assert base64.b64decode(credentials).decode() == f"user:{KEY}"
        connection.send(head(f"X-Echo: {credentials}", status=status.format(credentials)), credentials.encode())

    with RawServer(answer) as server:
        settings = settings_for(notes, proxy=f"http://user:{KEY}@127.0.0.1:{server.port}")
        with OpenAICompatible("https://service.test/v1", model="m", **settings) as provider:
            fail(provider, notes)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socks_proxys_password(scheme: str, notes: Notes) -> None:
    with SOCKSProxy() as proxy:
        route = proxy.address.replace(":canary-proxy-password@", f":{KEY}@")
        with OpenAICompatible(f"{scheme}://127.0.0.1:9", model="m", **settings_for(notes, proxy=route)) as provider:
            fail(provider, notes)


def test_a_key_of_the_environment(monkeypatch: pytest.MonkeyPatch, notes: Notes) -> None:
    with RawServer(serve("a refusal")) as server:
        monkeypatch.setenv("G4F_LITE_BASE_URL", server.url)
        monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
        with OpenAICompatible(server.url, model="m", **settings_for(notes)) as provider:
            fail(provider, notes)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_stream_that_is_cut_after_it_began(notes: Notes) -> None:
    def answer(connection: Connection) -> None:
        request = connection.request()
        assert request is not None
        said = json.dumps({"error": {"message": echo_everything(request)}}).encode()
        connection.send(chunked(delta("text"), b"data: " + said + b"\n\n"))

    with RawServer(answer) as server:
        headers = {"X-Token": TOKEN}
        with OpenAICompatible(server.url, model="m", api_key=KEY, headers=headers, **settings_for(notes)) as provider:
            fail(provider, notes)


def test_a_header_of_a_name_that_says_nothing(notes: Notes) -> None:
    with RawServer(serve("a refusal")) as server:
        settings = settings_for(notes, headers={"X-Tenant": KEY})
        with OpenAICompatible(server.url, model="m", **settings) as provider, pytest.raises(ServiceError) as caught:
            provider.ask("hi")
        assert server.requests[0].headers["x-tenant"] == KEY
    notes.error(caught.value, variables=False)


def test_the_emulators_records(notes: Notes) -> None:
    with Emulator(api_key=KEY) as emulator:
        with OpenAICompatible(emulator.url + "/v1", model="m", api_key=KEY, headers={"X-Token": TOKEN}) as provider:
            provider.create(messages=f"say {TOKEN}")
        notes.texts += [repr(emulator.requests), str(emulator.requests[0])]


@pytest.mark.parametrize("place", ["a refusal", "a stream", "a redirect", "no json"])
def test_the_command(place: str, notes: Notes) -> None:
    pytest.importorskip("click")
    with RawServer(serve(place)) as server:
        ours = {"BASE_URL": server.url, "API_KEY": KEY, "MODEL": "m", "LOG": "debug"}
        done = run("chat", "hi", **{f"G4F_LITE_{name}": value for name, value in ours.items()})
        assert done.returncode != 0
        assert any(request.headers.get("authorization") == f"Bearer {KEY}" for request in server.requests)
    _, error, message = done.stderr.rpartition("\nError: ")
    assert error
    assert "Traceback" not in message  # the log above it has one
    assert KEY not in done.stdout + done.stderr
