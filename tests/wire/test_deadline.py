"""The total limit holds against silence and drips, wherever they come."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from g4f_lite import (
    Body,
    DeadlineExceededError,
    Delta,
    OpenAICompatible,
    Prompt,
    RateLimitError,
    RetryPolicy,
    Timeout,
)

from .conftest import Provide
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, chunked, delta, every, head, hello, length

TOTAL = 2.0  # of many calls at once, which all have to come to the point where they wait, also on a slow machine
LIMITS = Timeout(connect=9, read=9, total=TOTAL)
LATEST = 5.0  # seconds, for a busy machine; the exact figure belongs to the benchmarks

CHUNKED = head("Transfer-Encoding: chunked")
PLACES: dict[str, tuple[bytes, bytes]] = {  # what is sent at once, and what then drips
    "status line": (b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n" * 100),
    "chunk": (CHUNKED + chunk(delta("a")) + b"ffff\r\n", b": keep-alive\n" * 100),
    "chunk's size": (CHUNKED + chunk(delta("a")), b"0" * 1000),
    "chunk's extension": (CHUNKED + chunk(delta("a")) + b"1;", b"x" * 1000),
    "trailer": (CHUNKED + chunk(delta("a")) + b"0\r\n", b"X: y\r\n" * 100),
    "length": (head("Content-Length: 9999") + delta("a"), b": keep-alive\n" * 100),
    "close-delimited body": (head() + delta("a"), b": keep-alive\n" * 100),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "error's body": (head("Content-Length: 9999", status="400 Bad Request"), b"x" * 1000),
}
BODIES = ("chunk", "length", "close-delimited body")


def _fails_in_time(ask: Callable[[], Any], *, total: float = TOTAL) -> DeadlineExceededError:
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError) as caught:
        ask()
    took = time.monotonic() - began
    assert total - 0.02 <= took <= LATEST
    assert caught.value.limit == "total"
    assert isinstance(caught.value, requests.Timeout)
    assert caught.value.elapsed == pytest.approx(took, abs=1)
    return caught.value


def _slow(place: str, manner: str) -> Callable[[Connection], None]:
    at_once, then = PLACES[place]

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(at_once)
        if manner == "drip":
            connection.drip(then)
        connection.silence()

    return answer


CALLS = [
    *((place, manner, "plainly") for place in PLACES for manner in ("silence", "drip")),
    *((place, manner, "over TLS") for place in ("headers", *BODIES) for manner in ("silence", "drip")),
    *((place, "drip", "on a session of the caller's own") for place in BODIES),
]


def _call(place: str, manner: str, way: str, tls: ssl.SSLContext, authority_file: str) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(RawServer(_slow(place, manner), tls=tls if way == "over TLS" else None))
        settings: dict[str, Any] = {"verify": authority_file} if way == "over TLS" else {}
        if "session" in way:
            settings["session"] = stack.enter_context(requests.Session())
        provider = OpenAICompatible(server.url, model="m", timeout=LIMITS, retry=RetryPolicy(), **settings)
        error = _fails_in_time(lambda: stack.enter_context(provider).create(messages="hi"))
        assert error.partial == ("a" if delta("a") in PLACES[place][0] else "")
        assert len(server.requests) == 1, "a call whose time is over is not retried"


@pytest.fixture(scope="module", autouse=True)
def called(tls: ssl.SSLContext, authority_file: str) -> Iterator[dict[tuple[str, str, str], Future[None]]]:
    """Make all calls at once: they only wait, beside the other tests; under Wine, few threads at a time get on."""
    with ThreadPoolExecutor(8 if sys.platform == "win32" else len(CALLS)) as threads:
        yield {call: threads.submit(_call, *call, tls, authority_file) for call in CALLS}


@pytest.mark.once
def test_total_holds_for_a_connection_that_was_used_before(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(hello())
        _slow("headers", "drip")(connection)

    with RawServer(answer) as server:
        provider = provide(server, timeout=Timeout(connect=9, read=9, total=0.4))
        provider.create(messages="hi", timeout=LATEST)
        _fails_in_time(lambda: provider.create(messages="hi"), total=0.4)
        assert server.connections == 1


@pytest.mark.once
@pytest.mark.beside
def test_total_holds_for_what_comes_before_the_prompt(provide: Provide) -> None:
    with RawServer(_slow("length", "drip")) as server:
        provider = provide(server, model=None, timeout=LIMITS)
        assert _fails_in_time(lambda: provider.create(messages="hi")).step == "bootstrap"


@pytest.mark.beside
def test_total_holds_for_the_list_of_models(provide: Provide) -> None:
    with RawServer(_slow("length", "drip")) as server:
        provider = provide(server, model=None, timeout=LIMITS)
        assert _fails_in_time(provider.get_models).step == "bootstrap"


@pytest.mark.beside
def test_total_is_over_all_attempts(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.server.ending.wait(0.5)
        connection.send(length(b"", status="503 No"))

    with RawServer(answer) as server:
        limits = Timeout(connect=9, read=9, total=1.0)
        provider = provide(server, timeout=limits, retry=RetryPolicy(attempts=50, backoff=0))
        began = time.monotonic()
        with pytest.raises(requests.RequestException):
            provider.create(messages="hi")
        assert time.monotonic() - began < LATEST
        assert len(server.requests) <= 3


def test_a_wait_that_does_not_fit_is_not_begun(provide: Provide) -> None:
    with RawServer(every(length(b"", "Retry-After: 20", status="429 Slow down"))) as server:
        began = time.monotonic()
        with pytest.raises(RateLimitError) as caught:
            provide(server, timeout=20, retry=RetryPolicy()).create(messages="hi")
        assert time.monotonic() - began < 10
        assert caught.value.retry_after == 20


@pytest.mark.beside
@pytest.mark.parametrize("manner", ["silence", "drip"])
def test_total_holds_in_a_tls_handshake(manner: str) -> None:
    def answer(connection: Connection) -> None:
        connection.sock.recv(65536)
        if manner == "drip":  # of a server hello that is announced as long
            connection.drip(b"\x16\x03\x03\x40\x00" + b"\x02" + b"\x00" * 1000)
        connection.silence()

    with RawServer(answer) as server:
        address = server.url.replace("http:", "https:")
        with OpenAICompatible(address, model="m", timeout=LIMITS, retry=None) as provider:
            _fails_in_time(lambda: provider.create(messages="hi"))


@pytest.mark.beside
def test_a_server_without_tls_is_named_where_the_whole_call_ends_first() -> None:
    with RawServer(lambda c: c.silence()) as server:
        provider = OpenAICompatible(server.url.replace("http:", "https:"), model="m", timeout=TOTAL, retry=None)
        with provider, pytest.raises(DeadlineExceededError, match="TLS, write http:// in its address"):
            provider.create(messages="hi")


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("manner", ["silence", "drip"])
def test_total_holds_at_a_proxy(scheme: str, manner: str) -> None:
    with RawServer(_slow("headers", manner)) as proxy:
        with OpenAICompatible(
            f"{scheme}://service.test", model="m", proxy=proxy.url, timeout=LIMITS, retry=None
        ) as provider:
            _fails_in_time(lambda: provider.create(messages="hi"))
        assert proxy.requests[0].line.split()[0] == ("CONNECT" if scheme == "https" else "POST")


@pytest.mark.beside
def test_total_holds_against_a_server_that_does_not_read(provide: Provide) -> None:
    with RawServer(lambda connection: connection.server.ending.wait(5), receive_buffer=4096) as server:
        provider = provide(server, timeout=LIMITS)
        _fails_in_time(lambda: provider.create(messages="x" * 20_000_000))


@pytest.mark.beside
def test_a_long_prompt_may_take_longer_than_a_connection(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.server.ending.wait(0.3)
        connection.request()
        connection.send(hello())

    with RawServer(answer, receive_buffer=65536) as server:
        provider = provide(server, timeout=Timeout(connect=0.2, read=5, total=10))
        assert provider.create(messages="x" * 8_000_000) == "Hello world"


@pytest.mark.beside
def test_silence_before_the_prompt_is_the_read_limit_and_is_retried(provide: Provide) -> None:
    with RawServer(lambda c: (c.request(), c.silence())) as server:
        provider = provide(server, model=None, timeout=Timeout(1, 0.15, 5), retry=RetryPolicy(attempts=2, backoff=0))
        with pytest.raises(DeadlineExceededError, match=r"0\.15 s, the read limit") as caught:
            provider.create(messages="hi")
        assert (caught.value.limit, caught.value.attempts, len(server.requests)) == ("read", 2, 2)
        assert caught.value.step == "bootstrap"


@pytest.mark.beside
def test_a_limit_for_one_call_replaces_the_providers(provide: Provide) -> None:
    with RawServer(_slow("headers", "silence")) as server:
        provider = provide(server, timeout=60)
        _fails_in_time(lambda: provider.create(messages="hi", timeout=TOTAL))


@pytest.mark.beside
def test_a_bare_number_bounds_drips_too(provide: Provide) -> None:
    with RawServer(_slow("chunk", "drip")) as server:
        _fails_in_time(lambda: provide(server, timeout=TOTAL).create(messages="hi"))


class Endless(OpenAICompatible):
    """Makes an answer of which a piece takes work, and no more bytes."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        until = time.monotonic() + LATEST
        while time.monotonic() < until:
            yield "a"


def test_total_holds_against_much_work_with_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.http.deadline.MAX_WORK", -1.0)  # Windows counts the work in steps
    with RawServer(every(hello())) as server, Endless(server.url, model="m", timeout=0.15) as provider:
        _fails_in_time(lambda: provider.create(messages="hi"), total=0.15)


class Ended(OpenAICompatible):
    """Reads answers of calls whose time is over."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        for piece in super().deltas(body, prompt):
            body._deadline.end("total")
            yield piece


@pytest.mark.parametrize("between", [b"\n", b", "])
def test_total_holds_in_a_body_that_says_the_same_again_and_again(
    between: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.http.deadline.MAX_WORK", -1.0)  # Windows counts the work in steps
    again = [b'{"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}'] * 9
    body = between.join(again)
    with (
        RawServer(every(length(b"[%b]" % body if between == b", " else body))) as server,
        Ended(server.url, model="m", timeout=9) as provider,
        pytest.raises(DeadlineExceededError),
    ):
        provider.create(messages="hi")


def test_a_caller_who_waits_between_pieces_gets_what_had_come(provide: Provide) -> None:
    answer = chunked(delta("Hello") + delta(" world") + delta("", "stop") + DONE)
    with RawServer(every(answer)) as server:
        stream = provide(server).create_generator(messages="hi")
        pieces = [next(stream)]
        stream.source._deadline.end("total")
        pieces += stream
    assert pieces == ["Hello", " world"]


@pytest.mark.beside
@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="its buffers take megabytes at once")
def test_an_upload_that_flows_is_not_silence(provide: Provide) -> None:
    """Each piece of the prompt has the read limit for itself."""

    def answer(connection: Connection) -> None:
        connection.sock.settimeout(PATIENCE)
        got = 0
        while got < size:
            got += len(connection.sock.recv(size // 20))
            connection.server.ending.wait(0.03)
        connection.send(hello())

    size = 1_500_000
    with RawServer(answer, receive_buffer=65536) as server:
        provider = provide(server, timeout=Timeout(connect=5, read=0.5, total=20))
        began = time.monotonic()
        assert provider.create(messages="x" * size) == "Hello world"
        assert time.monotonic() - began > 0.5, "it was too short to tell"
        assert server.connections == 1


@pytest.mark.parametrize("call", CALLS, ids=", ".join)
def test_total_holds(call: tuple[str, str, str], called: dict[tuple[str, str, str], Future[None]]) -> None:
    called[call].result()
