"""Every fault by name. A fault's first paragraph says what happens, its parameters are settings.

``after`` counts pieces of the answer: ``None`` is before the headers, ``"headers"`` in the middle
of them, 0 after the headers and before the first piece, ``"end"`` after the last byte but before
the body's proper end. An answer with fewer pieces is struck at its end. Seconds are seconds, sizes
are bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Literal

from .exchange import Exchange
from .record import ReceivedRequest
from .reply import BodyItem, Break, Header, Pause, Piece, Reply, bytes_reply, html_reply
from .service import FailureKind, Service

After = int | Literal["headers", "end"] | None

_MIB = 1024 * 1024
_CAP = 64 * _MIB
_BLOCK = 64 * 1024
_CHALLENGE_PAGE = """<!DOCTYPE html>
<html><head><title>Just a moment...</title></head>
<body><div class="cf-browser-verification cf-im-under-attack">
<h1>Checking your browser before accessing the site</h1>
<noscript>Enable JavaScript and cookies to continue</noscript>
<script src="/cdn-cgi/challenge-platform/orchestrate/chl_page/v1"></script></div></body></html>
"""


class Strike:
    """Hold the request that a fault strikes, and the reply that it would get."""

    def __init__(self, exchange: Exchange, service: Service) -> None:
        self.exchange = exchange
        self.service = service

    @property
    def request(self) -> ReceivedRequest:
        """Return the request."""
        return self.exchange.request

    def reply(self) -> Reply:
        """Let the service answer, which uses up a scripted answer."""
        return self.service.reply(self.exchange)


Fault = Callable[..., Reply]
FAULTS: dict[str, Fault] = {}


def _fault(kind: Fault) -> Fault:
    FAULTS[kind.__name__] = kind
    return kind


# Connections


@_fault
def refuse(strike: Strike) -> Reply:
    """Reset a new connection as soon as it is accepted; nth and times count connections.

    To close the port itself use ``Emulator.stop_listening``.
    """
    raise AssertionError("refused connections carry no request")


@_fault
def reset(strike: Strike, after: After = None) -> Reply:
    """Reset the connection (TCP RST)."""
    return _interrupt(strike, after, Break(reset=True))


@_fault
def cut(strike: Strike, after: After = None) -> Reply:
    """Close the connection without the body's proper end; before the headers: without a byte.

    A body that is delimited by the connection's end cannot be told from a complete one.
    """
    return _interrupt(strike, after, Break())


@_fault
def stall(strike: Strike, after: After = None, seconds: float | None = None) -> Reply:
    """Fall silent for ``seconds``, then go on; ``None`` is for as long as the client stays."""
    return _interrupt(strike, after, Pause(seconds))


@_fault
def drip(strike: Strike, part: Literal["headers", "body"] = "body", interval: float = 0.05) -> Reply:
    """Send the headers or the body byte by byte, ``interval`` seconds apart."""
    reply = strike.reply()
    if part == "headers":
        return Reply(reply.status, reply.headers, reply.body, head_interval=interval)
    return Reply(reply.status, reply.headers, _drip(reply.body, interval))


# Answers that stop, or that go on


@_fault
def end(strike: Strike, after: int | None = None) -> Reply:
    """End the body properly after some pieces (None: all), without the protocol's end marker."""
    reply = strike.reply()
    return Reply(reply.status, reply.headers, _first_pieces(reply.body, after))


@_fault
def truncate(strike: Strike, after: int = 0) -> Reply:
    """End the body properly in the middle of a piece; inside a UTF-8 character if it has one."""
    reply = strike.reply()
    return Reply(reply.status, reply.headers, _truncate(reply.body, after))


@_fault
def empty(strike: Strike) -> Reply:
    """Answer as the protocol says, with no text and no image in it."""
    strike.exchange.empty = True
    return strike.reply()


@_fault
def no_body(strike: Strike, status: int = 200) -> Reply:
    """Answer with the headers of an answer and no byte of a body."""
    return Reply(status, strike.reply().headers, [])


@_fault
def trailing(strike: Strike, size: int = _MIB) -> Reply:
    """Send ``size`` bytes of blank lines after the end marker, and then the body's proper end."""
    reply = strike.reply()
    return Reply(reply.status, reply.headers, _concatenate(reply.body, _blocks(b"\n", size)))


# Statuses


@_fault
def status(
    strike: Strike,
    status: int = 500,
    body: str | bytes = "<h1>Error</h1>",
    content_type: str = "text/html; charset=UTF-8",
    retry_after: float | str | None = None,
    headers: Iterable[Header] = (),
) -> Reply:
    """Answer with any status, headers and body."""
    data = body.encode() if isinstance(body, str) else body
    return bytes_reply(status, content_type, data, [*headers, *_retry_after(retry_after, False)])


@_fault
def rate_limit(strike: Strike, retry_after: float | None = None, date: bool = False, status: int = 429) -> Reply:
    """Answer 429, with Retry-After as seconds or, with ``date``, as an HTTP date."""
    headers = _retry_after(retry_after, date)
    return html_reply(status, "<h1>Too Many Requests</h1>", headers)


@_fault
def server_error(strike: Strike, status: int = 503, retry_after: float | None = None) -> Reply:
    """Answer 5xx with a page, as a proxy before the service does."""
    page = f"<h1>{status}</h1><p>The service is not available.</p>"
    return html_reply(status, page, _retry_after(retry_after, False))


@_fault
def redirect(strike: Strike, status: int = 302, location: str | None = None) -> Reply:
    """Redirect; by default to a path where nothing is."""
    target = location or strike.exchange.url("/elsewhere")
    return html_reply(status, "<h1>Moved</h1>", [("Location", target)])


@_fault
def challenge(strike: Strike, status: int = 403) -> Reply:
    """Answer with a bot-challenge page; sites do it with 200, 403 and 503."""
    return html_reply(status, _CHALLENGE_PAGE, [("Server", "cloudflare")])


# The service's own errors


@_fault
def error(strike: Strike, message: str | None = None, after: int | None = None, status: int | None = None) -> Reply:
    """Report the service's own error: as an answer, or as an event after some pieces."""
    return _fail(strike, "error", message, after, status)


@_fault
def limit(
    strike: Strike,
    message: str | None = None,
    after: int | None = None,
    status: int | None = None,
    retry_after: float | None = None,
) -> Reply:
    """Report a used-up rate limit in the service's own words.

    ``retry_after`` is for the OpenAI-compatible server, which says it in the form of its dialect.
    """
    strike.exchange.retry_after = retry_after
    return _fail(strike, "limit", message, after, status)


@_fault
def quota(strike: Strike, message: str | None = None, after: int | None = None, status: int | None = None) -> Reply:
    """Report a used-up quota in the service's own words."""
    return _fail(strike, "quota", message, after, status)


@_fault
def token(strike: Strike) -> Reply:
    """Refuse the token, nonce, cookie or key, whatever it is."""
    return strike.service.token_refused(strike.exchange)


@_fault
def success_false(
    strike: Strike, message: str | None = None, after: int | None = None, status: int | None = None
) -> Reply:
    """Reject the prompt in the service's own words; AI Engine's are ``success: false``."""
    return _fail(strike, "rejected", message, after, status)


# What breaks the protocol


@_fault
def not_json(strike: Strike, after: int = 0) -> Reply:
    """Damage one piece so that it is not JSON; the others stay as they are."""
    reply = strike.reply()
    return Reply(reply.status, reply.headers, _damage(reply.body, after))


@_fault
def wrong_types(strike: Strike, after: int = 0) -> Reply:
    """Replace the rest by an event of right syntax whose values have wrong types."""
    reply = strike.reply()
    wrong = Piece(strike.service.wrong_types(strike.exchange))
    return Reply(reply.status, reply.headers, _concatenate(_first_pieces(reply.body, after), [wrong]))


@_fault
def endless_line(strike: Strike, size: int = _CAP, after: int = 0) -> Reply:
    """Send a line of ``size`` bytes, and then cut the connection."""
    reply = strike.reply()
    line = _blocks(b"x", size)
    body = _concatenate(_first_pieces(reply.body, after), line, [Break()])
    return Reply(reply.status, reply.headers, body)


@_fault
def endless_headers(strike: Strike, size: int = _CAP) -> Reply:
    """Send ``size`` bytes of header lines before the answer."""
    reply = strike.reply()
    line = ("X-Filler", "x" * 1000)
    filler = (line for _ in range(size // 1012))
    return Reply(reply.status, _concatenate(filler, reply.headers), reply.body)


@_fault
def bomb(strike: Strike, size: int = _CAP) -> Reply:
    """Answer with a small gzip body that grows to ``size`` bytes, one line without an end."""
    headers = [*strike.reply().headers, ("Content-Encoding", "gzip")]
    return Reply(200, headers, _compressed(size))


# How they are made


def _interrupt(strike: Strike, after: After, item: Break | Pause) -> Reply:
    if after is None:
        if isinstance(item, Pause):
            strike.exchange.wait(item.seconds)
            return strike.reply()
        strike.exchange.hang_up(reset=item.reset)
    reply = strike.reply()
    if after == "headers":
        return Reply(reply.status, reply.headers, reply.body, inside_head=item)
    return Reply(reply.status, reply.headers, _insert(reply.body, after, item))


def _fail(strike: Strike, kind: FailureKind, message: str | None, after: int | None, status: int | None) -> Reply:
    if after is None:
        return strike.service.failure(strike.exchange, kind, message, status)
    reply = strike.reply()
    event = Piece(strike.service.failure_event(strike.exchange, kind, message))
    return Reply(reply.status, reply.headers, _concatenate(_first_pieces(reply.body, after), [event]))


def _retry_after(seconds: float | str | None, date: bool) -> list[Header]:
    if seconds is None:
        return []
    if date:
        moment = datetime.now(timezone.utc) + timedelta(seconds=float(seconds))
        return [("Retry-After", format_datetime(moment, usegmt=True))]
    return [("Retry-After", str(seconds))]


def _insert(body: Iterable[BodyItem], after: After, inserted: BodyItem) -> Iterator[BodyItem]:
    """Put an item behind so many pieces; what follows stays, because it counts in the length."""
    texts, done = 0, False
    for item in body:
        is_text = isinstance(item, Piece) and item.text
        if is_text and not done and texts == after:
            yield inserted
            done = True
        yield item
        texts += is_text
        if not done and isinstance(after, int) and 0 < after == texts:
            yield inserted
            done = True
    if not done:
        yield inserted


def _first_pieces(body: Iterable[BodyItem], count: int | None) -> Iterator[BodyItem]:
    """Return the first ``count`` pieces (None: all), and neither the rest nor the end marker."""
    texts, held = 0, list[BodyItem]()
    for item in body:
        if not (isinstance(item, Piece) and item.text):
            held.append(item)
            continue
        yield from held
        held.clear()
        if texts == count:
            return
        texts += 1
        yield item


def _truncate(body: Iterable[BodyItem], after: int) -> Iterator[BodyItem]:
    texts = 0
    for item in body:
        if isinstance(item, Piece) and item.text:
            if texts == after:
                data = item.data
                inside = next((n for n, byte in enumerate(data) if byte >= 0x80), len(data) // 2)
                yield Piece(data[: inside + 1], text=True)
                return
            texts += 1
        yield item


def _damage(body: Iterable[BodyItem], after: int) -> Iterator[BodyItem]:
    texts = 0
    for item in body:
        if isinstance(item, Piece) and item.text:
            if texts == after:
                item = Piece(item.data.replace(b'"', b"'"), text=True)
            texts += 1
        yield item


def _drip(body: Iterable[BodyItem], interval: float) -> Iterator[BodyItem]:
    for item in body:
        if not isinstance(item, Piece):
            yield item
            continue
        for position in range(len(item.data)):
            yield Piece(item.data[position : position + 1], item.text)
            yield Pause(interval)


def _blocks(byte: bytes, size: int) -> Iterator[BodyItem]:
    block = Piece(byte * _BLOCK)
    for _ in range(size // _BLOCK):
        yield block
    yield Piece(byte * (size % _BLOCK))


def _compressed(size: int) -> Iterator[BodyItem]:
    compressor = zlib.compressobj(wbits=31)
    for block in _blocks(b" ", size):
        if isinstance(block, Piece):
            yield Piece(compressor.compress(block.data))
    yield Piece(compressor.flush())


def _concatenate(*parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        yield from part
