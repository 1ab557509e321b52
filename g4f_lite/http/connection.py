"""urllib3's connections under a deadline: each of their waits can be ended, each peer can be looked at."""

from __future__ import annotations

import functools
import http.client
import os
import socket
import ssl
import sys
import traceback
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager
from urllib3.util.connection import allowed_gai_family

from .deadline import Deadline, running_call

# urllib3 leaves it out for proxies, where the body of a prompt then waits 40 ms for the acknowledgement of its head.
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class DeadlineAdapter(HTTPAdapter):
    """The adapter of our sessions: one call at a time, no retries of its own."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _put_under_deadline(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        _put_under_deadline(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if conn.scheme == "https":  # a proxy's too, which requests does not verify for the sake of an http: URL
            url = "https" + url[url.index(":") :]
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the idle connections now; urllib3 leaves that to the collector, which a kept exception holds up."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  it cannot be iterated, being for several threads
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        super().close()


def _put_under_deadline(manager: PoolManager) -> None:
    classes = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _pool_class(kind) for scheme, kind in classes.items()}


@functools.cache
def _pool_class(kind: Any) -> Any:
    """Derive a connection pool class whose connections work under a deadline."""
    if issubclass(kind.ConnectionCls, _UnderDeadline):
        return kind
    name = kind.ConnectionCls.__name__
    connection = type(name, (_UnderDeadline, kind.ConnectionCls), {"response_class": _Response})
    return type(kind.__name__, (kind,), {"ConnectionCls": connection})


def _close_half_made(error: OSError) -> None:
    """Close the socket that Python's ssl leaves to the collector where a reset came before the handshake."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        unfinished = frame.f_locals.get("self")
        if isinstance(unfinished, ssl.SSLSocket):
            unfinished.close()


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


class _Response(http.client.HTTPResponse):
    """A response that notes when its first byte came: up to there a reused connection may be replaced."""

    fp: Any

    def begin(self) -> None:
        call = running_call.get()
        if call is not None:
            call.answer = self
        if call is not None and not call.answer_began:
            if not self.fp.peek(1):
                raise http.client.RemoteDisconnected("the server closed the connection without an answer")
            call.answer_began = True
        plain = self.fp
        self.fp = head = _Head(plain)
        try:
            super().begin()
        finally:
            if self.fp is head:
                self.fp = plain
        if not head.last_line:  # for http.client, that is an answer without a body
            raise http.client.IncompleteRead(b"")
        self.msg.set_payload("")  # what was no header; urllib3 would log it as a warning, cookies and all


class _Head:
    """The file that an answer's head is read from; tells whether it was read to its end."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last_line = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last_line = self._file.readline(limit)
        return self.last_line

    def close(self) -> None:
        self._file.close()


class _UnderDeadline:
    """Mixed into urllib3's connection classes; without a running call it changes nothing."""

    host: str
    port: int
    sock: socket.socket | None
    timeout: Any
    proxy: Any
    socket_options: Any
    _twin: socket.socket | None = None
    _served_before = False  # since it was connected

    def connect(self) -> None:
        call = running_call.get()
        if call is None:
            super().connect()  # type: ignore[misc]
            return
        call.connecting = True
        self._served_before = False
        try:
            super().connect()  # type: ignore[misc]
        except OSError as error:
            _close_half_made(error)
            raise
        finally:
            call.let_go()
            if self._twin is not None:
                self._twin.close()
                self._twin = None
        call.connecting = False
        self._prepare_to_send(call)

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        call = running_call.get()
        if call is not None:
            call.check()  # http.client takes a proxy's answer that was cut for a whole one
            call.past_proxy = True

    def _new_conn(self) -> socket.socket:
        call = running_call.get()
        if call is None:
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        sock = self._connected(call)
        try:
            # A TLS handshake takes the socket object over, so the call holds a second handle to the connection.
            self._twin = socket.socket(fileno=os.dup(sock.fileno()))
            call.hold(self._twin)
            sock.settimeout(call.limit("connect"))
        except BaseException:  # such as the end of the call, just now
            sock.close()
            raise
        return sock

    def _connected(self, call: Deadline) -> socket.socket:
        """Try each address of the host, or of the SOCKS proxy, each within the time that is left for it.

        urllib3 and PySocks would do it out of reach: nothing could end a slow one before its own timeout.
        """
        sys.audit("http.client.connect", self, self.host, self.port)
        socks = getattr(self, "_socks_options", None)
        name, port = (socks["proxy_host"], socks["proxy_port"]) if socks else (self.host, self.port)
        refusal: Exception = NewConnectionError(self, f"{name} has no address")  # type: ignore[arg-type]
        for family, address in self._addresses(name.strip("[]"), int(port)):
            if call.address_guard is not None and not (socks or self.proxy):
                call.address_guard(str(address[0]))
            sock = _socks_socket(family, socks) if socks else socket.socket(family, socket.SOCK_STREAM)
            try:
                for option in (NO_DELAY, *(self.socket_options or ())):
                    sock.setsockopt(*option)
                sock.settimeout(call.limit("connect"))
                call.hold(sock)
                sock.connect((self.host, self.port) if socks else address)
                return sock
            except OSError as error:
                sock.close()
                call.check()
                late = isinstance(getattr(error, "socket_err", error), TimeoutError)
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
        call = running_call.get()
        if call is not None and self.sock is not None:
            call.reused_connection = self._served_before
            self._prepare_to_send(call)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _prepare_to_send(self, call: Deadline) -> None:
        call.past_proxy = True
        call.hold(self.sock)
        # A prompt with pictures may take longer to send than a connection may take to be made.
        self.timeout = call.limit("read")
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        call = running_call.get()
        if call is not None:
            call.hold(self.sock)  # kept here, as a close-delimited answer takes it from the connection
        self._served_before = True
        try:
            return super().getresponse()  # type: ignore[misc]
        except BaseException:
            if call is not None and call.answer is not None:
                call.answer.close()  # it holds the socket, and what raised may hold the answer
            raise
        finally:
            if call is not None:
                call.answer = None
