"""What stands before an answer by mistake, or a tag at its beginning, hides nothing of it."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Iterator

import pytest
import requests

from g4f_lite import Body, Finish, OpenAICompatible, Prompt, Provider, ResponseFormatError, ServiceError

from .raw_server import Connection, RawServer, chunk, every, head, length

ANSWER = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}'
REFUSAL = b'{"error":{"message":"no such thing","type":"invalid_request_error"}}'
PAGE = b"<!DOCTYPE html><h1>Hello</h1>"


def _ask(server: RawServer) -> str:
    with OpenAICompatible(server.url, model="any") as provider:
        return provider.create(messages="Hello")


def _in_pieces(*pieces: bytes, fields: tuple[str, ...] = ()) -> RawServer:
    """Serve each piece so that it is read by itself."""

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked", "Connection: close", *fields))
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


class Plain(Provider):
    """Reads text as it comes."""

    url = "http://plain.example"

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/say", json=prompt.messages)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield from codecs.iterdecode(body, "utf-8", "replace")
        yield Finish()


@pytest.mark.beside
@pytest.mark.parametrize(
    "pieces", [(b"<", b"b>x</b>"), (b"\r\n", b"<", b"!", b"-- a", b" --", b">", b" text"), (b"<",)]
)
def test_a_plain_text_that_begins_with_a_tag_is_whole(pieces: tuple[bytes, ...]) -> None:
    with _in_pieces(*pieces, fields=("Content-Type: text/plain",)) as server, Plain(base_url=server.url) as provider:
        assert provider.ask("Hello") == b"".join(pieces).decode()


@pytest.mark.beside
@pytest.mark.parametrize("pieces", [(b"<", b"!doc", b"type html>"), (b"<!--", b" a -->", b"<h", b"tml>")])
def test_a_page_in_pieces_is_found_under_the_type_of_plain_text(pieces: tuple[bytes, ...]) -> None:
    site = _in_pieces(*pieces, fields=("Content-Type: text/plain",))
    with site as server, Plain(base_url=server.url) as provider, pytest.raises(ResponseFormatError, match="web page"):
        provider.ask("Hello")


def test_a_plain_text_that_begins_with_a_tag_is_not_withheld() -> None:
    read, in_time = threading.Event(), []

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked", "Connection: close", "Content-Type: text/plain"))
        connection.send(chunk(b"<3"))
        in_time.append(read.wait(10))
        connection.send(chunk(b" is a heart") + b"0\r\n\r\n")

    with RawServer(answer) as server, Plain(base_url=server.url) as provider:
        stream = provider.stream("Hello")
        pieces = [next(stream)]
        read.set()
        assert [*pieces, *stream] == ["<3", " is a heart"]
    assert in_time == [True]
