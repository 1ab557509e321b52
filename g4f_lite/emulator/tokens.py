"""Tokens, nonces and session cookies: issued, counted, aged, refused."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Literal

State = Literal["good", "old", "refused"]


@dataclass
class _Token:
    owner: str
    issued: float
    uses: int = 0
    aged: bool = False


class Tokens:
    """Issue random hex tokens of ``length`` characters and tell whether one is still good.

    Limits come with each call, because the emulator's settings can change while it runs. A token
    is ``"old"``, still accepted, in the second half of its uses or seconds.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}

    def issue(self, owner: str = "") -> str:
        """Make a new token for ``owner``."""
        token = secrets.token_hex(self._length)[: self._length]
        with self._lock:
            self._tokens[token] = _Token(owner, time.monotonic())
        return token

    def newest(self, owner: str, uses: int | None, seconds: float | None) -> str:
        """Return the newest token of ``owner`` while it is young, else a new one."""
        with self._lock:
            for token, known in reversed(self._tokens.items()):
                if known.owner == owner:
                    if self._state(known, uses, seconds) == "good":
                        return token
                    break
        return self.issue(owner)

    def use(self, token: str, uses: int | None, seconds: float | None, owner: str | None = None) -> State:
        """Count one use and tell the token's state at it; ``owner`` must match if it is given."""
        with self._lock:
            known = self._tokens.get(token)
            if known is None or (owner is not None and known.owner != owner):
                return "refused"
            state = self._state(known, uses, seconds)
            known.uses += 1
            return state

    def age(self) -> None:
        """Make every issued token an old one."""
        with self._lock:
            for known in self._tokens.values():
                known.aged = True

    def expire(self) -> None:
        """Refuse every issued token."""
        with self._lock:
            self._tokens.clear()

    @staticmethod
    def _state(known: _Token, uses: int | None, seconds: float | None) -> State:
        age = time.monotonic() - known.issued
        if (uses is not None and known.uses >= uses) or (seconds is not None and age >= seconds):
            return "refused"
        if (
            known.aged
            or (uses is not None and known.uses * 2 >= uses > 1)
            or (seconds is not None and age * 2 >= seconds)
        ):
            return "old"
        return "good"
