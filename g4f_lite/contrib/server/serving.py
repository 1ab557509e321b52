"""Running the application on waitress, until a signal."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from ...errors import MissingDependencyError
from .app import App
from .request import MAX_BODY

IDLE_CONNECTIONS, IDLE_SECONDS = 1024, 30  # of clients that keep a connection, or send nothing
SPARE_THREADS = 8  # for what is not an answer, such as a 429 or the page
LOOK_SECONDS = 0.05  # between two looks at what is left to send
GRACE = 30.0  # seconds for the answers in progress, after a signal to stop


class Server:
    """The application on an address, with a thread for each answer in progress.

    :param app: the application
    :param host: the address to listen on
    :param port: the port; 0 for any free one
    :param threads: the number of answers in progress that it is to have threads for
    :raises MissingDependencyError: if waitress is not installed
    :raises OSError: if the address cannot be listened on
    """

    def __init__(self, app: App, host: str, port: int, threads: int) -> None:
        try:
            from waitress.server import create_server
        except ModuleNotFoundError as error:
            raise MissingDependencyError('the server needs waitress: pip install "g4f-lite[server]"') from error
        self._app = app
        self._sockets: dict[int, Any] = {}  # of waitress: what listens, and the connections
        self._server: Any = create_server(
            app,
            map=self._sockets,
            asyncore_use_poll=True,  # select() fails at the 1,024th open file
            host=host,
            port=port,
            threads=threads + SPARE_THREADS,
            channel_request_lookahead=1,  # it notices that a client has gone while its answer is in progress
            max_request_body_size=MAX_BODY,
            connection_limit=threads + IDLE_CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            ident=None,
            clear_untrusted_proxy_headers=False,  # they tell what has come through a proxy
        )
        self._most_waiting = threads + IDLE_CONNECTIONS // 2
        for listener in filter(_is_listener, list(self._sockets.values())):  # a name may have several addresses
            listener.maintenance = partial(self._make_room, listener.maintenance)
        self._is_stopping = False
        self._is_ending = False
        self._is_over = threading.Event()
        self._told = queue.SimpleQueue[None]()  # a signal may interrupt another one while it puts something in it

    @property
    def url(self) -> str:
        """The address of the server."""
        several = getattr(self._server, "effective_listen", None)  # a name such as localhost has several addresses
        host, port = several[0] if several else (self._server.effective_host, self._server.effective_port)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # where a browser on this machine finds it
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self, grace: float = GRACE) -> None:
        """Answer until SIGINT or SIGTERM, and then let the answers in progress end; a second signal ends them.

        :param grace: how many seconds to wait for them
        """
        drain = threading.Thread(target=self._drain, args=(grace,), daemon=True)
        drain.start()

        def stop(number: int, frame: FrameType | None) -> None:
            if self._is_ending:  # it would interrupt waitress in the midst of a lock
                return
            if self._is_stopping:
                self._is_ending = True
                self._app.streams.drain(0)
                raise SystemExit
            self._is_stopping = True
            self._told.put(None)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._server.run()
        finally:
            self._is_ending = True
            self._is_over.set()
            self._told.put(None)
            drain.join()  # it sends a signal at its end, which must still be ours
            self._server.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _make_room(self, close_idle: Callable[[float], None], now: float) -> None:
        """Close connections, as waitress calls it each second.

        A client keeps one open by a byte now and then, and may open very many.  Before there are as many as there may
        be, the oldest that have sent no whole request are closed.
        """
        close_idle(now)
        clients = [each for each in self._sockets.values() if hasattr(each, "requests")]
        waiting = sorted((each for each in clients if not _is_answering(each)), key=lambda each: each.creation_time)
        for client in waiting[: max(0, len(clients) - self._most_waiting)]:
            client.will_close = True

    def _drain(self, grace: float) -> None:
        self._told.get()
        if self._is_over.is_set():
            return
        ends = time.monotonic() + grace
        self._app.streams.drain(grace)
        while any(map(_is_answering, list(self._sockets.values()))) and time.monotonic() < ends:
            if self._is_over.wait(LOOK_SECONDS):
                return
        if hasattr(signal, "pthread_kill"):  # wakes the main thread, where it waits for what comes within a second
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            signal.raise_signal(signal.SIGTERM)


def _is_listener(socket: Any) -> bool:
    return hasattr(socket, "maintenance")


def _is_answering(socket: Any) -> bool:
    """Return whether waitress has something left to send on a connection, whose client may be reading slowly."""
    return bool(getattr(socket, "requests", None) or getattr(socket, "total_outbufs_len", 0))
