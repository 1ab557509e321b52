"""A caller's own session: it is used as it is, and what it is like changes no promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from g4f_lite import AuthenticationError, ResponseFormatError, ResponseStatusError, RetryPolicy, ServiceError

from .conftest import Provide
from .proxies import HTTPProxy
from .raw_server import DONE, Connection, RawServer, chunk, chunked, delta, every, head, hello, length

WHOLE = length(delta("Hello") + delta(" world") + delta("", "stop") + DONE)
REFUSED = b'{"error": {"message": "no such thing"}}'


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("how", ["closed", "read to its end"])
def test_a_connection_that_went_back_is_let_alone(session: requests.Session, provide: Provide, how: str) -> None:
    """With the last byte of a body urllib3 lends the connection to the session's next call."""

    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            if len(connection.server.requests) == 1:
                connection.send(WHOLE)
            else:
                connection.send(head("Transfer-Encoding: chunked"), chunk(delta("Hello")))
                assert connection.server.go.wait(5)
                connection.send(chunk(delta(" again") + delta("", "stop") + DONE), b"0\r\n\r\n")

    with RawServer(answer) as server:
        provider = provide(server, session=session)
        first, second = (provider.create_generator(messages="Hello") for _ in range(2))
        assert next(first) == next(second) == "Hello"
        assert server.connections == 1
        if how == "closed":
            first.close()
        else:
            assert first.text() == "Hello world"
        server.go.set()
        assert second.text() == "Hello again"


@pytest.mark.parametrize(("status", "kind"), [("400 Bad Request", ServiceError), ("401 No", AuthenticationError)])
def test_a_hook_that_raises_for_a_status(
    session: requests.Session, provide: Provide, status: str, kind: type[Exception]
) -> None:
    session.hooks["response"].append(lambda response, **_: response.raise_for_status())
    with RawServer(every(length(REFUSED, status=status))) as server:
        provider = provide(server, session=session, retry=RetryPolicy(backoff=0))
        with pytest.raises(kind, match="no such thing"):
            provider.create(messages="Hello")
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [WHOLE, hello()])
def test_a_hook_that_reads_the_answer(session: requests.Session, provide: Provide, answer: bytes) -> None:
    seen: list[Any] = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.content))
    with RawServer(every(answer)) as server:
        assert provide(server, session=session).create(messages="Hello") == "Hello world"
    assert len(seen) == 1


@pytest.mark.parametrize("target", ["/elsewhere", "http://[bad/"])
def test_a_redirect_is_looked_at_by_nobody_else(session: requests.Session, provide: Provide, target: str) -> None:
    """Requests would parse its target, and read its body to the end, outside of every limit."""

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head(f"Location: {target}", status="302 Found"))
        while not connection.server.ending.is_set():
            connection.send(bytes(65536))

    with RawServer(answer) as server:
        provider = provide(server, session=session, retry=RetryPolicy(backoff=0))
        with pytest.raises(ResponseStatusError, match="redirects to"):
            provider.create(messages="Hello")
        assert len(server.requests) == 1


def test_the_proxy_of_a_call_wins(session: requests.Session, provide: Provide) -> None:
    with HTTPProxy() as proxy, RawServer(every(chunked(delta("Hello"), delta("", "stop"), DONE))) as server:
        session.proxies["http://127.0.0.1"] = "http://127.0.0.1:9"
        assert provide(server, session=session).create(messages="Hello", proxy=proxy.address) == "Hello"
        assert proxy.passed == 1


def test_retries_mounted_on_a_session_are_not_multiplied(session: requests.Session, provide: Provide) -> None:
    again = Retry(2, status_forcelist=[503], allowed_methods=None, backoff_factor=0)
    session.mount("http://", HTTPAdapter(max_retries=again))
    with RawServer(every(length(REFUSED, status="503 Busy"))) as server:
        provider = provide(server, session=session, retry=RetryPolicy(backoff=0))
        with pytest.raises(ResponseStatusError, match="status 503") as caught:
            provider.create(messages="Hello")
        assert len(server.requests) == 3
    assert caught.value.status == caught.value.status_code == 503


def test_a_server_that_writes_what_these_retries_say_is_not_taken_for_them(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(b"too many 503 error responses")

    with RawServer(answer) as server, pytest.raises(ResponseFormatError, match="not an HTTP answer"):
        provide(server, retry=None).create(messages="Hello")
