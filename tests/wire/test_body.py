"""Bytes reach the caller as they come, in every framing, and a cut is told from an end."""

from __future__ import annotations

import gzip
import itertools
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3

from g4f_lite.errors import DeadlineExceededError, G4FLiteError, ResponseFormatError, TransportError
from g4f_lite.http import body as body_module
from g4f_lite.http import iter_events, iter_lines
from g4f_lite.http.body import Body

from .conftest import Provide
from .raw_server import PATIENCE, Connection, RawServer, chunk, chunked, every, head, length

LINES = [b"one", "zwei Å ✅ \u0085".encode(), b"", b"four"]
FRAMINGS = ["chunked", "length", "close", "gzip", "gzip chunked", "deflate", "one chunk"]


def _pieces(framing: str) -> tuple[bytes, list[bytes], bytes]:
    """Give the head of an answer, its lines as they are written, and what ends it."""
    lines = [line + b"\n" for line in LINES]
    if framing == "chunked":
        return head("Transfer-Encoding: chunked"), [chunk(line) for line in lines], b"0\r\n\r\n"
    if framing == "one chunk":  # whose size is announced first
        whole = b"".join(lines)
        return head("Transfer-Encoding: chunked") + b"%x\r\n" % len(whole), lines, b"\r\n0\r\n\r\n"
    if framing == "length":
        return head(f"Content-Length: {sum(map(len, lines))}"), lines, b""
    if framing == "close":
        return head("Connection: close"), lines, b""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | (0 if framing == "deflate" else 16))
    packed = [packer.compress(line) + packer.flush(zlib.Z_SYNC_FLUSH) for line in lines]
    if framing == "gzip chunked":
        packed = [chunk(piece) for piece in packed]
        end = chunk(packer.flush()) + b"0\r\n\r\n"
        return head("Content-Encoding: gzip", "Transfer-Encoding: chunked"), packed, end
    return head(f"Content-Encoding: {framing}", "Connection: close"), packed, packer.flush()


def _get(server: RawServer, session: requests.Session, timeout: float = PATIENCE) -> requests.Response:
    return session.get(server.url, stream=True, timeout=timeout)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(params=["as it is", "public way only"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read with http.client's own response where it can be had, and as if it could not."""
    if request.param == "public way only":
        nothing_known = SimpleNamespace(client=SimpleNamespace(HTTPResponse=()))
        monkeypatch.setattr(body_module, "http", nothing_known)
    return str(request.param)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_line_comes_as_soon_as_its_last_byte_has(framing: str, session: requests.Session, reading: str) -> None:
    top, pieces, end = _pieces(framing)

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(top)
        for piece in pieces:  # each only after the one before was read: what is withheld stops the test
            connection.send(piece)
            assert connection.server.go.wait(PATIENCE), "the line was withheld"
            connection.server.go.clear()
        connection.send(end)

    with RawServer(answer) as server, _get(server, session) as response:
        got = []
        for line in iter_lines(response):
            got.append(line)
            server.go.set()
        assert got == LINES


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_events_in_one_packet_come_at_once_and_before_the_next_read(framing: str, session: requests.Session) -> None:
    events = b"".join(b"data: %d\n\n" % number for number in range(50))

    def answer(connection: Connection) -> None:
        connection.request()
        if framing == "chunked":
            connection.send(head("Transfer-Encoding: chunked") + chunk(events))
        elif framing == "length":
            connection.send(head("Content-Length: 100000") + events)
        else:
            connection.send(head() + events)
        connection.server.go.wait(PATIENCE)
        connection.reset()

    with RawServer(answer) as server, _get(server, session) as response:
        got = [event.data for event in itertools.islice(iter_events(iter_lines(response)), 50)]
        assert got == [str(number) for number in range(50)]
        server.go.set()


def test_the_usual_way_is_http_clients_own_and_ends_with_the_public_one(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    public = urllib3.HTTPResponse.read1
    monkeypatch.setattr(
        urllib3.HTTPResponse, "read1", lambda self, size, **more: asked.append(size) or public(self, size, **more)
    )
    with RawServer(every(chunked(b"a\n", b"b\n"))) as server, _get(server, session) as response:
        assert list(iter_lines(response)) == [b"a", b"b"]
        assert asked == [1]


@pytest.mark.parametrize("framing", ["chunked", "length", "gzip length", "empty", "no content"])
def test_a_body_read_to_its_end_gives_the_connection_back(
    framing: str, session: requests.Session, reading: str
) -> None:
    packed = gzip.compress(b"a\nb\n")
    answer, lines = {
        "chunked": (chunked(b"a\n", b"b\n"), [b"a", b"b"]),
        "length": (length(b"a\nb\n"), [b"a", b"b"]),
        "gzip length": (length(packed, "Content-Encoding: gzip"), [b"a", b"b"]),
        "empty": (length(b""), []),
        "no content": (head(status="204 No Content"), []),
    }[framing]
    with RawServer(every(answer)) as server:
        for _ in range(3):
            body = Body(_get(server, session))
            assert list(body.lines()) == lines
            assert body.complete
        assert server.connections == 1


def test_chunk_extensions_and_trailers_are_no_content(session: requests.Session, reading: str) -> None:
    answer = head("Transfer-Encoding: chunked") + b"2;name=value\r\na\n\r\n0\r\nX-Trailer: yes\r\n\r\n"
    with RawServer(every(answer)) as server:
        for _ in range(2):
            assert list(iter_lines(_get(server, session))) == [b"a"]
        assert server.connections == 1


TRUNCATED: dict[str, tuple[bytes, ...]] = {
    "in a chunk": (head("Transfer-Encoding: chunked"), b"a\r\nab\n"),
    "after a chunk": (head("Transfer-Encoding: chunked"), chunk(b"ab\n")),
    "in a chunk's size": (head("Transfer-Encoding: chunked"), chunk(b"ab\n"), b"1"),
    "at what is no chunk size": (head("Transfer-Encoding: chunked"), chunk(b"ab\n"), b"xyz\r\n"),
    "before the last chunk's end": (head("Transfer-Encoding: chunked"), chunk(b"ab\n"), b"\r\n"),
    "short of its length": (head("Content-Length: 10"), b"ab\n"),
}


@pytest.mark.product
@pytest.mark.parametrize("where", TRUNCATED)
@pytest.mark.parametrize("by", ["close", "reset"])
def test_a_cut_body_is_an_error_after_what_came(where: str, by: str, session: requests.Session, reading: str) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(*TRUNCATED[where])
        assert connection.server.go.wait(PATIENCE)
        if by == "reset":
            connection.reset()

    with RawServer(answer) as server:
        body = Body(_get(server, session))
        lines = body.lines()
        assert next(lines) == b"ab"
        server.go.set()
        with pytest.raises(TransportError) as caught:
            list(lines)
        assert caught.value.cause == "connection"
        assert caught.value.__cause__ is not None
        assert not body.complete
        body.close()


@pytest.mark.skipif(os.name == "nt", reason="Wine takes a reset for the end")
def test_a_reset_close_delimited_body_is_an_error_too(session: requests.Session) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head(), b"ab\n")
        assert connection.server.go.wait(PATIENCE)
        connection.reset()

    with RawServer(answer) as server:
        lines = iter_lines(_get(server, session))
        assert next(lines) == b"ab"
        server.go.set()
        with pytest.raises(TransportError):
            next(lines)


def test_a_cut_close_delimited_body_looks_like_an_end(session: requests.Session) -> None:
    with RawServer(lambda c: (c.request(), c.send(head(), b"ab\ncd"))) as server:
        assert list(iter_lines(_get(server, session))) == [b"ab", b"cd"]


BROKEN: dict[str, Callable[[], bytes]] = {
    "no gzip": lambda: length(b"hello", "Content-Encoding: gzip"),
    "damaged gzip": lambda: length(gzip.compress(b"hello" * 100)[:10] + b"\xff" * 20, "Content-Encoding: gzip"),
    "a long chunk size": lambda: head("Transfer-Encoding: chunked") + b"0" * 100_000,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_http_is_a_format_error(kind: str, session: requests.Session) -> None:
    serve = lambda c: (c.request(), c.send(BROKEN[kind]()))  # noqa: E731
    with RawServer(serve) as server, _get(server, session) as response, pytest.raises(ResponseFormatError):
        list(iter_lines(response))


def test_a_line_without_end_is_stopped(session: requests.Session) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(head())
        while True:
            connection.send(b"x" * 65536)

    too_long = pytest.raises(ResponseFormatError, match="1,048,576 bytes")
    with RawServer(answer) as server, _get(server, session) as response, too_long:
        list(iter_lines(response))


def test_a_bomb_is_stopped_before_it_fills_the_memory(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_module, "MAX_DECODED_BYTES", 1_000_000)
    bomb = gzip.compress(b"\n" * 5_000_000)
    with RawServer(every(length(bomb, "Content-Encoding: gzip"))) as server, _get(server, session) as response:
        sizes: list[int] = []
        with pytest.raises(ResponseFormatError, match="1,000,000"):
            sizes.extend(len(got) for got in Body(response))
        assert max(sizes) <= 65536
        assert sum(sizes) <= 1_000_000


@pytest.mark.parametrize("name", ["brotli", "brotlicffi"])
@pytest.mark.parametrize("method", ["process", "decompress"])
def test_brotli_is_read_only_where_it_can_be_bounded(
    name: str, method: str, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bounded(self: object, data: bytes, output_buffer_limit: int = -1) -> bytes:
        return b""

    def unbounded(self: object, data: bytes) -> bytes:
        return b""

    def read(decompress: Callable[..., bytes]) -> bytes:
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(Decompressor=type("", (), {method: decompress})))
        body_module.brotli_has_limit.cache_clear()
        with _get(server, session) as response:
            return Body(response).read()

    monkeypatch.setitem(sys.modules, "brotlicffi", None)
    with RawServer(every(length(b"as sent", "Content-Encoding: br"))) as server:
        assert read(bounded) == b"as sent"  # urllib3, which has found neither, decompresses nothing
        with pytest.raises(ResponseFormatError, match=r"brotli>=1\.2"):
            read(unbounded)
    body_module.brotli_has_limit.cache_clear()


@pytest.mark.parametrize("limit", [5, 4])
def test_reading_whole_is_bounded(limit: int, session: requests.Session) -> None:
    with RawServer(every(length(b"12345"))) as server, _get(server, session) as response:
        body = Body(response)
        if limit == 5:
            assert body.read(limit) == b"12345"
        else:
            with pytest.raises(ResponseFormatError, match="more than 4 bytes"):
                body.read(limit)


def test_peek_takes_nothing_away(session: requests.Session) -> None:
    with RawServer(every(chunked(b"a", b"b\nc"))) as server, _get(server, session) as response:
        body = Body(response)
        assert body.peek() == body.peek() == b"a"
        assert list(body.lines()) == [b"ab", b"c"]


def test_the_beginning_of_a_cut_body_is_given_for_messages(session: requests.Session) -> None:
    with RawServer(lambda c: (c.request(), c.send(head("Content-Length: 10"), b"abc"))) as server:
        assert Body(_get(server, session)).beginning(100) == b"abc"


def test_silence_is_a_read_limit(session: requests.Session) -> None:
    serve = lambda c: (c.request(), c.send(head(), b"a\n"), c.silence())  # noqa: E731
    with RawServer(serve) as server, _get(server, session, timeout=0.3) as response:
        lines = iter_lines(response)
        assert next(lines) == b"a"
        with pytest.raises(DeadlineExceededError) as caught:
            next(lines)
        assert caught.value.limit == "read"


@pytest.mark.parametrize("text", [b"{", b"", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"1" * 5000])
def test_what_is_no_json_is_a_format_error(text: bytes, session: requests.Session) -> None:
    with RawServer(every(length(text))) as server, _get(server, session) as response:
        with pytest.raises(G4FLiteError) as caught:
            Body(response).json()
        assert type(caught.value) is ResponseFormatError
        assert len(str(caught.value)) < 400


def test_a_raw_file_without_read1_is_read_too() -> None:
    class Plain:
        def __init__(self) -> None:
            self.rest = [b"a\nb", b"\nc"]

        def read(self, size: int) -> bytes:
            return self.rest.pop(0) if self.rest else b""

        def close(self) -> None: ...

    response: Any = requests.Response()
    response.status_code, response.raw, response.url = 200, Plain(), "http://example.test/"
    assert list(iter_lines(response)) == [b"a", b"b", b"c"]


def test_encodings_that_are_too_many_are_told_where_there_is_no_body(provide: Provide) -> None:
    coded = ", ".join(["gzip"] * 50)
    answer = f"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {coded}\r\n\r\n0\r\n\r\n".encode()
    with RawServer(every(answer)) as server, pytest.raises(ResponseFormatError, match="Too many content encodings"):
        provide(server).create(messages="hi")


def test_two_lengths_are_the_servers_fault_and_not_the_requests(provide: Provide) -> None:
    answer = head("Content-Length: 1", "Content-Length: 2") + b"ab"
    with RawServer(every(answer)) as server, pytest.raises(ResponseFormatError, match="not an HTTP answer"):
        provide(server).create(messages="hi")
