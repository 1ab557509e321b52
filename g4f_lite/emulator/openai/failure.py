"""A failure of the OpenAI-compatible server, and its usual form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..reply import Header, Reply, json_reply
from ..service import FailureKind

# kind: (status, message, type, code), in the words of OpenAI's own server.
_USUAL: dict[FailureKind, tuple[int, str, str, str]] = {
    "error": (
        500,
        "The server had an error while processing your request. Sorry about that!",
        "server_error",
        "server_error",
    ),
    "limit": (429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    "quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "rejected": (
        400,
        "Your request was rejected as a result of our safety system.",
        "invalid_request_error",
        "content_policy_violation",
    ),
}


@dataclass(frozen=True)
class Failure:
    """Say what failed, before it has a form.

    ``seconds`` is how long a client must wait after a rate limit; ``None`` if nobody says it.
    ``forced`` is whether the emulator's user asked for this very status.
    """

    kind: FailureKind
    status: int
    message: str
    type: str
    code: str
    seconds: float | None = None
    forced: bool = False

    @classmethod
    def of(cls, kind: FailureKind, message: str | None, status: int | None, seconds: float | None) -> Failure:
        """Fill in what is usual for a kind."""
        usual, text, type_, code = _USUAL[kind]
        return cls(kind, status or usual, message or text, type_, code, seconds, status is not None)

    @property
    def error(self) -> dict[str, Any]:
        """Return the usual ``error`` object."""
        return {"message": self.message, "type": self.type, "param": None, "code": self.code}

    @property
    def wait(self) -> float:
        """Return the seconds to wait, 1 if nobody says them."""
        return 1.0 if self.seconds is None else self.seconds

    def reply(self) -> Reply:
        """Answer with the usual error."""
        headers = retry_after(self.seconds) if self.seconds is not None else []
        return json_reply(self.status, {"error": self.error}, headers)


def retry_after(seconds: float) -> list[Header]:
    """Return the header Retry-After, whose unit is whole seconds."""
    return [("Retry-After", str(math.ceil(seconds)))]


def refusal(
    status: int,
    message: str,
    type_: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Iterable[Header] = (),
) -> Reply:
    """Refuse a request with the usual error."""
    return json_reply(status, {"error": {"message": message, "type": type_, "param": param, "code": code}}, headers)
