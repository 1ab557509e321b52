"""A request that nothing could send is a mistake of the hook that made it, and is named so, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import requests

from g4f_lite import Body, Finish, HookError, Prompt, Provider
from g4f_lite.http import Exchange

from .raw_server import RawServer, every, length

ITSELF: list[Any] = []
ITSELF.append(ITSELF)
SENT: list[tuple[dict[str, Any], str]] = [
    ({"json": {"a": {1}}}, "a request that cannot be sent: TypeError: Object of type set is not JSON serializable"),
    ({"json": float("nan")}, "a request that cannot be sent: InvalidJSONError: Out of range float values are not JSON"),
    ({"json": ITSELF}, "a request that cannot be sent: InvalidJSONError: Circular reference detected"),
    ({"method": None}, 'a request with the method None; write Request("POST", …)'),
    ({"method": 3}, 'a request with the method int (3); write Request("POST", …)'),
    ({"method": "PO ST"}, "a request with the method str ('PO ST'); write Request(\"POST\", …)"),
    ({"data": 5}, "a request that cannot be sent: TypeError: 'body' must be a bytes-like object"),
    ({"data": [1, 2]}, "a request that cannot be sent: TypeError: cannot unpack non-iterable int object"),
    ({"data": "\ud800"}, "a request that cannot be sent: UnicodeEncodeError: 'utf-8' codec can't encode"),
    ({"headers": ["Accept"]}, "a request that cannot be sent: AttributeError: 'list' object has no attribute 'items'"),
    ({"headers": {3: "x"}}, "a request that cannot be sent: AttributeError: 'int' object has no attribute 'lower'"),
    ({"headers": {"X": "\u0142"}}, "a request that cannot be sent: UnicodeEncodeError: 'latin-1' codec can't encode"),
    (
        {"headers": {"A": "b", "X-N": "a\nb"}},
        "a request with a header 'X-N' that is not a string, or has a line",
    ),
    ({"params": 5}, "a request that cannot be sent: TypeError: "),
    ({"files": 5}, "a request that cannot be sent: ValueError: cannot encode objects that are not 2-tuples"),
    ({"files": [5]}, "a request that cannot be sent: TypeError: "),
    ({"url": "ftp://127.0.0.1/x"}, "a request with an invalid URL: No connection adapters were found for 'ftp:"),
    ({"url": "http://127.0.0.1:abc/x"}, "a request with an invalid URL: Failed to parse: "),
    ({"url": "http://[::1/x"}, "a request with an invalid URL: "),
    ({"url": "http://*.example/x"}, "a request with an invalid URL: URL has an invalid label"),
]


class Signs(requests.Session):
    """A session with a ``request`` of its own, which prepares what it sends by itself."""

    def request(self, *arguments: Any, **settings: Any) -> requests.Response:
        return super().request(*arguments, **settings)


class Quill(Provider):
    """A provider that sends what a test says."""

    url = "http://quill.example"
    sent: ClassVar[dict[str, Any]] = {}

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request(**{"method": "POST", "url": f"{self.base_url}/chat", **self.sent})

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Any]:
        yield body.json()
        yield Finish()


class Bootstraps(Quill):
    def bootstrap(self, exchange: Exchange) -> str:
        exchange.send(super().request(Prompt([]), ""), "bootstrap")
        return ""


WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "its own session": dict,
    "a plain session": lambda: {"session": requests.Session()},
    "a session that signs": lambda: {"session": Signs()},
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer(every(length(b'"Hello"'))) as running:
        yield running


@pytest.mark.product
@pytest.mark.parametrize(("kind", "hook"), [(Quill, "request"), (Bootstraps, "bootstrap")])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("sent", "message"), SENT, ids=[f"{next(iter(sent))}-{message[10:50]}" for sent, message in SENT]
)
def test_it_is_named(
    sent: dict[str, Any], message: str, way: str, kind: type[Quill], hook: str, server: RawServer
) -> None:
    provider = type("Quill", (kind,), {"sent": sent})(base_url=server.url, **WAYS[way]())
    with pytest.raises(HookError) as caught:
        provider.ask("x")
    assert str(caught.value).startswith(f"Quill.{hook} made {message}")
    assert "\n" not in str(caught.value)
    assert (caught.value.step, caught.value.attempts, server.requests) == (hook, 1, [])


@pytest.mark.parametrize("way", WAYS)
def test_all_that_a_request_has_is_sent(way: str) -> None:
    sent = {"params": {"a": "b"}, "cookies": {"sid": "1"}, "files": {"f": ("n.txt", b"text")}, "data": {"c": "d"}}
    with RawServer(every(length(b'"Hello"'))) as server:
        provider = type("Quill", (Quill,), {"sent": sent})(base_url=server.url, **WAYS[way]())
        assert provider.ask("x") == "Hello"
        (asked,) = server.requests
    assert asked.line.split()[1] == "/chat?a=b"
    assert asked.headers["cookie"] == "sid=1"
    assert b'name="c"\r\n\r\nd\r\n' in asked.body
    assert b'filename="n.txt"\r\n\r\ntext\r\n' in asked.body


def test_what_the_callers_own_auth_raises_stays_as_it_is(server: RawServer) -> None:
    def auth(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        raise TypeError("no signature")

    for make in (requests.Session, Signs):
        session = make()
        session.auth = auth
        with pytest.raises(TypeError, match="no signature"):
            Quill(base_url=server.url, session=session).ask("x")
