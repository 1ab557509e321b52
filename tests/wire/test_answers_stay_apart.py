"""Whatever a server sends, no call receives what was meant for another."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
import requests

from g4f_lite import G4FLiteError, OpenAICompatible, ResponseFormatError, TransportError
from g4f_lite.http import Exchange, body

from .conftest import Provide
from .raw_server import DONE, Connection, RawServer, chunk, delta, every, head, hello, length

OK = length(delta("own", "stop") + DONE)
FOREIGN = length(delta("foreign", "stop") + DONE)
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
LAST = b"0\r\n\r\n"  # the end of a chunked body
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


@pytest.mark.parametrize(
    "interim",
    [
        EARLY_HINTS,
        PROCESSING * 3,
        b"HTTP/1.1 100 Continue\r\n\r\n" + EARLY_HINTS + b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 199 Whatever\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_interim_responses_are_read_over(interim: bytes, provide: Provide) -> None:
    with RawServer(every(interim + hello())) as server:
        provider = provide(server)
        assert [provider.create(messages="hi") for _ in range(3)] == ["Hello world"] * 3
        assert server.connections == 1


def test_a_switch_of_protocols_is_refused(provide: Provide) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    refused = pytest.raises(ResponseFormatError, match="101 Switching Protocols")
    with RawServer(every(switch + hello())) as server, refused:
        provide(server).create(messages="hi")


@pytest.mark.parametrize("after", [EARLY_HINTS, EARLY_HINTS[:-4], b""])
def test_an_end_within_interim_responses_is_a_lost_connection(after: bytes, provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(PROCESSING + after)

    with RawServer(answer) as server, pytest.raises(TransportError, match=r"lost the connection|its response early"):
        provide(server).create(messages="hi")


# What a first call gets that then fails.
FAILURES: dict[str, bytes] = {
    "an interim response, then silence": EARLY_HINTS,
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "no content": length(b"", status="204 No Content"),
    "not modified, with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "an error": length(b"no", status="500 No"),
    "a refused key": length(b"{}", status="401 No"),
    "a redirect": length(b"", "Location: http://127.0.0.1:9/", status="302 Found"),
    "an error in an answer": length(b'data: {"error": {"message": "no"}}\n\n'),
    "an answer with nothing in it": length(DONE),
    "an answer without its end marker": length(delta("a")),
    "an answer that is not JSON": length(b"data: {\n\n"),
    "an answer with two lengths": head("Content-Length: 2\r\nContent-Length: 3") + b"{}",
    "an answer with a length and chunks": head("Content-Length: 2\r\nTransfer-Encoding: chunked") + chunk(b"{}") + LAST,
    "a wrong chunk": head("Transfer-Encoding: chunked") + chunk(delta("a")) + b"zz\r\n",
    "not HTTP": b"hello\r\n\r\n",
    "silence": b"",
}


def _fails_first(failure: bytes) -> Callable[[Connection], None]:
    """Send a failure, and to a request that comes later on the same connection what belongs to nobody."""

    def answer(connection: Connection) -> None:
        connection.request()
        if connection.number > 1:
            return connection.send(OK)
        connection.send(failure)
        if connection.request() is not None:
            connection.send(FOREIGN)
        return None

    return answer


@pytest.mark.parametrize("failure", FAILURES)
def test_after_a_failed_call_nothing_more_is_read_from_its_connection(
    failure: str, provide: Provide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "DRAIN_SECONDS", 0.02)
    with RawServer(_fails_first(FAILURES[failure])) as server:
        provider = provide(server)
        with pytest.raises(G4FLiteError):
            provider.create(messages="first", timeout=0.2 if "silence" in failure else 5)
        assert provider.create(messages="second") == "own"


@pytest.mark.parametrize("failure", [EARLY_HINTS, FAILURES["no content"], FAILURES["not modified, with a length"]])
def test_a_session_of_the_callers_own_does_not_keep_what_may_have_a_body_yet(failure: bytes, provide: Provide) -> None:
    with RawServer(_fails_first(failure)) as server, requests.Session() as session:
        provider = provide(server, session=session)
        with pytest.raises(G4FLiteError):
            provider.create(messages="first")
        assert provider.create(messages="second") == "own"


@pytest.mark.parametrize("framed", [length, lambda body: head("Transfer-Encoding: chunked") + chunk(body) + LAST])
@pytest.mark.parametrize("more", [b"H", b"HTTP/1.1 200 OK\r\n", FOREIGN])
@pytest.mark.parametrize("over_tls", [False, True])
def test_a_connection_on_which_more_came_than_the_answer_is_not_used_again(
    framed: Callable[[bytes], bytes],
    more: bytes,
    over_tls: bool,
    provide: Provide,
    tls: ssl.SSLContext,
    authority_file: str,
) -> None:
    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(framed(delta("own", "stop") + DONE) + more)

    with RawServer(answer, tls=tls if over_tls else None) as server:
        provider = provide(server, verify=authority_file if over_tls else True)
        assert [provider.create(messages="hi") for _ in range(3)] == ["own"] * 3
        assert server.connections == 3


class WithToken(OpenAICompatible):
    """Its token is refused, and fetched again, before the prompt succeeds."""

    def bootstrap(self, exchange: Exchange) -> str:
        return "token"


def test_a_refused_token_ends_its_connection() -> None:
    with (
        RawServer(_fails_first(FAILURES["a refused key"])) as server,
        WithToken(server.url, model="m", timeout=5) as provider,
    ):
        assert provider.create(messages="hi") == "own"
