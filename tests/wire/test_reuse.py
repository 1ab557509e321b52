"""A connection serves call after call, and is replaced only when that is safe."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
import tenacity

from g4f_lite import AnswerStream, OpenAICompatible, Prompt, TransportError
from g4f_lite.http import body

from .conftest import Provide
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, delta, every, head, hello, length


@pytest.mark.once
def test_100_calls_take_one_connection(provide: Provide) -> None:
    with RawServer(every(hello())) as server:
        provider = provide(server)
        assert {provider.create(messages="hi") for _ in range(100)} == {"Hello world"}
        assert (server.connections, len(server.requests)) == (1, 100)


def test_a_call_leaves_nothing_for_the_garbage_collector(provide: Provide) -> None:
    """Nothing that a call held, such as a prompt with large images, may wait for a garbage collection."""

    def held() -> int:
        return sum(isinstance(found, (tenacity.Retrying, Prompt)) for found in gc.get_objects())

    with RawServer(every(hello())) as server:
        provider = provide(server)
        gc.collect()
        gc.disable()
        try:
            before = held()
            assert {provider.create(messages="hi") for _ in range(3)} == {"Hello world"}
            assert held() == before
        finally:
            gc.enable()


@pytest.mark.once
def test_100_calls_over_tls_take_one_connection(provide: Provide, tls: ssl.SSLContext, authority_file: str) -> None:
    with RawServer(every(hello()), tls=tls) as server:
        provider = provide(server, verify=authority_file)
        assert {provider.create(messages="hi") for _ in range(100)} == {"Hello world"}
        assert server.connections == 1


def test_what_follows_done_is_pulled_so_that_the_connection_lives(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a", "stop")), chunk(DONE))
            connection.send(chunk(b": bye\n" * 1000))
            time.sleep(0.01)  # so that the end comes in a read of its own
            connection.send(b"0\r\n\r\n")

    with RawServer(answer) as server:
        provider = provide(server)
        for _ in range(3):
            assert provider.create(messages="hi") == "a"
        assert server.connections == 1


@pytest.mark.parametrize("tail", ["silence", "drip", "flood"])
def test_an_end_that_does_not_come_costs_the_connection_and_no_time(
    tail: str, provide: Provide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "DRAIN_SECONDS", 0.02)

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a", "stop")), chunk(DONE))
        if tail == "silence":
            connection.silence()
        elif tail == "drip":
            connection.drip(chunk(b":" * 10000))
        while True:
            connection.send(chunk(b":" * 65536))

    with RawServer(answer) as server:
        provider = provide(server)
        for number in range(2):
            began = time.monotonic()
            answered = provider.create(messages="hi")
            assert answered == "a"
            assert answered.finish_reason == "stop"
            assert time.monotonic() - began < 4  # 0.02 s and two looks of the watchdog, where nothing else runs
            assert server.connections == number + 1


@contextmanager
def _closed_half_read() -> Iterator[RawServer]:
    """Serve half an answer, and check that the client then closes the connection."""
    gone = threading.Event()

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a")))
        connection.silence()
        gone.set()

    with RawServer(answer) as server:
        yield server
        assert gone.wait(PATIENCE), "the connection was left open"


@pytest.mark.parametrize("leave", ["close", "with", "del", "throw"])
def test_a_stream_left_half_read_is_closed(leave: str, provide: Provide) -> None:
    with _closed_half_read() as server:
        stream: AnswerStream | None = provide(server).create_generator(messages="hi")
        assert stream is not None
        assert next(stream) == "a"
        if leave == "close":
            stream.close()
        elif leave == "with":
            with stream:
                pass
        elif leave == "throw":
            with pytest.raises(KeyError, match="x"):
                stream.throw(KeyError("x"))
        else:
            stream = None


def test_leaving_the_loop_closes(provide: Provide) -> None:
    with _closed_half_read() as server:
        for _ in provide(server).create_generator(messages="hi"):
            break


def _closing_after(count: int, before: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Serve ``count`` requests, then do something at the next and close; later connections just serve."""

    def answer(connection: Connection) -> None:
        served = 0
        while connection.request() is not None:
            if connection.number == 1 and served == count:
                return before(connection)
            connection.send(hello())
            served += 1
        return None

    return answer


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stale_connection_is_replaced_once_though_nothing_is_retried(end: str, provide: Provide) -> None:
    with RawServer(_closing_after(1, Connection.reset if end == "reset" else lambda c: None)) as server:
        provider = provide(server, retry=None)
        assert provider.create(messages="one") == "Hello world"
        assert provider.create(messages="two") == "Hello world"
        assert server.connections == 2
        assert [request.json["messages"][0]["content"] for request in server.requests] == ["one", "two", "two"]


def test_a_stale_tls_connection_is_replaced_too(provide: Provide, tls: ssl.SSLContext, authority_file: str) -> None:
    with RawServer(_closing_after(1, lambda c: None), tls=tls) as server:
        provider = provide(server, verify=authority_file)
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello world"] * 2
        assert server.connections == 2


def test_a_replaced_connection_is_not_replaced_again(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        if connection.number == 1:
            connection.request()
            connection.send(hello())
        connection.request()

    with RawServer(answer) as server:
        provider = provide(server)
        provider.create(messages="hi")
        with pytest.raises(TransportError):
            provider.create(messages="hi")
        assert len(server.requests) == 3


@pytest.mark.product
@pytest.mark.parametrize("bytes_sent", [b"H", b"HTTP/1.1 200 OK\r\nContent-"])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_it_is_not_replaced_when_a_byte_had_come(bytes_sent: bytes, end: str, provide: Provide) -> None:
    def cut(connection: Connection) -> None:
        connection.send(bytes_sent)
        time.sleep(0.02)  # a reset would overtake it
        if end == "reset":
            connection.reset()

    with RawServer(_closing_after(1, cut)) as server:
        provider = provide(server)
        provider.create(messages="hi")
        with pytest.raises((TransportError, OSError)):
            provider.create(messages="hi")
        assert len(server.requests) == 2


@pytest.mark.parametrize("own", [False, True])
def test_a_new_connection_is_never_replaced(own: bool, provide: Provide) -> None:
    with requests.Session() as session, RawServer(lambda connection: connection.request()) as server:
        provider = provide(server, session=session if own else None)
        with pytest.raises(TransportError):
            provider.create(messages="hi")
        assert len(server.requests) == 1


def test_own_session_is_the_only_one_and_keeps_its_connection(provide: Provide) -> None:
    with requests.Session() as session, RawServer(every(hello())) as server:
        session.headers["X-Mine"] = "yes"
        provider = provide(server, session=session)
        before = dict(session.headers), dict(session.cookies)
        for _ in range(3):
            provider.create(messages="hi")
        assert provider.session is session
        assert (dict(session.headers), dict(session.cookies)) == before
        assert server.connections == 1
        assert all(request.headers["x-mine"] == "yes" for request in server.requests)
        provider.close()
        assert provider.create(messages="hi") == "Hello world"  # the caller's session is not ours to close
        assert server.connections == 1


@pytest.mark.once
def test_threads_take_a_session_each_and_no_more(provide: Provide) -> None:
    barrier = threading.Barrier(8)

    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            text = request.json["messages"][0]["content"]
            if text.startswith("0:"):
                barrier.wait(PATIENCE)
            connection.send(length(delta(text, "stop") + DONE))

    with RawServer(answer) as server:
        provider = provide(server)
        prompts = [f"{turn}:{thread}" for turn in range(10) for thread in range(8)]
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda prompt: provider.create(messages=prompt), prompts)) == prompts
        assert server.connections == 8
        for _ in range(5):  # alone, the session used last is used again
            provider.create(messages="1:last")
        assert server.connections == 8


def test_close_ends_idle_sessions_and_lets_calls_finish(provide: Provide) -> None:
    closed = threading.Event()

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a")))
        connection.server.go.wait(PATIENCE)
        connection.send(chunk(delta("b", "stop")), chunk(DONE), b"0\r\n\r\n")
        if connection.request() is None:
            closed.set()

    with RawServer(answer) as server:
        provider: OpenAICompatible = provide(server)
        stream = provider.create_generator(messages="hi").start()
        provider.close()
        server.go.set()
        assert stream.text() == "ab"
        assert closed.wait(PATIENCE), "the session that came back was kept"


def test_ipv6_works_like_ipv4(provide: Provide) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        server = RawServer(every(hello()), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        provider = provide(server, cookies={"visitor": "me"})
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello world"] * 2
        assert server.connections == 1
        assert all(request.headers["cookie"] == "visitor=me" for request in server.requests)
