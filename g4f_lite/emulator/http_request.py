"""Read one HTTP/1.1 request from a connection."""

from __future__ import annotations

import time
from http.client import HTTPMessage
from urllib.parse import parse_qsl, urlsplit

from .record import ReceivedRequest
from .wire import TooMuch, Wire

_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 64 * 1024 * 1024


class BadRequest(ValueError):
    """A request that is answered with ``status`` before any service sees it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_request(wire: Wire, *, reused: bool) -> ReceivedRequest | None:
    """Read the next request; ``None`` if the client closed the connection instead."""
    try:
        head = wire.read_until(b"\r\n\r\n", _HEAD_LIMIT)
    except TooMuch as error:
        raise BadRequest(431, str(error)) from error
    if not head:
        return None
    request_line, *header_lines = head[:-4].decode("latin-1").split("\r\n")
    try:
        method, target, version = request_line.split(" ")
    except ValueError as error:
        raise BadRequest(400, "expected an HTTP request line") from error
    headers = _parse_headers(header_lines)
    if version == "HTTP/1.0":
        # An HTTP/1.0 client knows neither chunks nor keep-alive.
        del headers["Connection"]
        headers["Connection"] = "close"
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise BadRequest(400, "the target of the request is not a URL") from error
    query: dict[str, str] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        query.setdefault(name, value)
    return ReceivedRequest(
        method=method,
        path=url.path,
        query=query,
        headers=headers,
        body=_read_body(wire, headers),
        connection=wire.number,
        reused=reused,
        started=time.monotonic(),
    )


def _parse_headers(lines: list[str]) -> HTTPMessage:
    headers = HTTPMessage()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "a header line without a name")
        headers[name] = value.strip()
    return headers


def _read_body(wire: Wire, headers: HTTPMessage) -> bytes:
    if "Transfer-Encoding" in headers:
        raise BadRequest(411, "the emulator reads bodies by Content-Length only")
    length = headers.get("Content-Length", "0")
    if not length.isdecimal():
        raise BadRequest(400, "Content-Length is not a number")
    size = int(length[:20])  # of which the first twenty digits are enough to be too many
    if size > _BODY_LIMIT:
        raise BadRequest(413, f"a body of more than {_BODY_LIMIT} bytes")
    if headers.get("Expect", "").lower() == "100-continue":
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return wire.read_exactly(size)
