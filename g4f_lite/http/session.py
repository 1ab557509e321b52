"""Sessions whose connections are under a deadline, and what they keep of them between two calls."""

from __future__ import annotations

import functools
import queue
import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from .connection import TrackedResponse, UnderDeadline


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
    call the real service.
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
        return _under_deadline(kind) if kind.__module__.startswith("urllib3.") else kind


def _has_unread(sock: Any) -> bool:
    """Return whether TLS has decrypted something that nobody asked for, which urllib3 does not see."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


@functools.cache
def _pool_class(kind: Any) -> Any:
    """Derive a connection pool class whose connections are under a deadline."""
    return kind if issubclass(kind, _Pool) else type(kind.__name__, (_Pool, kind), {})


@functools.cache
def _under_deadline(kind: Any) -> Any:
    """Derive a connection class that is under a deadline."""
    return type(kind.__name__, (UnderDeadline, kind), {"response_class": TrackedResponse})
