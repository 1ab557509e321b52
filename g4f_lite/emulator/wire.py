"""One accepted TCP connection: buffered reads, waits that end when the client leaves, RST."""

from __future__ import annotations

import socket
import ssl
import struct
import time

_READ_SIZE = 64 * 1024
_BUFFER_LIMIT = 1024 * 1024


class ClientGone(ConnectionError):
    """The client closed its side, or the emulator is closing."""


class TooMuch(ValueError):
    """The client sent more than it may."""


class Wire:
    """Read from and write to one client. Used by one thread; only ``abort`` is for others."""

    def __init__(self, connected: socket.socket, number: int) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._aborted = False
        self._buffer = bytearray()
        self.number = number

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the server's part of a TLS handshake."""
        # The socket object is replaced before the handshake, so that abort() reaches the new one.
        self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        if self._aborted:
            raise ClientGone("the emulator closed before the TLS handshake")
        self._socket.do_handshake()

    def read_until(self, marker: bytes, limit: int) -> bytes:
        """Read up to and including ``marker``; ``b""`` if the client closed before the first byte."""
        start = 0
        while (found := self._buffer.find(marker, start)) < 0:
            if len(self._buffer) > limit:
                raise TooMuch(f"no {marker!r} in {limit} bytes")
            start = max(0, len(self._buffer) - len(marker) + 1)
            if not self._fill():
                if self._buffer:
                    raise ClientGone("the client closed in the middle of a request")
                return b""
        return self._take(found + len(marker))

    def read_exactly(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        while len(self._buffer) < size:
            if not self._fill():
                raise ClientGone("the client closed in the middle of a request")
        return self._take(size)

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._socket.sendall(data)

    def wait(self, seconds: float | None) -> None:
        """Wait ``seconds``, or for ever if that is ``None``.

        :raises ClientGone: if the client left
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                if len(self._buffer) > _BUFFER_LIMIT:
                    raise ClientGone("the client went on sending while it had to wait")
                self._socket.settimeout(left)
                if not self._fill():
                    raise ClientGone("the client left while it had to wait")
        except TimeoutError:
            return
        finally:
            self._socket.settimeout(None)

    def reset(self) -> None:
        """Close so that the client gets a TCP RST."""
        # A linger time of zero makes close() throw away what is unsent and send RST.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """Close in the ordinary way."""
        self._socket.close()

    def abort(self) -> None:
        """Shut the connection down from any thread; a blocked read or write ends."""
        self._aborted = True
        try:
            # Not SSLSocket's own method, which would drop the TLS state under the reader.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # not connected any more, which is what was wanted

    def _fill(self) -> bool:
        received = self._socket.recv(_READ_SIZE)
        self._buffer += received
        return bool(received)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
