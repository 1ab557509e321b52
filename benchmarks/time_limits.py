"""How long after its time, or after it was ended, a call that waits goes on; wherever it waits."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .clients import OURS
from .table import Bar, Numbers

Answer = Callable[[socket.socket], object]

TOTAL, WITHIN = 1.0, 0.25  # seconds
PACE = 0.02  # of a drip: seconds between two bytes
PATIENCE = 10.0

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)

# Where the server stops: what it sends at once, and what it then sends byte by byte, or not at all.
PLACES: dict[str, tuple[bytes, bytes]] = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n" * 50),
    "chunked body": (CHUNKED + CHUNK + b"ffff\r\n", b": keep-alive\n" * 50),
    "chunk size": (CHUNKED + CHUNK, b"0" * 500),
    "Content-Length body": (LENGTH + EVENT, b": keep-alive\n" * 50),
    "close-delimited body": (CLOSE + EVENT, b": keep-alive\n" * 50),
}
BUSY = b"HTTP/1.1 503 Busy\r\n%sContent-Length: 0\r\n\r\n"
HANDSHAKE = b"\x16\x03\x03\x40\x00\x02" + b"\x00" * 500  # the beginning of a long server hello
BOUND = b"\x05\x00\x00\x03\xff" + b"a" * 255  # a SOCKS proxy's answer with a long name

RETRIES = ("retry sleeps", "a long Retry-After")
WAITS = [
    *(f"{place}, {manner}" for place in PLACES for manner in ("silence", "drip")),
    *(
        f"{where}, {manner}"
        for where in ("TLS handshake", "HTTP proxy", "SOCKS proxy")
        for manner in ("silence", "drip")
    ),
    *RETRIES,
]
OVERRUN_BARS = {f"{wait}, s": [Bar(WITHIN)] for wait in WAITS}
ENDING_BARS = {f"{how}, {which}, s": [Bar(WITHIN)] for how in ("close()", "Ctrl-C") for which in ("median", "worst")}


def overruns() -> dict[str, Numbers]:
    """Seconds beyond `timeout=1` until a call raises, against silence and against a byte every 20 ms, in each place
    where a call can wait; 0 where it raises before, as it does when a wait cannot fit."""
    return {OURS: {f"{wait}, s": max(0.0, _seconds_of(wait) - TOTAL) for wait in WAITS}}


def endings() -> dict[str, Numbers]:
    """Seconds from `close()` in another thread, and from Ctrl-C, until the call that waits has raised: in each of the
    same places."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is started in the background ignores it
    waits = [wait for wait in WAITS if wait != "a long Retry-After"]
    closed = [_seconds_to_close(wait) for wait in waits]
    interrupted = [_seconds_to_interrupt(wait) for wait in waits]
    numbers = {}
    for how, seconds in (("close()", closed), ("Ctrl-C", interrupted)):
        numbers[f"{how}, median, s"] = statistics.median(seconds)
        numbers[f"{how}, worst, s"] = max(seconds)
    return {OURS: numbers}


def _seconds_of(wait: str) -> float:
    """Give how long a call with the time limit takes to raise."""
    with _waiting_call(wait, timeout=TOTAL) as (stream, _):
        began = time.perf_counter()
        error = _error_of(stream)
        seconds = time.perf_counter() - began
    assert error == "DeadlineExceededError" or wait in RETRIES, f"{wait}: {error}"
    return seconds


def _seconds_to_close(wait: str) -> float:
    with _waiting_call(wait, timeout=PATIENCE) as (stream, asked):
        ended: list[float] = []
        errors: list[str] = []

        def read() -> None:
            errors.append(_error_of(stream))
            ended.append(time.perf_counter())

        reader = threading.Thread(target=read)
        reader.start()
        asked.wait(PATIENCE)
        time.sleep(0.1)  # it waits by now
        began = time.perf_counter()
        stream.close()
        reader.join()
    assert errors == ["StreamInterruptedError"], f"{wait}: {errors}"
    return ended[0] - began


def _seconds_to_interrupt(wait: str) -> float:
    with _waiting_call(wait, timeout=PATIENCE) as (stream, asked):
        sent: list[float] = []

        def interrupt() -> None:
            asked.wait(PATIENCE)
            time.sleep(0.1)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            error = _error_of(stream)
        except KeyboardInterrupt:
            return time.perf_counter() - sent[0]
        raise AssertionError(f"{wait}: {error}")


def _error_of(stream: Any) -> str:
    """Read a stream until it raises, as it must; give the name of what it raised."""
    from g4f_lite import G4FLiteError

    try:
        for _ in stream:
            pass
    except G4FLiteError as error:
        return type(error).__name__
    return "it ended well"


@contextlib.contextmanager
def _waiting_call(wait: str, *, timeout: float) -> Iterator[tuple[Any, threading.Event]]:
    """Give a call that is going to wait in this place, and an event for when it has reached it."""
    from g4f_lite import OpenAICompatible, RetryPolicy

    place, _, manner = wait.partition(", ")
    settings: dict[str, Any] = {"retry": None}
    with _server(_answer(place, manner == "drip")) as (port, asked):
        address = f"http://127.0.0.1:{port}"
        if place == "TLS handshake":
            address = f"https://127.0.0.1:{port}"
        elif place == "HTTP proxy":
            address, settings["proxy"] = "https://service.test", address
        elif place == "SOCKS proxy":
            address, settings["proxy"] = "http://service.test", f"socks5h://127.0.0.1:{port}"
        elif place in RETRIES:
            settings["retry"] = RetryPolicy(attempts=100, backoff=2.0)
        with OpenAICompatible(address, model="m", timeout=timeout, **settings) as provider:
            stream = provider.create_generator(messages="Hello")
            yield stream, asked
            stream.close()


def _answer(place: str, drips: bool) -> Answer:
    """Choose what the server does with a connection."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        if place == "retry sleeps":
            connection.sendall(BUSY % b"")
            return
        if place == "a long Retry-After":
            connection.sendall(BUSY % b"Retry-After: 30\r\n")
            return
        at_once, then = PLACES.get(place, (b"", b""))
        if place == "SOCKS proxy":
            connection.sendall(b"\x05\x00")
            connection.recv(65536)
            then = BOUND
        elif place == "TLS handshake":
            then = HANDSHAKE
        elif place == "HTTP proxy":
            then = b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 50
        connection.sendall(at_once)
        for position in range(len(then) if drips else 0):
            connection.sendall(then[position : position + 1])
            time.sleep(PACE)
        while connection.recv(65536):  # until the client goes
            pass

    return serve


@contextlib.contextmanager
def _server(answer: Answer) -> Iterator[tuple[int, threading.Event]]:
    """Serve each connection so, in a thread; give the port, and an event for the first connection."""
    asked = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            asked.set()
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # else the thread goes on accepting
