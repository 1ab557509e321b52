"""What the emulator received and answered."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.client import HTTPMessage
from http.cookies import CookieError, SimpleCookie
from typing import Any


@dataclass(eq=False)
class ReceivedRequest:
    """One request as it was received, and the outcome.

    ``headers`` are found by name in any case; ``query`` holds the first value of each name. The
    repr shows no header, cookie, query or body, because those carry tokens and prompts.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: HTTPMessage
    body: bytes
    connection: int
    """The number of the TCP connection, from 1."""
    reused: bool
    """Whether an earlier request came over the same connection."""
    started: float
    """When the request had arrived, in seconds of ``time.monotonic()``, as all times here."""
    service: str | None = None
    step: str | None = None
    """The step of the protocol, as in ``service.Step``, or None for an unknown path."""
    chat_session: str | None = None
    """The session under which AI Engine's site records the prompt."""
    fault: str | None = None
    """The name of the fault that struck it."""
    status: int | None = None
    first_piece: float | None = None
    ended: float | None = None
    complete: bool = field(default=False)
    """Whether the answer was sent to its proper end."""

    def json(self) -> Any:
        """Decode the body as JSON.

        :raises ValueError: if it is not JSON, or nested too deeply
        """
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies that were sent; empty if they cannot be read."""
        try:
            parsed = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in parsed.items()}

    def __repr__(self) -> str:
        return (
            f"<{self.method} {self.path}: {self.service} {self.step}, connection"
            f" {self.connection}, {len(self.body)} bytes, status {self.status}>"
        )


class Records:
    """Keep the requests in the order in which they arrived. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[ReceivedRequest] = []

    def add(self, request: ReceivedRequest) -> None:
        """Append one request."""
        with self._lock:
            self._requests.append(request)

    def snapshot(self) -> list[ReceivedRequest]:
        """Return a copy of the list."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Remove them all."""
        with self._lock:
            self._requests.clear()
