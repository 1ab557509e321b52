"""The adapter that puts requests' connections under a deadline."""

from __future__ import annotations

import functools
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from .connection import TrackedResponse, UnderDeadline


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


class _Pool:
    """Mixed into urllib3's pool classes: each connection is of the class in force when it is used, under a deadline.

    vcrpy and others put a connection class of their own in urllib3's place for a while.  Theirs is used as it is, and
    no connection is used while another class than its own is in force: a recorder would miss it, or a replay would
    call the real service.
    """

    ConnectionCls: Any

    def _new_conn(self) -> Any:
        self.ConnectionCls = self._class_in_force()
        return super()._new_conn()  # type: ignore[misc]

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if type(connection) is not self._class_in_force():
            connection.close()
            connection = self._new_conn()
        return connection

    def _class_in_force(self) -> Any:
        kind = super().ConnectionCls  # type: ignore[misc]
        return _under_deadline(kind) if kind.__module__.startswith("urllib3.") else kind


@functools.cache
def _pool_class(kind: Any) -> Any:
    """Derive a connection pool class whose connections are under a deadline."""
    return kind if issubclass(kind, _Pool) else type(kind.__name__, (_Pool, kind), {})


@functools.cache
def _under_deadline(kind: Any) -> Any:
    """Derive a connection class that is under a deadline."""
    return type(kind.__name__, (UnderDeadline, kind), {"response_class": TrackedResponse})
