"""What stands before an answer by mistake, a byte order mark or blank lines, hides nothing of it."""

from __future__ import annotations

import pytest

from g4f_lite import OpenAICompatible, ResponseFormatError, ServiceError

from .raw_server import Connection, RawServer, chunk, every, head, length

ANSWER = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}'
REFUSAL = b'{"error":{"message":"no such thing","type":"invalid_request_error"}}'
PAGE = b"<!DOCTYPE html><h1>Hello</h1>"


def _ask(server: RawServer) -> str:
    with OpenAICompatible(server.url, model="any") as provider:
        return provider.create(messages="Hello")


def _in_pieces(*pieces: bytes) -> RawServer:
    """Serve each piece so that it is read by itself."""

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked", "Connection: close"))
        for piece in pieces:
            connection.send(chunk(piece))
            connection.server.ending.wait(0.02)
        connection.send(b"0\r\n\r\n")

    return RawServer(answer)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\n ", b"\xef\xbb\xbf\n"])
def test_an_answer_is_found_behind_them(before: bytes) -> None:
    with _in_pieces(before, ANSWER) as server:
        assert _ask(server) == "Hello"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\n "])
def test_a_web_page_is_found_behind_them(before: bytes) -> None:
    with _in_pieces(before, PAGE) as server, pytest.raises(ResponseFormatError, match="web page"):
        _ask(server)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\n "])
def test_a_services_own_error_is_found_behind_them(before: bytes) -> None:
    refusal = length(before + REFUSAL, status="400 Bad Request")
    with RawServer(every(refusal)) as server, pytest.raises(ServiceError, match="no such thing"):
        _ask(server)
