"""A server that writes the very bytes that a test gives it, on loopback.

    def answer(connection):
        connection.request()
        connection.send(length(b"hello"))

    with RawServer(answer) as server:
        requests.get(server.url)

One thread accepts, one serves each connection with the function; when that returns, the connection
is closed.  It knows no more of HTTP than where a request ends, so that it shares no mistake with a
client or with a larger server.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NamedTuple

PATIENCE = 5.0  # seconds until a thread that should have been told something gives up


class Request(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One accepted connection."""

    def __init__(self, server: RawServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.number = number
        self.sock = sock
        self._got = b""

    def request(self) -> Request | None:
        """Read a request to its end; None where the client has closed."""
        while b"\r\n\r\n" not in self._got:
            got = self.sock.recv(65536)
            if not got:
                return None
            self._got += got
        head, _, self._got = self._got.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rest)}
        size = int(headers.get("content-length", 0))
        while len(self._got) < size:
            got = self.sock.recv(65536)
            if not got:
                return None
            self._got += got
        request = Request(line, headers, self._got[:size])
        self._got = self._got[size:]
        self.server.requests.append(request)
        return request

    def send(self, *pieces: bytes) -> None:
        """Write each piece with a call of its own."""
        for piece in pieces:
            self.sock.sendall(piece)

    def drip(self, data: bytes, every: float = 0.02) -> None:
        """Write byte by byte until the client goes or the server ends."""
        for position in range(len(data)):
            self.sock.sendall(data[position : position + 1])
            if self.server.ending.wait(every):
                return

    def silence(self) -> None:
        """Say nothing until the client closes or the server ends."""
        while not self.server.ending.is_set():
            try:
                if not self.sock.recv(65536):
                    return
            except TimeoutError:
                continue

    def reset(self) -> None:
        """Close with a reset: what is on its way is lost, too."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class RawServer:
    """A loopback server; its function is called with each connection, in a thread of its own.

    :ivar requests: what was asked, in order;  :ivar connections: how many were accepted
    :ivar go: an event for tests, between the function and whoever reads its answer
    """

    def __init__(
        self,
        serve: Callable[[Connection], object],
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        receive_buffer: int | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.go = threading.Event()
        self.ending = threading.Event()
        self.errors: list[BaseException] = []
        self._serve = serve
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, 0))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else "localhost" if tls else host
        self.url = f"{'https' if tls else 'http'}://{name}:{self.port}"

    def __enter__(self) -> RawServer:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.ending.set()
        self.go.set()
        _shut(self._listener)
        if os.name == "nt":  # where that does not wake accept(), and a connection does
            with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname()[:2], PATIENCE):
                pass
        for sock in self._open:
            _shut(sock)
            if os.name == "nt":  # nor does it wake recv()
                sock.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        for sock in self._open:
            sock.close()
        if error is None and self.errors:
            raise AssertionError("the server failed") from self.errors[0]

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ending.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            if self.ending.is_set():
                return
            self.connections += 1
            self._start(self._handle, sock, self.connections)

    def _handle(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                sock.getpeername()  # CPython's wrap_socket loses the socket of a client that has gone
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._serve(Connection(self, sock, number))
        except OSError:
            return  # the client has gone, which is its right
        except BaseException as error:
            self.errors.append(error)
        finally:
            _shut(sock)
            sock.close()


def _shut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return


def every(*answers: bytes) -> Callable[[Connection], None]:
    """Serve each request of a connection with the next of these answers; the last one goes on for ever."""

    def serve(connection: Connection) -> None:
        server = connection.server
        while connection.request() is not None:
            connection.send(answers[min(len(server.requests), len(answers)) - 1])

    return serve


def head(*fields: str, status: str = "200 OK") -> bytes:
    """Write a status line and header fields."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode("latin-1")


def length(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """Write an answer with a Content-Length."""
    return head(f"Content-Length: {len(body)}", *fields, status=status) + body


def chunk(data: bytes) -> bytes:
    """Write one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(*pieces: bytes, fields: Iterable[str] = (), last: bytes = b"0\r\n\r\n") -> bytes:
    """Write an answer in chunks."""
    return head("Transfer-Encoding: chunked", *fields) + b"".join(map(chunk, pieces)) + last


def delta(text: str, finish: str | None = None) -> bytes:
    """Write an event of a chat completion's stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def hello() -> bytes:
    """Write a whole streamed answer: "Hello world"."""
    return chunked(delta("Hello"), delta(" world"), delta("", "stop"), DONE)
