"""Sessions, lent to one call at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.cookies import create_cookie

from .connection import DeadlineAdapter
from .redact import is_word, secrets_in

POOL_SIZE = 64  # idle sessions that are kept


class Session(requests.Session):
    """A session whose connections work under a deadline, and which looks at no redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("http://", DeadlineAdapter())
        self.mount("https://", DeadlineAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Give none: following one would take a prompt to another host, and looking at one reads its body."""


@dataclass
class Visitor:
    """One visitor of a service: a session, and the token that the service gave to it."""

    session: requests.Session
    token: str | None = field(default=None, repr=False)
    state: dict[str, Any] = field(default_factory=dict, repr=False)
    generation: object = field(default=None, repr=False)

    def secrets(self) -> list[str]:
        """List what no message may show: the token and the cookies' values."""
        session = self.session
        signed = session.auth if isinstance(session.auth, tuple) else ()
        cookies = (cookie.value for cookie in session.cookies if cookie.value and not is_word(cookie.value))
        return [self.token or "", *cookies, *map(str, signed[1:]), *secrets_in(session.headers)]


class SessionPool:
    """Keeps sessions and lends each to one call at a time, the last used first.

    A visitor's cookies, keep-alive connection and token belong together, so they travel together.
    One thread uses one session for ever; eight threads use eight at most.  A forked child starts
    with none of its parent's: two processes on one connection would read each other's answers.

    :param own: the caller's own session, which is then the only one, and lent to every call
    :param make: makes a new session
    :param size: how many idle sessions are kept
    """

    def __init__(
        self,
        *,
        own: requests.Session | None = None,
        make: Callable[[], requests.Session] = Session,
        size: int = POOL_SIZE,
    ) -> None:
        self._own = Visitor(own) if own is not None else None
        self._make = make
        self._size = size
        self._reset()

    def _reset(self) -> None:
        self._idle: list[Visitor] = []
        self._latest: Visitor | None = None
        # Reentrant: an answer that the garbage collector closes gives its session back in any line.
        self._lock = threading.RLock()
        self._generation = object()  # sessions of another one are closed when they come back
        self._process = os.getpid()

    @contextmanager
    def lend(self) -> Iterator[Visitor]:
        """Lend a session for the length of a ``with`` block."""
        visitor = self._take()
        try:
            yield visitor
        finally:
            self._give_back(visitor)

    @property
    def latest(self) -> requests.Session:
        """The session used last; a new one where none was."""
        self._leave_to_parent()
        latest = self._latest
        if latest is not None:
            return latest.session
        with self.lend() as visitor:
            return visitor.session

    def close(self) -> None:
        """Close the idle sessions; those on loan are closed when they come back."""
        self._leave_to_parent()
        with self._lock:
            self._generation = object()
            idle, self._idle = self._idle, []
            self._latest = None
        for visitor in idle:
            visitor.session.close()

    def _take(self) -> Visitor:
        if self._own is not None:
            return self._own
        self._leave_to_parent()
        with self._lock:
            if self._idle:
                return self._idle.pop()
            generation = self._generation
        return Visitor(self._make(), generation=generation)

    def _leave_to_parent(self) -> None:
        if self._process != os.getpid():
            self._abandoned = self._idle  # never closed here: they are the parent's
            self._reset()

    def _give_back(self, visitor: Visitor) -> None:
        if visitor is self._own:
            return
        self._leave_to_parent()
        with self._lock:
            keep = visitor.generation == self._generation and len(self._idle) < self._size
            if keep:
                self._idle.append(visitor)
                self._latest = visitor
        if not keep:
            visitor.session.close()


def set_cookies(session: requests.Session, cookies: dict[str, str], host: str) -> None:
    """Put a caller's cookies into a session, for one host only."""
    name = f"[{host}]" if ":" in host else host
    domain = name if "." in name else f"{name}.local"  # as http.cookiejar names such hosts
    for name, value in cookies.items():
        session.cookies.set_cookie(create_cookie(name, value, domain=domain))  # type: ignore[no-untyped-call]
