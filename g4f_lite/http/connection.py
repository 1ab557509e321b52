"""Connections under a deadline: each of their waits can be ended, and each peer can be checked."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import sys
import traceback
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from . import slices
from .signals import pass_on_signal
from .transfer import Transfer, running_transfer

# urllib3 leaves TCP_NODELAY out for proxies, where a prompt's body then waits 40 ms for its head to be acknowledged.
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
PIECE_BYTES = 16 * 1024  # of a request, sent at a time
UNSENT_BYTES = 128 * 1024  # of a request that may wait in its socket
_COOKIE_WITH_LONG_NUMBER = re.compile(rb"(?i)set-cookie:.*\d{4000}")


class TrackedResponse(http.client.HTTPResponse):
    """A response that notes when its first byte came, and accepts no head that was cut."""

    fp: Any

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        transfer = running_transfer.get()
        if slices.NEEDED and transfer is not None and isinstance(self.fp, io.BufferedReader):
            deadline = transfer.deadline
            self.fp = io.BufferedReader(slices.SlicedReads(self.fp.detach(), sock, lambda: deadline.ended is not None))

    def begin(self) -> None:
        transfer = running_transfer.get()
        if transfer is not None:
            transfer.response = self
        if transfer is not None and not transfer.answer_began:
            # Up to the first byte a reused connection may be replaced (psf/requests#4664), so this is told apart.
            # A test double's file, such as mocket's, may have no peek.
            if hasattr(self.fp, "peek") and not self.fp.peek(1):
                raise http.client.RemoteDisconnected("the server closed the connection without an answer")
            transfer.answer_began = True
        plain = self.fp
        self.fp = head = _Head(plain)
        try:
            super().begin()
            # http.client reads over 100 Continue alone.  It takes any other interim response, such as 103 Early Hints,
            # for the answer; the real one would then be read as the answer to the connection's next request.
            while self.status < 200:
                if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:  # to which nobody here listens
                    raise http.client.BadStatusLine(f"{self.status} {self.reason}")
                self.headers = self.msg = None  # type: ignore[assignment]
                super().begin()
        finally:
            if self.fp is head:  # http.client sets it to None where there is no body
                self.fp = plain
        # A connection that ends within the headers looks to http.client like an answer with these headers.
        if not head.last_line:
            raise http.client.IncompleteRead(b"")
        # What could not be read as a header.  urllib3 would log it as a warning, with cookies and all.
        self.msg.set_payload("")


class _Head:
    """The file that an answer's head is read from; remembers its last line, which is empty where the head was cut."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last_line = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last_line = self._file.readline(limit)
        # A number that Python refuses to read is a bug of its own to its cookie jar, which warns with a traceback.
        while len(self.last_line) > 4000 and _COOKIE_WITH_LONG_NUMBER.match(self.last_line):
            self.last_line = self._file.readline(limit)
        return self.last_line

    def close(self) -> None:
        self._file.close()


class UnderDeadline:
    """Mixed into urllib3's connection classes; without a running transfer it changes nothing."""

    host: str
    port: int
    sock: socket.socket | None
    timeout: Any
    proxy: Any
    socket_options: Any
    _twin: socket.socket | None = None
    _served_before = False  # since it was connected

    def connect(self) -> None:
        transfer = running_transfer.get()
        if transfer is None:
            super().connect()  # type: ignore[misc]
            return
        transfer.connecting = True
        self._served_before = False
        try:
            super().connect()  # type: ignore[misc]
        except OSError as error:
            _close_half_made(error)
            raise
        finally:
            transfer.deadline.let_go()
            if self._twin is not None:
                self._twin.close()
                self._twin = None
        transfer.connecting = False
        self._prepare_to_send(transfer)

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        transfer = running_transfer.get()
        if transfer is not None:
            transfer.deadline.check()  # http.client takes a proxy's answer that was cut for a whole one
            transfer.past_proxy = True

    def _new_conn(self) -> socket.socket:
        transfer = running_transfer.get()
        if transfer is None:
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        sock = self._connected(transfer)
        try:
            # ssl.wrap_socket detaches this object from the connection, so the deadline holds a second one.
            # By sock.dup(), because on Windows os.dup() knows no sockets.
            self._twin = sock.dup()
            transfer.deadline.hold(self._twin)
            sock.settimeout(transfer.deadline.limit("connect"))
        except BaseException:  # such as the end of the call, just now
            sock.close()
            raise
        return sock

    def _connected(self, transfer: Transfer) -> socket.socket:
        """Connect to the host, or to the SOCKS proxy: try each of its addresses, within the time that is left.

        urllib3 and PySocks make their sockets where nobody can reach them, so nothing could end a slow attempt
        before its own timeout.
        """
        sys.audit("http.client.connect", self, self.host, self.port)
        deadline = transfer.deadline
        socks = getattr(self, "_socks_options", None)
        name, port = (socks["proxy_host"], socks["proxy_port"]) if socks else (self.host, self.port)
        refusal: Exception = NewConnectionError(self, f"{name} has no address")  # type: ignore[arg-type]
        for family, address in self._addresses(name.strip("[]"), int(port)):
            if transfer.address_guard is not None and not (socks or self.proxy):
                transfer.address_guard(str(address[0]))
            sock = _socks_socket(family, socks) if socks else socket.socket(family, socket.SOCK_STREAM)
            try:
                for option in (NO_DELAY, *(self.socket_options or ())):
                    sock.setsockopt(*option)
                keep_little_unsent(sock)
                sock.settimeout(deadline.limit("connect"))
                deadline.hold(sock)
                sock.connect((self.host, self.port) if socks else address)
                return sock
            except OSError as error:
                sock.close()
                pass_on_signal(error)
                deadline.check()
                late = isinstance(getattr(error, "socket_err", error), TimeoutError)  # PySocks keeps the reason there
                kind: Any = ConnectTimeoutError if late else NewConnectionError
                refusal = kind(self, f"no connection to {name}: {error}")
                refusal.__cause__ = error
            except BaseException:
                sock.close()
                raise
        raise refusal

    def _addresses(self, name: str, port: int) -> list[tuple[int, Any]]:
        try:
            found = socket.getaddrinfo(name, port, allowed_gai_family(), socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(name, self, error) from error  # type: ignore[arg-type]
        except UnicodeError as error:
            raise LocationParseError(f"{name!r}, label empty or too long") from error
        return list(dict.fromkeys((int(family), address) for family, *_, address in found))

    def request(self, *args: Any, **kwargs: Any) -> None:
        transfer = running_transfer.get()
        if transfer is not None and self.sock is not None:
            transfer.reused_connection = self._served_before
            self._prepare_to_send(transfer)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        # A socket's timeout bounds a whole sendall(), so that a large prompt to a slow server would time out although
        # it never stops flowing.  In pieces, the timeout bounds each piece.
        if running_transfer.get() is None or not isinstance(data, bytes):
            super().send(data)  # type: ignore[misc]
            return
        for start in range(0, len(data), PIECE_BYTES):
            super().send(data[start : start + PIECE_BYTES])  # type: ignore[misc]

    def _prepare_to_send(self, transfer: Transfer) -> None:
        transfer.past_proxy = True
        # Held until the answer has ended, because http.client takes the socket from the connection where a body ends
        # with it.
        transfer.deadline.hold(self.sock)
        # urllib3 leaves the connect timeout on the socket, and a prompt with images may take longer to send than a
        # connection may take to be made.
        self.timeout = transfer.deadline.limit("read")
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        transfer = running_transfer.get()
        if transfer is not None:
            # The request's last byte is sent.  urllib3 puts this on the socket before it reads.
            transfer.silence = transfer.awaits
            self.timeout = transfer.deadline.limit(transfer.awaits)
        self._served_before = True
        try:
            return super().getresponse()  # type: ignore[misc]
        except BaseException:
            if transfer is not None and transfer.response is not None:
                # The response holds the socket, and the exception's frames may hold the response for long.
                transfer.response.close()
            raise
        finally:
            if transfer is not None:
                transfer.response = None


def _close_half_made(error: OSError) -> None:
    """Close the socket of a TLS handshake that failed before it began.

    ``ssl.SSLSocket._create`` leaves a socket that was reset by then to the garbage collector; only the frames of the
    exception still know it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        unfinished = frame.f_locals.get("self")
        if isinstance(unfinished, ssl.SSLSocket):
            unfinished.close()


def keep_little_unsent(sock: socket.socket) -> None:
    """Let a socket accept data only while little waits in it, where the operating system can do that.

    Linux takes megabytes into a socket's buffer, and then nothing for as long as a slow server needs for a third of
    them: an upload that flows would look like silence.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        except OSError as error:
            pass_on_signal(error)


def _socks_socket(family: int, options: dict[str, Any]) -> socket.socket:
    """Make a socket that connects by way of a SOCKS proxy; the proxy looks the name up where ``rdns`` says so."""
    import socks

    sock = socks.socksocket(family, socket.SOCK_STREAM)
    sock.set_proxy(
        options["socks_version"],
        options["proxy_host"],
        int(options["proxy_port"]),
        options["rdns"],
        options["username"],
        options["password"],
    )
    return sock  # type: ignore[no-any-return]
