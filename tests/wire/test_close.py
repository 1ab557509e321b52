"""close() from another thread wakes the reader, wherever it waits."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
import requests

from g4f_lite import AiChats, G4FLiteError, RetryPolicy, StreamInterruptedError
from g4f_lite.emulator import Emulator
from g4f_lite.http import slices

from .conftest import Provide
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, delta, head, hello, length

LATEST = 2.0  # seconds; generous, as the exact figure belongs to the benchmarks

WAITS: dict[str, Callable[[Connection], object]] = {
    "before the status line": lambda c: (c.request(), c.silence()),
    "in the status line": lambda c: (c.request(), c.send(b"HTTP/1.1 2"), c.silence()),
    "in the headers": lambda c: (c.request(), c.send(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"), c.silence()),
    "before the body": lambda c: (c.request(), c.send(head("Transfer-Encoding: chunked")), c.silence()),
    "in a chunk's size": lambda c: (
        c.request(),
        c.send(head("Transfer-Encoding: chunked"), chunk(delta("a")), b"1"),
        c.silence(),
    ),
    "in a chunk": lambda c: (
        c.request(),
        c.send(head("Transfer-Encoding: chunked"), chunk(delta("a")), b"ff\r\ndata"),
        c.silence(),
    ),
    "in a length": lambda c: (c.request(), c.send(head("Content-Length: 999"), delta("a")), c.silence()),
    "in a close-delimited body": lambda c: (c.request(), c.send(head(), delta("a")), c.silence()),
    "in an error's body": lambda c: (
        c.request(),
        c.send(head("Content-Length: 999", status="500 No"), b"x"),
        c.silence(),
    ),
}


def _close_while_reading(read: Callable[[], object], close: Callable[[], None], ready: Callable[[], bool]) -> object:
    """Run ``read`` in a thread, call ``close`` once it waits, and give what it raised."""
    raised: list[object] = []

    def run() -> None:
        try:
            raised.append(read())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not ready() and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(0.02)  # from the last byte sent to waiting for more
    began = time.monotonic()
    close()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the reader was not woken"
    assert time.monotonic() - began < LATEST
    return raised[0]


@pytest.mark.parametrize("where", WAITS)
def test_the_reader_gets_stream_interrupted(where: str, provide: Provide) -> None:
    with RawServer(WAITS[where]) as server:
        stream = provide(server, retry=RetryPolicy(backoff=0)).create_generator(messages="hi")
        told = "a" if "in a c" in where or "length" in where else ""
        begun = lambda: len(server.requests) == 1 and stream._buffer.text == told  # noqa: E731
        error = _close_while_reading(stream.text, stream.close, begun)
        assert type(error) is StreamInterruptedError
        assert isinstance(error, requests.exceptions.ChunkedEncodingError)
        assert error.partial == told
        assert len(server.requests) == 1
        with pytest.raises(StreamInterruptedError):
            next(stream)


def test_ctrl_c_ends_a_silent_wait_on_windows_too(provide: Provide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "NEEDED", True)
    interrupt = lambda c: (c.request(), signal.raise_signal(signal.SIGINT), c.silence())  # noqa: E731
    with RawServer(interrupt) as server:
        with pytest.raises(KeyboardInterrupt):
            provide(server).create(messages="hi")
        assert len(server.requests) == 1


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_with_a_session_of_the_callers_own_too(framing: str, provide: Provide) -> None:
    if framing == "close" and os.name == "nt":
        pytest.skip("urllib3 shuts such a connection in one direction only, which wakes no reader on Windows")
    top = {"chunked": "Transfer-Encoding: chunked", "length": "Content-Length: 999", "close": "Connection: close"}
    first = chunk(delta("a")) if framing == "chunked" else delta("a")
    serve = lambda c: (c.request(), c.send(head(top[framing]), first), c.silence())  # noqa: E731
    with requests.Session() as session, RawServer(serve) as server:
        stream = provide(server, session=session).create_generator(messages="hi")
        assert next(stream) == "a"
        error = _close_while_reading(lambda: next(stream), stream.close, lambda: True)
        assert type(error) is StreamInterruptedError


@pytest.mark.once
def test_while_a_prompt_is_sent_to_a_server_that_does_not_read(provide: Provide) -> None:
    with RawServer(lambda c: c.server.ending.wait(PATIENCE), receive_buffer=4096) as server:
        stream = provide(server).create_generator(messages="x" * 20_000_000)
        error = _close_while_reading(stream.text, stream.close, lambda: server.connections == 1)
        assert type(error) is StreamInterruptedError


def test_while_it_sleeps_between_two_attempts(provide: Provide) -> None:
    with RawServer(lambda c: (c.request(), c.send(length(b"", "Retry-After: 4", status="503 No")))) as server:
        stream = provide(server, timeout=20, retry=RetryPolicy()).create_generator(messages="hi")
        error = _close_while_reading(stream.text, stream.close, lambda: len(server.requests) == 1)
        assert isinstance(error, G4FLiteError)
        assert type(error) is StreamInterruptedError
        assert len(server.requests) == 1


@pytest.mark.parametrize(("step", "model"), [("bootstrap", None), ("prompt", None), ("image", "dalle")])
def test_in_each_step_of_a_call(step: str, model: str | None, emulator: Emulator) -> None:
    emulator.fail("stall", step=step, times=None)
    with AiChats(base_url=emulator.url, retry=RetryPolicy(backoff=0)) as provider:
        stream = provider.create_generator(model, "hi")
        waits = lambda: any(request.step == step for request in emulator.requests)  # noqa: E731
        error = _close_while_reading(stream.text, stream.close, waits)
        assert type(error) is StreamInterruptedError
        assert error.step == step
        assert sum(request.step == step for request in emulator.requests) == 1
        until = time.monotonic() + PATIENCE
        while emulator.open_connections and time.monotonic() < until:
            time.sleep(0.005)
        assert emulator.open_connections == 0


def test_before_the_first_piece_nothing_is_sent(provide: Provide) -> None:
    with RawServer(lambda c: c.request()) as server:
        stream = provide(server).create_generator(messages="hi")
        stream.close()
        with pytest.raises(StreamInterruptedError):
            next(stream)
        assert server.connections == 0


def test_after_the_end_it_changes_nothing(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(hello())

    with RawServer(answer) as server:
        provider = provide(server)
        for _ in range(3):
            stream = provider.create_generator(messages="hi")
            assert stream.text() == "Hello world"
            stream.close()
            assert stream.text() == "Hello world"
        assert server.connections == 1


def test_closing_one_answer_leaves_another_alone(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a")))
        if connection.number == 2:
            connection.server.go.wait(PATIENCE)
            connection.send(chunk(delta("b", "stop")), chunk(DONE), b"0\r\n\r\n")
        connection.silence()

    with RawServer(answer) as server:
        provider = provide(server)
        first, second = (provider.create_generator(messages="hi").start() for _ in range(2))
        first.close()
        server.go.set()
        assert second.text() == "ab"


def test_a_reader_between_two_pieces_finds_it_closed(provide: Provide) -> None:
    serve = lambda c: (c.request(), c.send(head(), delta("a"), delta("b")), c.silence())  # noqa: E731
    with RawServer(serve) as server:
        stream = provide(server).create_generator(messages="hi")
        assert next(stream) == "a"
        thread = threading.Thread(target=stream.close)
        thread.start()
        thread.join(PATIENCE)
        with pytest.raises(StreamInterruptedError) as caught:
            list(stream)
        assert caught.value.partial == "a"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", ["let go", "read on", "ask anew"])
def test_a_forked_child_leaves_its_parents_answer_alone(what: str, provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            if connection.number == 1:
                connection.send(head("Transfer-Encoding: chunked"), chunk(delta("a")))
                connection.server.go.wait(PATIENCE)
                connection.send(chunk(delta("b", "stop")), chunk(DONE), b"0\r\n\r\n")
            else:
                connection.send(hello())

    with RawServer(answer) as server:
        provider = provide(server)
        stream = provider.create_generator(messages="hi").start()
        child = os.fork()
        if child == 0:
            try:
                if what == "let go":
                    stream.close()
                    del stream
                elif what == "ask anew":
                    assert provider.create(messages="hi") == "Hello world"
                else:
                    next(stream)  # which start() had got
                    with pytest.raises(StreamInterruptedError, match="parent"):
                        next(stream)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        server.go.set()
        assert stream.text() == "ab"
        assert server.connections == (2 if what == "ask anew" else 1)
