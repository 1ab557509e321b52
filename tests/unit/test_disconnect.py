"""Whether the other side of a connection has left, seen without waiting and without reading."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from g4f_lite.contrib.disconnect import disconnect_check

Pair = tuple[socket.socket, socket.socket]
Connect = Callable[[str], Pair]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Give a function that makes a connection of a kind: the server's end of it, and the browser's."""
    with ExitStack() as stack:

        def make(kind: str) -> Pair:
            if kind == "unix":
                ends = socket.socketpair()
                return stack.enter_context(ends[0]), stack.enter_context(ends[1])
            with socket.create_server(("::1" if kind == "ipv6" else "127.0.0.1", 0), **_family(kind)) as listener:
                browser = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
                server = stack.enter_context(listener.accept()[0])
            return (
                tuple(stack.enter_context(end) for end in _with_tls(server, browser))  # type: ignore[return-value]
                if kind == "tls"
                else (server, browser)
            )

        yield make


def _family(kind: str) -> dict[str, Any]:
    return {"family": socket.AF_INET6} if kind == "ipv6" else {}


def _with_tls(server: socket.socket, browser: socket.socket) -> Pair:
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(ours)
    authority.configure_trust(theirs)
    wrapped: list[socket.socket] = []
    thread = threading.Thread(target=lambda: wrapped.append(ours.wrap_socket(server, server_side=True)))
    thread.start()
    browser = theirs.wrap_socket(browser, server_hostname="localhost")
    thread.join()
    return wrapped[0], browser


@pytest.mark.parametrize("name", ["gunicorn.socket", "gunicorn.sock", "werkzeug.socket"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_connection_whose_other_side_leaves(kind: str, name: str, connect: Connect) -> None:
    server, browser = connect(kind)
    server.settimeout(60)  # which a peek would wait for
    is_gone = disconnect_check({name: server})
    assert not is_gone()
    browser.close()
    assert is_gone()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_what_was_not_read_stays(kind: str, connect: Connect) -> None:
    server, browser = connect(kind)
    is_gone = disconnect_check({"gunicorn.socket": server})
    browser.sendall(b"more")
    assert not is_gone()
    assert server.recv(9) == b"more"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the state of a connection")
def test_the_end_behind_what_was_not_read(connect: Connect) -> None:
    """Such as a body that the view does not use, or what TLS says at its end."""
    for kind, farewell in (("tcp", b"more"), ("tls", b"more")):
        server, browser = connect(kind)
        is_gone = disconnect_check({"gunicorn.socket": server})
        browser.sendall(farewell)
        assert not is_gone()
        browser.close()
        assert is_gone()


def test_a_connection_that_the_server_has_closed(connect: Connect) -> None:
    server, _ = connect("tcp")
    is_gone = disconnect_check({"gunicorn.socket": server})
    server.close()
    assert is_gone()


def test_tls_without_a_state_is_taken_for_open(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    server, browser = connect("tls")
    monkeypatch.setattr(sys, "platform", "darwin")
    browser.sendall(b"more")
    assert not disconnect_check({"gunicorn.socket": server})()


def test_ipv6(connect: Connect) -> None:
    try:
        server, browser = connect("ipv6")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    is_gone = disconnect_check({"werkzeug.socket": server})
    assert not is_gone()
    browser.close()
    assert is_gone()


def test_waitress_knows_it_itself() -> None:
    assert disconnect_check({"waitress.client_disconnected": lambda: True})()
    assert not disconnect_check({"waitress.client_disconnected": lambda: False})()


class Channel:
    """A connection as waitress keeps it, which does not read now."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def check_client_disconnected(self) -> bool:
        return False


def test_waitress_does_not_know_it_while_it_does_not_read(connect: Connect) -> None:
    server, browser = connect("tcp")
    is_gone = disconnect_check({"waitress.client_disconnected": Channel(server).check_client_disconnected})
    assert not is_gone()
    browser.close()
    assert is_gone()


def test_a_server_that_shows_nothing() -> None:
    assert not disconnect_check({"wsgi.version": (1, 0)})()
