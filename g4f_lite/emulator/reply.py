"""What a service answers, before it is put on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Hold bytes that are written at once; ``text`` marks a piece of the answer."""

    data: bytes
    text: bool = False


@dataclass(frozen=True)
class Pause:
    """Stop sending for ``seconds``; ``None`` is for as long as the client stays."""

    seconds: float | None = None


@dataclass(frozen=True)
class Break:
    """End the connection here, without the body's proper end; with ``reset`` by a TCP RST."""

    reset: bool = False


BodyItem = Piece | Pause | Break
Header = tuple[str, str]


@dataclass(frozen=True)
class Reply:
    """Describe one answer: its status, its headers, and its body as items in order.

    ``head_interval`` sends the status line and the headers byte by byte, that many seconds apart;
    ``inside_head`` happens when half of them is sent.
    A reply with its own ``Content-Encoding`` header is sent as it is.
    """

    status: int
    headers: Iterable[Header]
    body: Iterable[BodyItem]
    head_interval: float | None = None
    inside_head: Pause | Break | None = None


def json_reply(status: int, value: object, headers: Iterable[Header] = ()) -> Reply:
    """Answer with one JSON value."""
    return bytes_reply(status, "application/json", json.dumps(value).encode(), headers)


def html_reply(status: int, page: str, headers: Iterable[Header] = ()) -> Reply:
    """Answer with a page."""
    return bytes_reply(status, "text/html; charset=UTF-8", page.encode(), headers)


def bytes_reply(status: int, content_type: str, body: bytes, headers: Iterable[Header] = ()) -> Reply:
    """Answer with bytes that are all there at once."""
    return Reply(status, [("Content-Type", content_type), *headers], [Piece(body, text=True)])
