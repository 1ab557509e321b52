"""The emulator below its services: framing, time, connections, threads, records."""

from __future__ import annotations

import gzip
import json
import os
import queue
import selectors
import socket
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
import trustme

from g4f_lite.emulator import Emulator, ReceivedRequest

PROMPT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def connect(emulator: Emulator) -> socket.socket:
    port = int(emulator.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def prompt_bytes(headers: str = "", version: str = "1.1") -> bytes:
    body = json.dumps(PROMPT).encode()
    head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    while block := connection.recv(65536):
        received += block
    return received


def split_chunks(body: bytes) -> list[bytes]:
    chunks = []
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        chunks.append(body[:length])
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]
        if not length:
            assert body == b""
            return chunks[:-1]


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Framing


def test_chunked_is_one_chunk_a_piece(emulator: Emulator) -> None:
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Connection: keep-alive" in head
    chunks = split_chunks(body)
    assert len(chunks) == 6  # the role, three words, the finish reason, the end marker
    assert all(chunk.endswith(b"\n\n") for chunk in chunks)


def test_close_delimited(emulator: Emulator) -> None:
    emulator.configure(framing="close")
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head
    assert b"Connection: close" in head
    assert body.endswith(b"data: [DONE]\n\n")


def test_content_length(emulator: Emulator) -> None:
    emulator.configure(framing="length", keep_alive=False)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head


@pytest.mark.parametrize("headers", [{"version": "1.0"}, {"headers": "Connection: close\r\n"}])
def test_clients_that_keep_no_connection(emulator: Emulator, headers: dict[str, str]) -> None:
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes(**headers))
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_pieces_can_be_read_as_they_arrive(emulator: Emulator, encoding: str) -> None:
    emulator.configure(encoding=encoding)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        received = b""
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Encoding: {encoding}".encode() in head
    chunks = split_chunks(body)
    decompressor = zlib.decompressobj(wbits=47)
    pieces = [decompressor.decompress(chunk) for chunk in chunks]
    assert pieces[1].count(b'"content": "one"') == 1
    assert decompressor.eof


def test_a_compressor_that_is_not_flushed_holds_everything(emulator: Emulator) -> None:
    emulator.configure(encoding="gzip", flush=False, keep_alive=False)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        body = receive_all(connection).partition(b"\r\n\r\n")[2]
    chunks = split_chunks(body)
    assert zlib.decompressobj(wbits=31).decompress(b"".join(chunks[:-1])) == b""
    assert gzip.decompress(b"".join(chunks)).endswith(b"[DONE]\n\n")


@pytest.mark.parametrize(("size", "expected"), [(1, {1}), (7, {7}), (10**6, None)])
def test_write_size(emulator: Emulator, size: int, expected: set[int] | None) -> None:
    emulator.configure(write_size=size, keep_alive=False)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        chunks = split_chunks(receive_all(connection).partition(b"\r\n\r\n")[2])
    if expected is None:
        assert len(chunks) == 1
    else:
        assert {len(chunk) for chunk in chunks[:-1]} == expected
    assert b"".join(chunks).endswith(b"[DONE]\n\n")


@pytest.mark.parametrize(
    "settings",
    [
        {"framing": "slow"},
        {"newline": "x"},
        {"encoding": "br"},
        {"pace": -1},
        {"write_size": 0},
        {"plugin_version": "a"},
    ],
    ids=str,
)
def test_settings_are_checked(emulator: Emulator, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        emulator.configure(**settings)


# Requests


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_bad_requests(emulator: Emulator, request_bytes: bytes, status: int) -> None:
    with connect(emulator) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(65536).startswith(b"HTTP/1.1 %d " % status)
    assert emulator.requests == []


@pytest.mark.parametrize("part", [10, -3])
def test_requests_that_stop_in_the_middle(emulator: Emulator, part: int) -> None:
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes()[:part])
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert emulator.requests == []


def test_a_client_that_sends_on_and_on_while_it_waits_is_dropped(emulator: Emulator) -> None:
    emulator.fail("stall")
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        with pytest.raises(ConnectionError):
            connection.sendall(b"x" * 64 * 1024 * 1024)


def test_requests_that_follow_at_once_are_answered_in_order(emulator: Emulator) -> None:
    emulator.configure(pace=0.005)  # the second arrives while the first is being answered
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes() + prompt_bytes("Connection: close\r\n"))
        assert receive_all(connection).count(b"[DONE]") == 2
    assert [request.reused for request in emulator.requests] == [False, True]


def test_expect_100_continue(emulator: Emulator) -> None:
    head, _, body = prompt_bytes("Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connect(emulator) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


# Connections


def test_one_connection_serves_many_requests(emulator: Emulator) -> None:
    with requests.Session() as session:
        for _ in range(5):
            session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
        assert emulator.connections == 1
        emulator.configure(keep_alive=False)
        for _ in range(2):
            session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
    assert emulator.connections == 2
    assert [request.connection for request in emulator.requests] == [1, 1, 1, 1, 1, 1, 2]


def measure_delays(streams: int, pieces: int, pace: float) -> list[float]:
    """Read that many streams at once; gives by how many seconds each piece was late."""

    def backend(messages: object) -> Iterator[str]:
        yield from ["piece"] * pieces

    with Emulator(backend, pace=pace) as emulator, selectors.DefaultSelector() as selector:
        moments: dict[socket.socket, list[float]] = {connect(emulator): [] for _ in range(streams)}
        for connection in moments:
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(prompt_bytes())
        while selector.get_map():
            for key, _ in selector.select():
                connection = cast(socket.socket, key.fileobj)
                block = connection.recv(65536)
                moments[connection] += [time.monotonic()] * block.count(b'"content": "piece"')
                if b"[DONE]" in block:
                    selector.unregister(connection)
        for connection in moments:
            connection.close()
    assert [len(times) for times in moments.values()] == [pieces] * streams
    return [moment - times[0] - number * pace for times in moments.values() for number, moment in enumerate(times)]


def test_64_streams_at_once_without_a_piece_that_is_late() -> None:
    # Of three runs the best counts: the machine's other work can hold up any one of them.
    assert any(max(measure_delays(streams=64, pieces=10, pace=0.04)) < 0.02 for _ in range(3))


def test_pace(emulator: Emulator) -> None:
    emulator.configure(pace=0.03, framing="length")
    started = time.monotonic()
    requests.post(emulator.url + "/v1/chat/completions", json=PROMPT)
    assert 0.06 <= time.monotonic() - started < 0.5


def count_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files in /proc")
def test_nothing_is_left_after_close() -> None:
    before = count_files()
    for _ in range(3):
        with Emulator() as emulator:
            emulator.fail("stall", times=None)
            connections = [connect(emulator) for _ in range(8)]
            for connection in connections[:6]:
                connection.sendall(prompt_bytes())
            requests.get(emulator.url + "/v1/models")
        # Stalled, idle, and silent from the start: all are dropped.
        assert [receive_all(connection) for connection in connections] == [b""] * 8
        for connection in connections:
            connection.close()
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("emulator")] == []
    assert count_files() == before


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6() -> None:
    try:
        emulator = Emulator(host="::1").start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with emulator:
        assert emulator.url.startswith("http://[::1]:")
        assert requests.get(emulator.url + "/v1/models").ok


def test_close_twice_and_start_again() -> None:
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="before start"):
        _ = emulator.url
    emulator.start()
    url = emulator.url
    emulator.close()
    emulator.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(url)
    with emulator:
        assert emulator.url == url
        assert requests.get(url + "/v1/models").ok


def test_the_backend_is_closed_when_the_client_leaves() -> None:
    closed = threading.Event()

    def backend(messages: object) -> Iterator[str]:
        try:
            while True:
                yield "more "
                time.sleep(0.001)
        finally:
            closed.set()

    with Emulator(backend) as emulator:
        with connect(emulator) as connection:
            connection.sendall(prompt_bytes())
            while b"more" not in connection.recv(65536):
                pass
        assert closed.wait(5)


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Emulator(tls=context) as emulator, requests.Session() as session, connect(emulator):
        # The connection that is open already never begins its handshake; it holds nobody up.
        assert emulator.url.startswith("https://127.0.0.1:")
        session.trust_env = False  # a bundle named in the environment would win over this one
        session.verify = str(tmp_path / "ca.pem")
        for framing in ("chunked", "length", "close"):
            emulator.configure(framing=framing)
            response = session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
            assert response.text.endswith("[DONE]\n\n")
        body = {"type": "image", "messagesHistory": [{"from": "you", "content": "x"}]}
        emulator.configure(require_cookies=False)
        image = session.post(emulator.url + "/chat/send2/", json=body).json()["data"][0]["url"]
        assert session.get(image).content.startswith(b"\x89PNG")
        emulator.configure(framing="chunked")  # Python shows a reset under TLS as the body's end
        emulator.fail("reset", after=1)
        with pytest.raises(requests.RequestException):
            session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
        emulator.configure(pace=0.01)
        assert session.post(emulator.url + "/v1/chat/completions", json=PROMPT).ok


# Records and answers


def test_records(emulator: Emulator) -> None:
    headers = {"Authorization": "Bearer secret-key", "Cookie": "a=secret-cookie; b=2"}
    requests.post(emulator.url + "/v1/chat/completions?token=secret-query&x=", json=PROMPT, headers=headers)
    (request,) = emulator.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.query == {"token": "secret-query", "x": ""}
    assert request.headers["authorization"] == request.headers["AUTHORIZATION"] == "Bearer secret-key"
    assert request.cookies == {"a": "secret-cookie", "b": "2"}
    assert request.json() == PROMPT
    assert (request.service, request.step, request.connection) == ("openai", "prompt", 1)
    assert (request.status, request.fault) == (200, None)
    wait_until(lambda: request.ended is not None)
    assert request.complete
    assert request.first_piece is not None
    assert request.ended is not None
    assert request.started <= request.first_piece <= request.ended
    assert "secret" not in repr(emulator.requests)
    size = len(request.body)
    assert repr(request) == f"<POST /v1/chat/completions: openai prompt, connection 1, {size} bytes, status 200>"


def test_cookies_that_cannot_be_read(emulator: Emulator) -> None:
    requests.get(emulator.url, headers={"Cookie": "good=1; a/b=2"})
    assert emulator.requests[0].cookies == {}


def test_records_tell_that_a_client_left(emulator: Emulator) -> None:
    emulator.configure(pace=0.05)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        connection.recv(100)
    wait_until(lambda: emulator.requests[0].ended is not None)
    assert not emulator.requests[0].complete


def test_the_end_of_each_request_is_told() -> None:
    ended: queue.SimpleQueue[ReceivedRequest] = queue.SimpleQueue()
    with Emulator(on_end=ended.put) as emulator, requests.Session() as session:
        emulator.fail("reset")
        with pytest.raises(requests.ConnectionError):
            session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
        request = ended.get(timeout=5)
        assert (request.fault, request.status, request.complete) == ("reset", None, False)
        session.get(emulator.url + "/v1/models")
        request = ended.get(timeout=5)
        assert (request.path, request.status, request.complete) == ("/v1/models", 200, True)
        assert request.ended is not None
    assert ended.empty()


def test_answers_come_in_order_and_then_the_backend_s(emulator: Emulator) -> None:
    emulator.answer("first one")
    emulator.answer(["sec", "ond"])
    body = PROMPT | {"stream": False}
    url = emulator.url + "/v1/chat/completions"
    answers = [requests.post(url, json=body).json()["choices"][0]["message"]["content"] for _ in range(3)]
    assert answers == ["first one", "second", "one two three"]


@pytest.mark.parametrize("text", ["", " ", "one", " one\n\n two ", "\u4f60\u597d  \U0001f600"])
def test_a_text_is_sent_word_by_word_and_whole(emulator: Emulator, text: str) -> None:
    emulator.answer(text)
    body = PROMPT | {"stream": False}
    answer = requests.post(emulator.url + "/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == text


def test_reset_puts_everything_back() -> None:
    with Emulator(pace=0) as emulator:
        url = emulator.url + "/v1/chat/completions"
        requests.post(url, json=PROMPT)
        emulator.answer("left over")
        emulator.fail("server_error")
        emulator.configure(framing="close", pace=1)
        emulator.stop_listening()
        emulator.reset()
        assert (emulator.requests, emulator.connections) == ([], 0)
        assert (emulator.settings.framing, emulator.settings.pace) == ("chunked", 0)
        response = requests.post(url, json=PROMPT)
        assert response.status_code == 200
        assert "left over" not in response.text
        assert emulator.connections == 1


def test_settings_can_change_while_answers_run(emulator: Emulator) -> None:
    emulator.configure(pace=0.02)
    with requests.post(emulator.url + "/v1/chat/completions", json=PROMPT, stream=True) as response:
        emulator.configure(newline="\r\n")
        assert b"\r\n" not in response.content
