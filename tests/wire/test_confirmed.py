"""Whoever sends a request may confirm where a new connection leads, or give the path of a Unix socket instead."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from g4f_lite import Timeout, TransportError
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.exchange import Exchange
from g4f_lite.http.pool import PooledSession
from g4f_lite.http.session import Session

from .raw_server import PATIENCE, Connection, RawServer, every, hello


@contextmanager
def confirming(confirm: Callable[[Deadline], None]) -> Iterator[Exchange]:
    with (
        Deadline(Timeout(PATIENCE, PATIENCE, PATIENCE)) as deadline,
        Session() as session,
        Exchange(PooledSession(session), deadline) as exchange,
    ):
        exchange.confirm = confirm
        yield exchange


def test_each_connection_is_confirmed_once() -> None:
    confirmed: list[Deadline] = []
    with RawServer(every(hello())) as server, confirming(confirmed.append) as exchange:
        for _ in range(3):
            exchange.send(requests.Request("POST", f"{server.url}/one", json={}), "prompt").drain()
        assert confirmed == [exchange.deadline] * server.connections == [exchange.deadline]


def test_nothing_is_sent_over_a_connection_that_is_not_confirmed() -> None:
    received: list[bytes] = []

    def refuse(_: Deadline) -> None:
        raise ConnectionResetError("it is another one's")

    with (
        RawServer(lambda connection: received.append(connection.sock.recv(1))) as server,
        confirming(refuse) as exchange,
        pytest.raises(TransportError, match="it is another one's"),
    ):
        exchange.send(requests.Request("POST", server.url, json={}), "prompt")
    assert received in ([], [b""])


def test_what_replaces_a_lost_connection_is_confirmed_too() -> None:
    def once(connection: Connection) -> None:
        connection.request()
        connection.send(hello())
        connection.request()

    answers = [True, False]

    def confirm(_: Deadline) -> None:
        if not answers.pop(0):
            raise ConnectionResetError("it is another one's")

    with RawServer(once) as server, confirming(confirm) as exchange:
        exchange.send(requests.Request("POST", server.url, json={}), "prompt").drain()
        with pytest.raises(TransportError, match="it is another one's"):
            exchange.send(requests.Request("POST", server.url, json={}), "prompt")
        assert (answers, len(server.requests)) == ([], 2)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_request_goes_over_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short

    def serve() -> bytes:
        connection, _ = listener.accept()
        with connection:
            received = connection.recv(4096)
            connection.sendall(hello())
        return received

    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as threads:
        listener.bind("here.sock")
        listener.listen()
        listener.settimeout(PATIENCE)
        received = threads.submit(serve)
        confirmed: list[Deadline] = []
        with confirming(confirmed.append) as exchange:
            exchange.socket_path = "here.sock"
            body = exchange.send(requests.Request("GET", "http://name.localhost/page"), "prompt")
            assert b"Hello" in body.read()
        assert received.result().startswith(b"GET /page HTTP/1.1\r\nHost: name.localhost\r\n")
        assert len(confirmed) == 1


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_unix_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    with confirming(lambda _: None) as exchange:
        exchange.socket_path = str(tmp_path / "none")
        with pytest.raises(TransportError, match=r"could not connect to http://name\.localhost: No such file"):
            exchange.send(requests.Request("GET", "http://name.localhost/page"), "prompt")
