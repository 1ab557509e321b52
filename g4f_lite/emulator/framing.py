"""Put a reply on the wire: write sizes, compression, framing."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from .record import ReceivedRequest
from .reply import BodyItem, Break, Header, Pause, Piece, Reply
from .settings import Encoding, Settings
from .wire import ClientGone, Wire

_HEAD_WRITE_SIZE = 64 * 1024
# zlib's window bits choose the container: 16 more than the window is gzip, the bare window is the
# zlib format, which is what "deflate" names in HTTP (RFC 9110, 8.4.1.2).
_WINDOW_BITS: dict[Encoding, int] = {"gzip": 31, "deflate": 15}


def send_reply(wire: Wire, request: ReceivedRequest, reply: Reply, settings: Settings) -> bool:
    """Send ``reply``; tell whether the connection can serve another request.

    What is sent, and when, is recorded in ``request``.

    :raises OSError: if the connection ended, by the client, by the emulator, or by the reply
    """
    client_closes = request.headers.get("Connection", "").lower() == "close"
    framing = settings.framing
    if client_closes and framing == "chunked":
        framing = "close"
    keep = settings.keep_alive and not client_closes and framing != "close"

    items: Iterable[BodyItem] = reply.body
    if settings.write_size is not None:
        items = rewrite(items, settings.write_size)
    extra: list[Header] = []
    if settings.encoding is not None and not _own_encoding(reply):
        items = compress(items, settings.encoding, flush=settings.flush)
        extra.append(("Content-Encoding", settings.encoding))
    if framing == "length":
        items = list(items)
        length = sum(len(item.data) for item in items if isinstance(item, Piece))
        extra.append(("Content-Length", str(length)))
    elif framing == "chunked":
        extra.append(("Transfer-Encoding", "chunked"))
    extra.append(("Connection", "keep-alive" if keep else "close"))

    request.status = reply.status
    _send_head(wire, reply, extra)
    first_delay = settings.first_delay if request.step == "prompt" else 0.0
    _send_body(wire, request, items, settings.pace, first_delay, chunked=framing == "chunked")
    request.complete = True
    return keep


def rewrite(items: Iterable[BodyItem], size: int) -> Iterator[BodyItem]:
    """Cut and join pieces to ``size`` bytes each; the last one before a pause or the end may be smaller."""
    held, text = b"", False
    for item in items:
        if not isinstance(item, Piece):
            if held:
                yield Piece(held, text)
                held, text = b"", False
            yield item
            continue
        held, text = held + item.data, text or item.text
        while len(held) >= size:
            yield Piece(held[:size], text)
            held = held[size:]
            text = text and bool(held)
    if held:
        yield Piece(held, text)


def compress(items: Iterable[BodyItem], encoding: Encoding, *, flush: bool) -> Iterator[BodyItem]:
    """Compress the pieces as one stream; ``flush`` makes each decodable when it arrives."""
    compressor = zlib.compressobj(wbits=_WINDOW_BITS[encoding])
    for item in items:
        if not isinstance(item, Piece):
            yield item
            continue
        data = compressor.compress(item.data)
        if flush:
            data += compressor.flush(zlib.Z_SYNC_FLUSH)
        yield Piece(data, item.text)
    yield Piece(compressor.flush())


def _own_encoding(reply: Reply) -> bool:
    return isinstance(reply.headers, list) and any(name.lower() == "content-encoding" for name, _ in reply.headers)


def _send_head(wire: Wire, reply: Reply, extra: list[Header]) -> None:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    pending = f"HTTP/1.1 {reply.status} {phrase}\r\n".encode("latin-1")
    for name, value in extra:
        pending += f"{name}: {value}\r\n".encode("latin-1")
    for name, value in reply.headers:
        pending += f"{name}: {value}\r\n".encode("latin-1")
        if len(pending) > _HEAD_WRITE_SIZE:
            wire.send(pending)
            pending = b""
    pending += b"\r\n"
    if reply.inside_head is not None:
        middle = len(pending) // 2
        wire.send(pending[:middle])
        pending = pending[middle:]
        _interrupt(wire, reply.inside_head)
    if reply.head_interval is None:
        wire.send(pending)
        return
    for position in range(len(pending)):
        wire.send(pending[position : position + 1])
        wire.wait(reply.head_interval)


def _send_body(
    wire: Wire,
    request: ReceivedRequest,
    items: Iterable[BodyItem],
    pace: float,
    first_delay: float,
    *,
    chunked: bool,
) -> None:
    due: float | None = None
    for item in items:
        if not isinstance(item, Piece):
            _interrupt(wire, item)
            due = None
        elif item.data:
            if first_delay:
                wire.wait(first_delay)
                first_delay = 0.0
            if item.text and pace:
                # Against a schedule, so that the time a piece takes to send does not add up.
                now = time.monotonic()
                if due is not None and due > now:
                    wire.wait(due - now)
                due = max(due or now, now - pace) + pace
            if item.text and request.first_piece is None:
                request.first_piece = time.monotonic()
            wire.send(b"%x\r\n%b\r\n" % (len(item.data), item.data) if chunked else item.data)
    if chunked:
        wire.send(b"0\r\n\r\n")


def _interrupt(wire: Wire, item: Pause | Break) -> None:
    if isinstance(item, Pause):
        wire.wait(item.seconds)
        return
    if item.reset:
        wire.reset()
    raise ClientGone("a fault ended the connection")
