"""Sessions whose connections are under a deadline: each of their waits can be ended.

From the outside in: a session has adapters, an adapter has a pool for each host, and a pool has connections.
"""

from __future__ import annotations

import functools
import http.client
import io
import queue
import re
import socket
import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.poolmanager import PoolManager

from ..errors import G4FLiteError
from . import slices
from .signals import pass_on_signal
from .sockets import close_half_made, open_socket
from .transfer import Transfer, running_transfer

LATE = "The handshake operation timed out"  # as ssl says it
PIECE_BYTES = 16 * 1024  # of a request, sent at a time
MAX_LEFT_OUT = 100  # lines of a head, as many as http.client reads
_COOKIE_WITH_LONG_NUMBER = rb"(?i)set-cookie:.*[\d_]{300}"  # digits of an integer that no float can hold


class Session(requests.Session):
    """A session whose connections are under a deadline, and which looks at no redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("http://", DeadlineAdapter())
        self.mount("https://", DeadlineAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Give None: following a redirect could take a prompt to another host, and looking at one reads its body."""


def hand_over_redirect(response: requests.Response, **_: Any) -> None:
    """Keep requests from a redirect, whose body it would read to the end, however long that is.

    :raises requests.HTTPError: the response is a redirect; the error holds it
    """
    if response.is_redirect:
        raise requests.HTTPError("a redirect", response=response)


class DeadlineAdapter(HTTPAdapter):
    """The adapter of our sessions: for one call at a time, without retries of its own.

    It replaces the classes of urllib3's connections and nothing else; in particular not ``send``, which test
    doubles such as responses replace.
    """

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
        # requests looks at the URL's scheme alone, and would not verify a proxy that is itself reached by https.
        if conn.scheme == "https":
            url = "https" + url[url.index(":") :]
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        # urllib3 drops its pools and leaves their sockets to the garbage collector, which a kept exception delays.
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  urllib3's container refuses to be iterated
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        super().close()


def _put_under_deadline(manager: PoolManager) -> None:
    # By scheme, so that urllib3's SOCKS manager is covered too, which has pool classes of its own.
    classes = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _pool_class(kind) for scheme, kind in classes.items()}


class _Idle:
    """The idle connections of a pool, which one call at a time uses, so that it needs no lock.

    A signal handler's exception within the lock of ``queue.LifoQueue``, which is Python code, would leave it locked:
    the next call would wait for it, beyond each limit.

    :param maxsize: how many are kept
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._connections: list[Any] = []

    def put(self, connection: Any, block: bool = False) -> None:
        if len(self._connections) >= self._maxsize:
            raise queue.Full
        self._connections.append(connection)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        if not self._connections:
            raise queue.Empty
        return self._connections.pop()

    def qsize(self) -> int:
        return len(self._connections)


class _Pool:
    """Mixed into urllib3's pool classes: each connection is of the class in force when it is used, under a deadline.

    vcrpy and others put a connection class of their own in urllib3's place for a while.  Theirs is used as it is, and
    no connection is used while another class than its own is in force: a recorder would miss it, or a replay would
    call the real service.  Only where a request has a way of its own, which theirs would not take, it is not used.
    """

    ConnectionCls: Any
    QueueCls = _Idle

    def _new_conn(self) -> Any:
        self.ConnectionCls = self._class_in_force()
        return super()._new_conn()  # type: ignore[misc]

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if type(connection) is not self._class_in_force() or _has_unread(connection.sock):
            connection.close()
            connection = self._new_conn()
        return connection

    def _class_in_force(self) -> Any:
        kind = super().ConnectionCls  # type: ignore[misc]
        transfer = running_transfer.get()
        if transfer is not None and transfer.confirm is not None:
            kind = next(base for base in kind.__mro__ if base.__module__.startswith("urllib3."))
        return _under_deadline(kind) if kind.__module__.startswith("urllib3.") else kind


def _has_unread(sock: Any) -> bool:
    """Return whether TLS has decrypted something that nobody asked for, which urllib3 does not see."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


class UnderDeadline:
    """Mixed into urllib3's connection classes; without a running transfer it changes nothing."""

    sock: socket.socket | None
    timeout: Any
    _twin: socket.socket | None = None
    _served_before = False  # since it was connected
    _broken_pipe: BrokenPipeError | None = None

    def connect(self) -> None:
        transfer = running_transfer.get()
        if transfer is None:
            super().connect()  # type: ignore[misc]
            return
        transfer.connecting = True
        self._served_before = False
        deadline = transfer.deadline
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:
            if isinstance(error, OSError):
                close_half_made(error)
            if deadline.is_shut and deadline.ended is None and not isinstance(error, G4FLiteError):
                raise TimeoutError(LATE) from None
            raise
        else:
            if deadline.is_shut:  # http.client takes a proxy's answer that was cut for a whole one
                raise TimeoutError(LATE)
        finally:
            deadline.let_go()
            deadline.keep_open()
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
        held = sock = open_socket(self, transfer)
        try:
            # ssl.wrap_socket detaches this object from the connection, so the deadline holds a second one.
            # By sock.dup(), because on Windows os.dup() knows no sockets.
            if isinstance(self, HTTPSConnection):
                held = self._twin = sock.dup()
            transfer.deadline.hold(held)
            sock.settimeout(transfer.deadline.limit_handshake())
        except BaseException:  # such as the end of the call, just now
            sock.close()
            raise
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        transfer = running_transfer.get()
        if transfer is not None and self.sock is not None:
            transfer.reused_connection = self._served_before
            self._prepare_to_send(transfer)
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        except BrokenPipeError as error:  # which urllib3 passes over, and asks for the response
            self._broken_pipe = error
            raise

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
        broken, self._broken_pipe = self._broken_pipe, None
        if broken is not None:
            pass_on_signal(broken)
        transfer = running_transfer.get()
        if transfer is not None:
            transfer.silence = transfer.awaits  # the request's last byte is sent
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


class TrackedResponse(http.client.HTTPResponse):
    """A response that notes when its first byte came, and accepts no head that was cut."""

    fp: Any

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock
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

    def _close_conn(self) -> None:
        # What came behind the answer is lost with this file.  The server may be sending an answer twice, whose rest the
        # connection's next call would take for its own.
        at_end = self.length == 0 or (self.chunked and not self.closed)
        if at_end and not self.will_close and self._has_more():
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                pass_on_signal(error)
        super()._close_conn()  # type: ignore[misc]

    def _has_more(self) -> bool:
        if not hasattr(self.fp, "peek"):  # a test double's
            return False
        try:
            limit = self._sock.gettimeout()
            self._sock.settimeout(0)
            try:
                return bool(self.fp.peek(1))
            finally:
                self._sock.settimeout(limit)
        except ssl.SSLWantReadError:  # nothing has come
            return False
        except OSError as error:
            pass_on_signal(error)
            return False


class _Head:
    """The file that an answer's head is read from; remembers its last line, which is empty where the head was cut."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left_out = 0
        self.last_line = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last_line = self._file.readline(limit)
        # A number that Python refuses to read is a bug of its own to its cookie jar, which warns with a traceback.
        while len(self.last_line) > 300 and re.match(_COOKIE_WITH_LONG_NUMBER, self.last_line):
            self._left_out += 1
            if self._left_out > MAX_LEFT_OUT:
                raise http.client.HTTPException(f"got more than {MAX_LEFT_OUT} headers")
            self.last_line = self._file.readline(limit)
        return self.last_line

    def close(self) -> None:
        self._file.close()


@functools.cache
def _pool_class(kind: Any) -> Any:
    """Derive a connection pool class whose connections are under a deadline."""
    return kind if issubclass(kind, _Pool) else type(kind.__name__, (_Pool, kind), {})


@functools.cache
def _under_deadline(kind: Any) -> Any:
    """Derive a connection class that is under a deadline."""
    return type(kind.__name__, (UnderDeadline, kind), {"response_class": TrackedResponse})
