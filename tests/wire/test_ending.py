"""close(), Ctrl-C and the total limit reach a call wherever it waits: at proxies, in handshakes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from g4f_lite import DeadlineExceededError, OpenAICompatible, StreamInterruptedError, Timeout, TransportError
from g4f_lite.emulator import Emulator

from .proxies import HTTPProxy, Proxy, SOCKSProxy
from .raw_server import PATIENCE, Connection, RawServer

ROOT = Path(__file__).parents[2]
TOTAL = 0.1
LATEST = 4.0  # seconds, for a busy machine; the exact figure belongs to the benchmarks
LIMITS = Timeout(connect=5, read=5, total=TOTAL)


def _raised_by(ask: Callable[[], object]) -> tuple[BaseException, float]:
    began = time.monotonic()
    with pytest.raises(Exception) as caught:  # noqa: PT011  told apart by the caller
        ask()
    return caught.value, time.monotonic() - began


@contextmanager
def full_listener() -> Iterator[int]:
    """Give a port where no connection is made nor refused: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
            waiting.append(sock)
        time.sleep(0.02)
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", [HTTPProxy, SOCKSProxy])
def test_total_holds_at_a_proxy_that_drips(kind: type[Proxy], scheme: str, emulator: Emulator) -> None:
    if (kind, scheme) == (HTTPProxy, "http"):
        pytest.skip("an HTTP proxy says nothing of its own there")
    with kind(slow=0.08) as proxy:
        address = emulator.url.replace("http:", f"{scheme}:") + "/v1"
        with OpenAICompatible(address, model="m", proxy=proxy.address, timeout=LIMITS, retry=None) as provider:
            error, took = _raised_by(lambda: provider.create(messages="hi"))
    assert isinstance(error, DeadlineExceededError), repr(error)
    assert took < LATEST


def _socks_drip(connection: Connection) -> None:
    connection.sock.recv(64)
    connection.send(b"\x05\x00")
    connection.sock.recv(64)
    connection.send(b"\x05\x00\x00\x03\xff")  # bound to a name of 255 letters
    connection.drip(b"a" * 255, 0.02)


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
@pytest.mark.parametrize("target", ["http", "https"])
def test_total_holds_at_a_socks_proxy(scheme: str, target: str) -> None:
    """PySocks reads a byte at a time, each with a timeout of its own."""
    serve = Connection.silence if scheme == "socks4" else _socks_drip
    with RawServer(serve) as proxy:
        route = proxy.url.replace("http:", f"{scheme}:")
        with OpenAICompatible(
            f"{target}://127.0.0.1:9/v1", model="m", proxy=route, timeout=LIMITS, retry=None
        ) as provider:
            error, took = _raised_by(lambda: provider.create(messages="hi"))
    assert isinstance(error, DeadlineExceededError), repr(error)
    assert error.limit == "total"
    assert TOTAL - 0.02 <= took < LATEST


@pytest.mark.parametrize("kind", [HTTPProxy, SOCKSProxy])
def test_a_closed_port_behind_a_proxy_is_not_retried(kind: type[Proxy]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with kind() as proxy:
        address = f"https://127.0.0.1:{port}/v1"
        provider = OpenAICompatible(address, model="m", proxy=proxy.address, timeout=5)
        with provider, pytest.raises(TransportError) as caught:
            provider.create(messages="hi")
        assert (caught.value.cause, proxy.connections) == ("proxy", 1)


@pytest.mark.parametrize("kind", [HTTPProxy, SOCKSProxy])
def test_a_wrong_password_at_a_proxy_is_not_retried_nor_shown(kind: type[Proxy]) -> None:
    with Emulator() as emulator, kind() as proxy:
        route = proxy.address.replace(":canary-proxy-password@", ":wrong-canary-password@")
        provider = OpenAICompatible(emulator.url + "/v1", model="m", proxy=route, timeout=5)
        with provider, pytest.raises(TransportError) as caught:
            provider.create(messages="hi")
        assert (caught.value.cause, proxy.connections, emulator.connections) == ("proxy", 1, 0)
        assert "wrong-canary" not in str(caught.value)


WAITS: dict[str, Callable[[Connection], object]] = {
    "tls handshake": Connection.silence,
    "tls handshake that drips": lambda c: (c.sock.recv(9999), c.drip(b"\x16\x03\x03\x40\x00\x02" + bytes(999))),
    "connect": lambda c: (c.request(), c.silence()),
    "connect that drips": lambda c: (c.request(), c.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999)),
    "socks": Connection.silence,
    "socks that drips": _socks_drip,
}


def _check_that_it_ends(provider: OpenAICompatible, end: str) -> None:
    """Let a call end by its limit, or by another thread that closes it."""
    stream = provider.create_generator(messages="hi")
    if end == "close":
        threading.Timer(0.05, stream.close).start()
    error, took = _raised_by(stream.text)
    assert isinstance(error, StreamInterruptedError if end == "close" else DeadlineExceededError), repr(error)
    assert took < LATEST


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("where", WAITS)
@pytest.mark.parametrize("end", ["close", "total"])
def test_a_call_that_waits_for_a_handshake_can_be_ended(where: str, end: str) -> None:
    with RawServer(WAITS[where]) as server:
        proxy = server.url if "connect" in where else server.url.replace("http", "socks5h")
        address = server.url.replace("http:", "https:") if "tls" in where else "https://127.0.0.1:9"
        route = None if "tls" in where else proxy
        limits = LIMITS if end == "total" else Timeout(20, 20, 20)
        with OpenAICompatible(address, model="m", proxy=route, timeout=limits, retry=None) as provider:
            _check_that_it_ends(provider, end)


@pytest.mark.beside
@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue behaves differs")
@pytest.mark.parametrize("end", ["close", "total"])
def test_a_call_that_waits_for_a_connection_can_be_ended(end: str) -> None:
    with full_listener() as port:
        limits = LIMITS if end == "total" else Timeout(5, 5, 5)
        with OpenAICompatible(f"http://127.0.0.1:{port}", model="m", timeout=limits, retry=None) as provider:
            _check_that_it_ends(provider, end)


INTERRUPTED = """
import sys, threading, time
from g4f_lite import OpenAICompatible
provider = OpenAICompatible(sys.argv[1] + "/v1", model="m", timeout=30)
try:
    for piece in provider.create_generator(messages="one two three"):
        print(piece, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
provider.close()
print(provider.create(messages="still alive"), flush=True)
provider.close()
time.sleep(0.02)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT")
@pytest.mark.parametrize("after", [None, pytest.param(1, marks=pytest.mark.once)])
def test_ctrl_c_ends_a_blocked_call_and_leaves_nothing(after: int | None, emulator: Emulator) -> None:
    emulator.fail("stall", after=after)
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", INTERRUPTED, emulator.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        _wait(lambda: any(request.step == "prompt" for request in emulator.requests))
        time.sleep(0.2)  # from the request's arrival to the wait for its answer
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _wait(lambda: len(emulator.requests) == 2 or child.poll() is not None)
        took = time.monotonic() - began
        said, complained = child.communicate(timeout=PATIENCE * 4)
    finally:
        child.kill()
        child.communicate()
    assert (child.returncode, complained) == (0, "")
    assert said.split("\n")[-3:] == ["interrupted", "still alive", ""]
    assert took < LATEST
    _wait(lambda: emulator.open_connections == 0)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE * 4
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)
