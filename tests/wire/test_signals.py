"""What a caller's own signal handler raises is the caller's, wherever the call waits."""

from __future__ import annotations

import functools
import json
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import pytest
import requests

from g4f_lite import OpenAICompatible, RetryPolicy, Timeout, TransportError
from g4f_lite.http import body
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.sockets import keep_little_unsent

from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, delta, every, head, hello

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of Unix")

RAISED: dict[str, Callable[[], BaseException]] = {
    "TimeoutError": lambda: TimeoutError("mine"),
    "OSError": lambda: OSError(5, "mine"),
    "ConnectionResetError": lambda: ConnectionResetError(104, "mine"),
    "BrokenPipeError": lambda: BrokenPipeError(32, "mine"),
    "ValueError": lambda: ValueError("mine"),
    "RuntimeError": lambda: RuntimeError("mine"),
}


waiting: list[BaseException] = []  # for the signal's handler, which raises each once


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    def handler(*_: object) -> None:
        if waiting:
            raise waiting.pop()

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


def _interrupt() -> None:
    """Let the handler raise while the main thread waits for bytes."""
    main, until = threading.main_thread().ident, time.monotonic() + PATIENCE
    assert main
    while waiting and time.monotonic() < until:  # a signal that comes just before the wait does not end it
        if sys._current_frames()[main].f_code is socket.SocketIO.readinto.__code__:
            signal.pthread_kill(main, signal.SIGUSR1)
        time.sleep(0.002)


def _passes_untouched(call: Callable[[], object], error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        call()
    assert caught.value is error
    assert error.__cause__ is error.__context__ is None
    assert not hasattr(error, "provider")


def _interrupting(after: bytes) -> Callable[[Connection], None]:
    """Interrupt the first call when it has been sent, behind what is given of an answer; answer later ones."""

    def answer(connection: Connection) -> None:
        while connection.request() is not None:
            if len(connection.server.requests) > 1:
                connection.send(hello())
                continue
            connection.send(after)
            _interrupt()
            connection.silence()

    return answer


PLACES = {
    "waiting for the answer": b"",
    "within the headers": b"HTTP/1.1 200 OK\r\nX: ",
    "within the answer": head("Transfer-Encoding: chunked") + chunk(delta("a")),
    "within an answer with a length": head("Content-Length: 9999") + delta("a"),
    "within an answer without its length": head() + delta("a"),
    "behind the answer": head("Transfer-Encoding: chunked") + chunk(delta("a", "stop")) + chunk(DONE),
    "within an error": head("Content-Length: 9999", status="500 No") + b"a",
}


@pytest.mark.product
@pytest.mark.parametrize("own", [False, True], ids=["pool", "own session"])
@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("place", PLACES)
def test_a_handlers_exception_passes_untouched(
    place: str, kind: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "DRAIN_SECONDS", PATIENCE)
    error = RAISED[kind]()
    waiting.append(error)
    with requests.Session() as session, RawServer(_interrupting(PLACES[place])) as server:
        retry = RetryPolicy(attempts=3, backoff=0)
        provider = OpenAICompatible(server.url, model="m", timeout=5, retry=retry, session=session if own else None)
        with provider:
            _passes_untouched(lambda: provider.create(messages="hi"), error)
            assert len(server.requests) == 1, "nothing is sent again"
            assert provider.create(messages="hi") == "Hello world"


def test_a_handlers_exception_on_a_kept_connection_replaces_nothing() -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(hello())
        connection.request()
        _interrupt()
        connection.silence()

    error = ConnectionResetError(104, "mine")
    waiting.append(error)
    with RawServer(answer) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        provider.create(messages="hi")
        _passes_untouched(lambda: provider.create(messages="hi"), error)
        assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("kind", ["TimeoutError", "OSError", "BrokenPipeError", "ValueError"])
@pytest.mark.parametrize("place", ["getaddrinfo", "connect", "sendall"])
def test_a_handlers_exception_passes_untouched_before_the_prompt_is_sent(
    place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)

    error = RAISED[kind]()
    waiting.append(error)
    with RawServer(_interrupting(b"")) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        with monkeypatch.context() as patched:
            patched.setattr(socket if place == "getaddrinfo" else socket.socket, place, interrupted)
            _passes_untouched(lambda: provider.create(messages="hi"), error)
        assert not server.requests


@pytest.mark.parametrize("kind", ["TimeoutError", "OSError", "ValueError"])
def test_a_handlers_exception_passes_untouched_at_the_end_of_an_answer(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(sock: socket.socket, seconds: float | None) -> None:
        if seconds == 0:  # to see what came behind the answer
            signal.raise_signal(signal.SIGUSR1)
        set_timeout(sock, seconds)

    error, set_timeout = RAISED[kind](), socket.socket.settimeout
    waiting.append(error)
    with RawServer(every(hello())) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        monkeypatch.setattr(socket.socket, "settimeout", interrupted)
        _passes_untouched(lambda: provider.create(messages="hi"), error)


def test_a_handlers_exception_is_no_reason_to_try_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(sock: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.2":
            signal.raise_signal(signal.SIGUSR1)
        connect(sock, address)

    error, connect = TimeoutError("mine"), socket.socket.connect
    waiting.append(error)
    with RawServer(lambda connection: None) as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, server.port)) for host in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket.socket, "connect", interrupted)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with OpenAICompatible(f"http://service.test:{server.port}", model="m", timeout=5) as provider:
            _passes_untouched(lambda: provider.create(messages="hi"), error)
        assert server.connections == 0


class InterruptedSocket:
    """A socket of which each setting is interrupted by a signal."""

    def settimeout(self, seconds: float) -> None:
        signal.raise_signal(signal.SIGUSR1)

    def setsockopt(self, *_: int) -> None:
        signal.raise_signal(signal.SIGUSR1)


@pytest.mark.parametrize("kind", ["TimeoutError", "OSError"])
@pytest.mark.parametrize("step", ["lift_first_limit", "drain_within", "keep_little_unsent"])
def test_a_handlers_exception_passes_untouched_while_a_socket_is_set(step: str, kind: str) -> None:
    deadline, sock = Deadline(Timeout(total=60)), cast("socket.socket", InterruptedSocket())
    deadline.hold(sock)
    steps: dict[str, Callable[[], None]] = {
        "lift_first_limit": deadline.lift_first_limit,
        "drain_within": lambda: deadline.drain_within(1),
        "keep_little_unsent": lambda: keep_little_unsent(sock),
    }
    waiting.append(error := RAISED[kind]())
    _passes_untouched(steps[step], error)


def test_no_lock_of_pythons_own_code_can_be_left_held_by_a_handlers_exception() -> None:
    entered: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename == queue.__file__:
            entered.append(frame.f_code.co_name)

    with RawServer(every(hello())) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        provider.create(messages="hi")
        sys.setprofile(note)
        try:
            provider.create(messages="hi")
        finally:
            sys.setprofile(None)
        assert (entered, server.connections) == ([], 1)


class Handler:
    """Forms that a handler may have."""

    def method(self, signum: int, frame: Any) -> None:
        self(signum)

    def __call__(self, *arguments: Any, **more: Any) -> None:
        if waiting:
            waiting.clear()
            json.loads("mine")  # raises within another module


@pytest.mark.parametrize(
    "handler",
    [Handler().method, Handler(), functools.partial(Handler(), more=1), lambda s, f: Handler().method(s, f)],
    ids=["method", "object", "partial", "lambda"],
)
def test_a_handler_has_any_form_and_raises_anywhere(handler: Callable[..., None]) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        _interrupt()
        connection.silence()

    waiting.append(ValueError())
    signal.signal(signal.SIGUSR1, handler)
    with RawServer(answer) as server, OpenAICompatible(server.url, model="m", timeout=5) as provider:
        with pytest.raises(json.JSONDecodeError):
            provider.create(messages="hi")
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["TimeoutError", "OSError", "ValueError"])
def test_an_earlier_exception_that_the_caller_is_handling_is_left_alone(kind: str) -> None:
    waiting.append(RAISED[kind]())
    with RawServer(lambda connection: None) as server, OpenAICompatible(server.url, model="m", retry=None) as provider:
        try:
            signal.raise_signal(signal.SIGUSR1)
        except (OSError, ValueError):
            with pytest.raises(TransportError, match="lost the connection"):
                provider.create(messages="hi")
