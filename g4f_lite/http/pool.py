"""Sessions, lent to one call at a time."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.cookies import create_cookie

from ..errors import ProviderError
from .forks import ForkSafeLock
from .redact import secrets_in
from .session import Session
from .spellings import is_word

POOL_SIZE = 64  # idle sessions that are kept
MAX_COOKIE_BYTES = 4096  # that a kept session may send; nginx and gunicorn refuse a header of more than 8 KiB


class Login:
    """A token that a service gave, together with the cookies of then: each is another one, even with an equal token."""

    def __init__(self, token: str) -> None:
        self.token = token


class PooledSession:
    """A session and what belongs to it: the token that the service gave to it, and notes of the provider's.

    :param session: the ``requests.Session``, with its cookies and its connection
    :param token: the token or nonce; None where there is none yet
    :param generation: tells whether the pool was closed since the session was made; None of a caller's own session
    :ivar login: the token as it was given; None where there is none yet
    :ivar logging_in: held while a token is fetched or dropped: threads share a caller's own session
    :ivar state: what else a provider remembers of the session
    """

    def __init__(self, session: requests.Session, token: str | None = None, *, generation: object = None) -> None:
        self.session = session
        self.login: Login | None = None
        self.token = token
        self.logging_in = ForkSafeLock()
        self.generation = generation
        self.state: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"PooledSession({type(self.session).__name__})"  # without its token

    @property
    def token(self) -> str | None:
        """The token; setting it is another login."""
        login = self.login
        return None if login is None else login.token

    @token.setter
    def token(self, token: str | None) -> None:
        self.login = None if token is None else Login(token)

    def cookie_bytes(self) -> int:
        """Count the bytes of the session's cookies in a header, as if all were for one host."""
        return sum(len(f"{cookie.name}={cookie.value}; ") for cookie in self.session.cookies)

    def secrets(self) -> list[str]:
        """List what no message may show: the token, the cookies' values, passwords and signing headers."""
        session = self.session
        signed = session.auth if isinstance(session.auth, tuple) else ()
        cookies = (cookie.value for cookie in session.cookies if cookie.value and not is_word(cookie.value))
        return [self.token or "", *cookies, *map(str, signed[1:]), *secrets_in(session.headers)]


class SessionPool:
    """Keeps sessions and lends each to one call at a time, the last used first.

    A session's cookies, keep-alive connection and token belong together, so they travel together.
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
        self._own = PooledSession(own) if own is not None else None
        self._make = make
        self._size = size
        self._reset()

    def _reset(self) -> None:
        self._idle: list[PooledSession] = []
        self._latest: PooledSession | None = None
        # Reentrant: the garbage collector may close an answer, which gives its session back, at any line.
        self._lock = threading.RLock()
        self._generation = object()  # sessions of another one are closed when they come back
        self._process = os.getpid()

    @contextmanager
    def lend(self) -> Iterator[PooledSession]:
        """Lend a session for the length of a ``with`` block; a new one replaces it if its headers are refused there."""
        pooled = self._take()
        try:
            yield pooled
        except BaseException as error:
            if refuses_headers(error):
                self.renew(pooled)
            raise
        finally:
            self._give_back(pooled)

    @property
    def latest(self) -> requests.Session:
        """The session used last; a new one where none was."""
        self._leave_to_parent()
        latest = self._latest
        if latest is not None:
            return latest.session
        with self.lend() as pooled:
            return pooled.session

    def close(self) -> None:
        """Close the idle sessions; those on loan are closed when they come back."""
        self._leave_to_parent()
        with self._lock:
            self._generation = object()
            idle, self._idle = self._idle, []
            self._latest = None
        for pooled in idle:
            pooled.session.close()

    def renew(self, pooled: PooledSession) -> bool:
        """Put a new session in the place of one that its service refuses, without its cookies and its token.

        :returns: False for a caller's own session, which stays as it is
        """
        if pooled.generation is None:
            return False
        pooled.session.close()
        pooled.session, pooled.token, pooled.state = self._make(), None, {}
        return True

    def _take(self) -> PooledSession:
        if self._own is not None:
            return self._own
        self._leave_to_parent()
        with self._lock:
            if self._idle:
                return self._idle.pop()
            generation = self._generation
        return PooledSession(self._make(), generation=generation)

    def _leave_to_parent(self) -> None:
        if self._process != os.getpid():
            self._abandoned = self._idle  # kept, so that nothing closes them: their connections are the parent's
            self._reset()

    def _give_back(self, pooled: PooledSession) -> None:
        if pooled is self._own:
            return
        self._leave_to_parent()
        with self._lock:
            keep = pooled.generation == self._generation and len(self._idle) < self._size
            # Some services set a new cookie with each answer, and refuse the request that brings too many of them.
            keep = keep and pooled.cookie_bytes() <= MAX_COOKIE_BYTES
            if keep:
                self._idle.append(pooled)
                self._latest = pooled
        if not keep:
            pooled.session.close()


def refuses_headers(error: BaseException) -> bool:
    """Return whether an error says that the request's headers were too large; cookies make them so.

    nginx, Apache and gunicorn say it with status 400 in words of their own, others with 431.
    """
    if not isinstance(error, ProviderError):
        return False
    too_large = r"(?i)(?:header|cookie).{0,30}(?:too (?:large|long|big)|limit)"
    text = f"{error.message} {getattr(error, 'body', '')}"
    return error.status == 431 or (error.status == 400 and re.search(too_large, text) is not None)


def set_cookies(session: requests.Session, cookies: dict[str, str], host: str) -> None:
    """Put a caller's cookies into a session, for one host only."""
    name = f"[{host}]" if ":" in host else host
    domain = name if "." in name else f"{name}.local"  # as http.cookiejar names hosts without a dot
    for name, value in cookies.items():
        session.cookies.set_cookie(create_cookie(name, value, domain=domain))  # type: ignore[no-untyped-call]
