"""How the emulator frames its answers, and what it takes for a request."""

from __future__ import annotations

import gzip
import socket
import zlib
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

from .clients import connect, prompt_bytes, receive_all


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


# Answers


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
        (b"GET //[x HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_bad_requests(emulator: Emulator, request_bytes: bytes, status: int) -> None:
    with connect(emulator) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(65536).startswith(b"HTTP/1.1 %d " % status)
    assert emulator.requests == []


def test_json_that_is_nested_too_deeply(emulator: Emulator) -> None:
    response = requests.post(f"{emulator.url}/v1/chat/completions", data=b"[" * 100_000)
    assert response.status_code == 400


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
