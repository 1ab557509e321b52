"""Requests to ``g4f-lite serve`` that come slowly: a byte now and then keeps no connection."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import waitress.channel
import waitress.server
from waitress import wasyncore

from g4f_lite.contrib.server import create_app, slow_requests
from g4f_lite.contrib.server.serving import IDLE_SECONDS, Server
from g4f_lite.testing import Scripted

HEAD, BODY = b"GET /health HTTP/1.1\r\nX: ", b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
PACE = 100  # bytes a second


class Running:
    """A server whose loop is run step by step, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr(waitress.channel, "time", clock)
        monkeypatch.setattr(waitress.server, "time", clock)
        monkeypatch.setattr(slow_requests, "SLOWEST", PACE)
        self.server = Server(create_app(Scripted()), "127.0.0.1", 0, 1)
        address = urlsplit(self.server.url)
        self.client = socket.create_connection((address.hostname, address.port), timeout=10)
        self.turn()

    def turn(self) -> None:
        wasyncore.loop(timeout=0.5, use_poll=True, map=self.server._sockets, count=1)

    def send(self, data: bytes) -> None:
        self.client.sendall(data)
        self.turn()

    @property
    def has_client(self) -> bool:
        return any(isinstance(each, slow_requests.Channel) for each in self.server._sockets.values())


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    running = Running(monkeypatch)
    yield running
    running.client.close()
    running.server._server.task_dispatcher.shutdown()
    wasyncore.close_all(running.server._sockets)


@pytest.mark.parametrize("beginning", [HEAD, BODY])
@pytest.mark.parametrize(("pace", "stays"), [(0.1, False), (PACE - 20, False), (PACE, True)])
def test_a_request_that_comes_too_slowly_ends_with_its_connection(
    beginning: bytes, pace: float, stays: bool, running: Running
) -> None:
    running.send(beginning)
    assert running.has_client
    step = IDLE_SECONDS / 3
    for _ in range(20):
        running.now += step
        if running.has_client:
            running.send(b"x" * max(1, int(pace * step)))
    assert running.has_client == stays


def test_the_next_request_of_a_connection_has_its_own_time(running: Running) -> None:
    for _ in range(4):
        running.now += IDLE_SECONDS - 1
        running.send(b"GET /health HTTP/1.1\r\n")
        running.send(b"Host: localhost\r\n")
        running.now += 2
        running.send(b"\r\n")
        while not select.select([running.client], [], [], 0)[0]:
            running.turn()
        assert running.client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert running.has_client
