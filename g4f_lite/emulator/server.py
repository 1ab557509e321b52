"""Listen on an address, give every connection a thread, end them all."""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable

from .wire import Wire

_logger = logging.getLogger("g4f_lite.emulator")

_BACKLOG = 512
_JOIN_SECONDS = 5.0


class Server:
    """Accept connections and run ``serve(wire)`` for each in a thread of its own.

    ``admit()`` is asked at each accept; a connection that it refuses is reset.
    """

    def __init__(
        self,
        serve: Callable[[Wire], None],
        admit: Callable[[], bool],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._serve = serve
        self._admit = admit
        self._address = (host, port)
        self._tls = tls
        self._lock = threading.Lock()
        self._threads: dict[Wire, threading.Thread] = {}
        self._acceptor: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._accepted = 0

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and the port; the port stays the same when listening is resumed."""
        return self._address

    @property
    def accepted(self) -> int:
        """Tell how many connections were accepted so far."""
        return self._accepted

    @property
    def open(self) -> int:
        """Tell how many connections are served now."""
        with self._lock:
            return sum(thread.is_alive() for thread in self._threads.values())

    def listen(self) -> None:
        """Start to accept; do nothing if it already does."""
        if self._acceptor is not None:
            return
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.create_server(self._address, family=family, backlog=_BACKLOG)
        host, port = listener.getsockname()[:2]
        self._address = (host, port)
        self._wake, woken = socket.socketpair()
        self._acceptor = threading.Thread(
            target=self._accept,
            args=(listener, woken),
            name=f"emulator-accept-{port}",
            daemon=True,
        )
        self._acceptor.start()

    def stop_listening(self) -> None:
        """Close the port; open connections stay open."""
        if self._acceptor is None or self._wake is None:
            return
        self._wake.close()
        self._acceptor.join()
        self._acceptor = self._wake = None

    def close(self) -> None:
        """Close the port, drop every connection, and wait for their threads."""
        self.stop_listening()
        with self._lock:
            connections = dict(self._threads)
        for wire in connections:
            wire.abort()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in connections.values():
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        left = [thread.name for thread in connections.values() if thread.is_alive()]
        if left:
            _logger.warning("threads still busy in their backend at close: %s", ", ".join(left))

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        with listener, woken, selectors.DefaultSelector() as selector:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not any(key.fileobj is woken for key, _ in selector.select()):
                try:
                    connected, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue  # the client took it back before it was accepted
                self._start(connected)

    def _start(self, connected: socket.socket) -> None:
        connected.setblocking(True)
        self._accepted += 1
        wire = Wire(connected, self._accepted)
        if not self._admit():
            wire.reset()
            return
        thread = threading.Thread(target=self._run, args=(wire,), name=f"emulator-{wire.number}", daemon=True)
        thread.start()
        with self._lock:
            ended = [known for known, runs in self._threads.items() if not runs.is_alive()]
            for known in ended:
                del self._threads[known]
            self._threads[wire] = thread

    def _run(self, wire: Wire) -> None:
        try:
            if self._tls is not None:
                wire.start_tls(self._tls)
            self._serve(wire)
        except OSError as error:
            _logger.debug("connection %d ended: %s", wire.number, error)
        finally:
            wire.close()
