"""A long way to a server: ``python -m benchmarks.link PORT`` passes bytes on to that port of this machine, late.

It prints the port on which it listens.  Each byte takes DELAY seconds in each direction.  The kernel
accepts a connection on loopback at once, so the round trip that connecting takes is added to the
first bytes that a client sends.  It counts the round trips: one for each connection, and one for
each time that a client speaks after it was answered.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable

from .background import Counts, answer_questions

DELAY = 0.05
ROUND_TRIP = 2 * DELAY


class Link:
    """What a client and a server have between them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._round_trips = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def counted(self) -> Counts:
        """Give the round trips since this was called last."""
        counts = {"round_trips": self._round_trips}
        self._round_trips = 0
        return counts

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            connected = time.monotonic() + ROUND_TRIP
            server = socket.create_connection(("127.0.0.1", self._target))
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._round_trips += 1
            answered = threading.Event()
            answered.set()

            def spoke(answered: threading.Event = answered) -> None:
                if answered.is_set():
                    self._round_trips += 1
                    answered.clear()

            _pass_on(client, server, not_before=connected, on_arrival=spoke)
            _pass_on(server, client, on_delivery=answered.set)


def _pass_on(
    source: socket.socket,
    target: socket.socket,
    *,
    not_before: float = 0.0,
    on_arrival: Callable[[], object] = bool,
    on_delivery: Callable[[], object] = bool,
) -> None:
    """Pass bytes on in one direction, in threads, until the source ends."""
    waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def read() -> None:
        block = b"-"
        while block:
            try:
                block = source.recv(65536)
            except OSError:
                block = b""
            if block:
                on_arrival()
            waiting.put((max(time.monotonic(), not_before) + DELAY, block))

    def write() -> None:
        while True:
            moment, block = waiting.get()
            time.sleep(max(0.0, moment - time.monotonic()))
            with contextlib.suppress(OSError):
                on_delivery()
                if block:
                    target.sendall(block)
                    continue
                target.shutdown(socket.SHUT_WR)
            return

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()


def main() -> None:
    link = Link(int(sys.argv[1]))
    print(link.port, flush=True)
    answer_questions(link.counted)


if __name__ == "__main__":
    main()
