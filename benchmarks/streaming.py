"""What a piece of a streamed answer costs: processor time, delay, and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from .clients import BARE, HELLO, OURS
from .server import FLOOD_TEXT, piece
from .subject import Subject, count, memory, url
from .table import Numbers

FRAMINGS = {
    "chunked": "chunked",
    "length": "Content-Length",
    "close": "close-delimited",
    "gzip": "flushed gzip",
    "batch": "one big chunk",
}
GIGABYTE = 10**9


def cpu_per_piece(subject: Subject) -> Numbers:
    """Processor time of the client's process for each piece of an answer of 10,000 pieces."""
    root, pieces = subject.roots["http"], 10_000
    count(subject.stream(url(root, "chunked", 100)))
    began = time.process_time()
    assert count(subject.stream(url(root, "chunked", pieces))) == pieces
    return {"µs": (time.process_time() - began) / pieces * 1e6}


def delivery(subject: Subject) -> Numbers:
    """Milliseconds from when the server sends a piece to when the caller has it, at a pace of 10 ms: the median piece
    of an answer.  In one big chunk the pieces come at once, so that their delay is the time it takes to read them."""
    numbers = {}
    for framing, name in FRAMINGS.items():
        count(subject.stream(url(subject.roots["http"], framing, 2)))
        pieces = subject.stream(url(subject.roots["http"], framing, 25, 10))
        numbers[f"{name}, ms"] = statistics.median(time.monotonic() - float(text) for text in pieces) * 1000
    return numbers


def long_stream(subject: Subject) -> Numbers:
    """An answer of 1 GB in pieces of 1 kB, iterated and thrown away: megabytes a second, and by how many megabytes the
    resident memory grows at most."""
    return _flood(subject, lambda: subject.stream(_flood_url(subject)))


def long_lines(subject: Subject) -> Numbers:
    """The lines of the same body: `g4f_lite.http.iter_lines`, and `Response.iter_lines` with a buffer of 64 KiB."""
    return _flood(subject, lambda: _lines(subject))


def _flood(subject: Subject, read: Callable[[], Iterator[object]]) -> Numbers:
    count(subject.stream(url(subject.roots["http"], "chunked", 100)))
    before, _ = memory()
    began = time.perf_counter()
    assert count(read()) >= GIGABYTE // len(piece(FLOOD_TEXT))
    seconds = time.perf_counter() - began
    return {"MB/s": GIGABYTE / 1e6 / seconds, "growth, MB": max(0.0, memory()[1] - before)}


def _flood_url(subject: Subject) -> str:
    return url(subject.roots["http"], "flood", GIGABYTE // len(piece(FLOOD_TEXT)))


def _lines(subject: Subject) -> Iterator[bytes]:
    import requests

    asked = {"model": "m", "messages": HELLO, "stream": True}
    response = requests.post(_flood_url(subject) + "/chat/completions", json=asked, stream=True)
    if subject.name == OURS:
        from g4f_lite.http import iter_lines

        return iter_lines(response)
    assert subject.name == BARE
    return response.iter_lines(chunk_size=65536)
