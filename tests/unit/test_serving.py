"""Waitress as ``g4f-lite serve`` runs it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    Client,
    G4FLiteError,
    Identity,
    ModelNotSupportedError,
    ProviderError,
    RateLimitError,
    ServiceError,
    TransportError,
)
from g4f_lite.client.completion_stream import CompletionStream
from g4f_lite.contrib.server import create_app, serving
from g4f_lite.contrib.server.chat import _events
from g4f_lite.contrib.server.failures import ApiError, api_error
from g4f_lite.contrib.server.serving import Server
from g4f_lite.contrib.server.streams import Streams
from g4f_lite.testing import Scripted

LIMITED = RateLimitError("slow down", retry_after=float("inf"))


def test_a_path_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="g4f_lite.server")
    path = "/v1/\nGET /forged → 200\x1b[2J".encode().decode("latin-1")  # as WSGI has it
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    create_app(Scripted())(environ, lambda status, headers: None)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("GET /v1/\ufffdGET /forged → 200\ufffd[2J → 404")
    assert "\n" not in line


@pytest.mark.parametrize("error", [LIMITED, AllProvidersFailedError("none answered", errors=[LIMITED])])
def test_a_wait_without_an_end_is_a_day(error: G4FLiteError) -> None:
    assert api_error(error).headers == [("Retry-After", "86400")]


UNKNOWN = ModelNotSupportedError("no such model; try llama3.2", provider="Ollama")
DOWN = TransportError("could not connect", provider="vLLM")
SKIPPED = ProviderError("it failed before", provider="vLLM", skipped=True)
KEYLESS = AuthenticationError("no key", provider="Groq")
REFUSED = AuthenticationError("no such key", provider="Groq", status=401)
BUSY = ServiceError("busy", provider="Groq", status=503)


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ([DOWN, UNKNOWN], 404),
        ([UNKNOWN, SKIPPED, KEYLESS, UNKNOWN], 404),
        ([UNKNOWN, REFUSED], 502),
        ([UNKNOWN, BUSY], 503),
        ([DOWN, SKIPPED], 503),
    ],
)
def test_a_model_that_no_member_that_was_reached_has_is_not_found(errors: list[G4FLiteError], status: int) -> None:
    text = "none answered: Ollama: no such model; try llama3.2"
    made = api_error(AllProvidersFailedError(text, errors=errors))
    assert (made.status, made.message) == (status, text)
    assert (made.code == "model_not_found") == (status == 404)


resource = pytest.importorskip("resource")
FILES = 1024  # beyond which select() fails


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FILES, hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(FILES)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_more_open_files_than_select_can_watch() -> None:
    server = Server(create_app(Scripted()), "127.0.0.1", 0, 1)
    threading.Thread(target=server._server.run, daemon=True).start()
    try:
        assert requests.get(f"{server.url}/health", timeout=10).json() == {"status": "ok"}
    finally:
        server._server.close()


@pytest.mark.once
def test_connections_that_never_send_a_whole_request_leave_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE_CONNECTIONS", 8)
    server = Server(create_app(Scripted()), "127.0.0.1", 0, 1)
    threading.Thread(target=server._server.run, daemon=True).start()
    address = "127.0.0.1", server._server.effective_port
    with ExitStack() as stack:
        stack.callback(server._server.close)
        for _ in range(12):
            connection = stack.enter_context(socket.create_connection(address))
            connection.sendall(b"GET /health HTTP/1.1\r\nX: ")
        assert requests.get(f"{server.url}/health", timeout=20).json() == {"status": "ok"}


def test_signals_do_not_interrupt_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(create_app(Scripted()), "127.0.0.1", 0, 1)
    monkeypatch.setattr(server, "_drain", lambda grace: None)  # which sends the second one

    def run() -> None:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # while waitress waits for its threads

    monkeypatch.setattr(server._server, "run", run)
    server.run()


def test_a_thread_that_cannot_be_started_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, start, is_refused = Streams(1), threading.Thread.start, True

    def start_or_not(thread: threading.Thread) -> None:
        if is_refused:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_not)
    with pytest.raises(ApiError, match="can't start new thread") as raised:
        streams.take(lambda: False)
    assert raised.value.status == 503
    is_refused = False
    streams.take(lambda: False).give_back()


def test_the_fields_of_a_service_are_in_the_first_event_only() -> None:
    """They may be long, and the pieces many."""
    answer = Client(Scripted([Identity(extra={"citations": ["x" * 10]}), "a", "b"])).stream("Hi")
    *events, done = _events(CompletionStream(answer.start(), 0, wants_usage=False))
    assert [json.loads(event[6:]).get("citations") for event in events] == [["x" * 10], None, None]
    assert done == b"data: [DONE]\n\n"
