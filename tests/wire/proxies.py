"""Proxies on loopback: HTTP with CONNECT, and SOCKS5, both with a password.

They pass bytes on in both directions, a reset as a reset, and know no more of either protocol than
that takes.  ``slow`` answers a client's first words byte by byte.
"""

from __future__ import annotations

import base64
import socket
import struct
import threading
from urllib.parse import urlsplit

from .raw_server import Connection, RawServer

USER, PASSWORD = "reader", "canary-proxy-password"


class Proxy(RawServer):
    """A proxy that wants ``USER`` and ``PASSWORD``.

    :param slow: seconds between two bytes of its first answer
    :ivar passed: how many connections it made
    """

    scheme = ""

    def __init__(self, *, slow: float | None = None) -> None:
        super().__init__(self._admit)
        self.slow = slow
        self.passed = 0
        self.address = f"{self.scheme}://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def _admit(self, connection: Connection) -> None:
        raise NotImplementedError

    def _say(self, connection: Connection, answer: bytes) -> None:
        if self.slow is None:
            connection.send(answer)
        else:
            connection.drip(answer, self.slow)

    def _pass_on(self, client: socket.socket, target: socket.socket) -> None:
        """Pass bytes on until one side ends, then end the other in the same way."""
        self.passed += 1
        self._open.append(target)
        for side in (client, target):  # else a second small piece waits 40 ms for the first one's acknowledgement
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            reset = threading.Event()
            back = threading.Thread(target=_copy, args=(target, client, reset), daemon=True)
            back.start()
            _copy(client, target, reset)
            back.join()


class HTTPProxy(Proxy):
    """An HTTP proxy."""

    scheme = "http"

    def _admit(self, connection: Connection) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (got := connection.sock.recv(65536)):
                return
            head += got
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        if b"Proxy-Authorization: Basic " + expected not in head:
            connection.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, address, _ = head.split(b" ", 2)
        tunnel = method == b"CONNECT"
        url = urlsplit(("//" if tunnel else "") + address.decode())
        try:
            target = socket.create_connection((url.hostname or "", url.port or 80))
        except OSError:
            connection.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with target:
            if tunnel:
                self._say(connection, b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                target.sendall(head)
            self._pass_on(connection.sock, target)


class SOCKSProxy(Proxy):
    """A SOCKS5 proxy (RFC 1928), with user and password (RFC 1929)."""

    scheme = "socks5h"

    def _admit(self, connection: Connection) -> None:
        def read(size: int) -> bytes:
            got = connection.sock.recv(size, socket.MSG_WAITALL)
            if len(got) < size:
                raise ConnectionError("the client has gone")
            return got

        _, methods = read(2)
        read(methods)
        self._say(connection, b"\x05\x02")
        read(1)
        if (read(read(1)[0]), read(read(1)[0])) != (USER.encode(), PASSWORD.encode()):
            connection.send(b"\x01\x01")
            return
        connection.send(b"\x01\x00")
        kind = read(4)[3]
        host = socket.inet_ntoa(read(4)) if kind == 1 else read(read(1)[0]).decode()
        (port,) = struct.unpack("!H", read(2))
        failed = b"\x05\x05\x00\x01" + bytes(6)
        try:
            target = socket.create_connection((host, port))
        except OSError:
            connection.send(failed)
            return
        with target:
            connection.send(b"\x05\x00\x00\x01" + bytes(6))
            self._pass_on(connection.sock, target)


def _copy(source: socket.socket, target: socket.socket, reset: threading.Event) -> None:
    """Copy until the end of one side; end the other with a reset where either direction came to a reset."""
    try:
        while block := source.recv(65536):
            target.sendall(block)
    except OSError:
        reset.set()
    for side in (source, target):
        try:
            if reset.is_set():
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RD)  # which wakes the other direction, and sends no ordinary end
            else:
                side.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue
