"""How long a call may take, and how often it is tried: plain policies."""

from __future__ import annotations

import os
import threading
from dataclasses import astuple, dataclass
from typing import Any, Literal, Union

import tenacity

TimeoutLike = Union["Timeout", float, tuple[float | None, float | None], None]

# HTTP statuses of a trouble that passes by waiting.  520 to 524 are Cloudflare's, for a server behind it that fails;
# 529 says that a service is overloaded.
PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})
REFUSING_STATUSES = frozenset({400, 413, 415, 422})  # that say that the request is at fault
WAIT_SHARE = 0.8  # of the time left, which a wait that a service asks for may take: the rest is for the answer


@dataclass(frozen=True)
class Timeout:
    """Four limits in seconds; None is no limit.

    :param connect: until one address accepts a connection, and until its TLS handshake is done
    :param read: of silence, until the next bytes come: before a prompt is sent, and from its first delta on
    :param total: of the whole call, with its bootstrap, retries, waits and stream
    :param first: of silence between a prompt's last byte and its first delta, in which a model may be thinking
    """

    connect: float | None = 10.0
    read: float | None = 60.0
    total: float | None = 600.0
    first: float | None = 300.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "total", "first"):
            object.__setattr__(self, name, _seconds(getattr(self, name), f"the {name} timeout"))

    @classmethod
    def of(cls, value: TimeoutLike, default: Timeout | None = None) -> Timeout:
        """Make a Timeout of what a caller gave.

        :param value: a Timeout, seconds for the whole call, or a pair (connect, read) as in requests, whose read limit
            is also that until the first delta
        :param default: what None means, and whose total limit a pair has
        :raises TypeError: if the value is something else
        :raises ValueError: if a limit is not a positive number
        """
        if value is None:
            return default or cls()
        if isinstance(value, Timeout):
            return value
        if isinstance(value, tuple):
            if len(value) != 2:
                raise ValueError(f"a timeout pair is (connect, read); this one has {len(value)} values")
            return cls(value[0], value[1], default.total if default else cls.total, value[1])
        seconds = _seconds(value, "timeout")
        return cls(cls.connect if seconds is None else min(10.0, seconds), seconds, seconds, seconds)

    def within(self, other: Timeout) -> Timeout:
        """Return the shorter one of each limit."""
        limits = (
            [each for each in pair if each is not None] for pair in zip(astuple(self), astuple(other), strict=True)
        )
        return Timeout(*(min(given, default=None) for given in limits))

    @classmethod
    def of_environment(cls) -> Timeout | None:
        """Read ``G4F_LITE_TIMEOUT``, the seconds for a whole call; None where it is not set.

        :raises ValueError: if it is not a positive number
        """
        value = os.environ.get("G4F_LITE_TIMEOUT")
        if not value:
            return None
        try:
            return cls.of(float(value))
        except ValueError:  # which quotes the value, and that may be a key by mistake
            raise ValueError("G4F_LITE_TIMEOUT must be a positive number of seconds, such as 30") from None


@dataclass(frozen=True)
class Allowance:
    """What a call may take besides its timeout, where it is one of several: of a member of a chain, or in a batch.

    :param share: seconds until the first delta in all; None without such a limit
    :param patience: seconds of waits in all that its service asks for; None leaves them to the retry policy
    :param has_fallback: whether another provider can be asked, so that a long wait is left to the chain
    """

    share: float | None = None
    patience: float | None = None
    has_fallback: bool = False


ALONE = Allowance()  # of a call that is neither in a chain nor in a batch


def _seconds(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError(f"{name} must be seconds, not {value}")
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be seconds, not {type(value).__name__}")
    if not value > 0:
        raise ValueError(f"{name} must be more than 0 seconds, not {value}")
    return float(value) if value < threading.TIMEOUT_MAX else None  # longer than any lock can wait, such as sys.maxsize


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and after which waits.

    :param attempts: requests in all, the first one included
    :param backoff: seconds; the n-th wait is drawn from 0 … backoff · 2ⁿ⁻¹ ("full jitter")
    :param max_backoff: seconds, the longest of these waits; and what a member of a chain waits in all for Retry-After
        while others are behind it
    :param max_retry_after: seconds, the longest Retry-After that is waited for; where a service asks for more,
        its error is raised at once, with ``retry_after``
    :param budget: retries that all calls of one provider have in hand together; each success gives half a retry back
    :param statuses: HTTP statuses that are retried
    """

    attempts: int = 3
    backoff: float = 0.5
    max_backoff: float = 8.0
    max_retry_after: float = 60.0
    budget: float = 20
    statuses: frozenset[int] = PASSING_STATUSES

    def __post_init__(self) -> None:
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int):
            raise TypeError(f"attempts must be a whole number, not {type(self.attempts).__name__}")
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")
        for name in ("backoff", "max_backoff", "max_retry_after"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 seconds or more, not {getattr(self, name)}")
        if not self.budget >= 0:
            raise ValueError(f"budget must be 0 retries or more, not {self.budget}")
        object.__setattr__(self, "statuses", frozenset(self.statuses))


RETRY = RetryPolicy()  # where none is given
RetryLike = RetryPolicy | tenacity.Retrying | None
CallRetry = RetryLike | Literal["own"]  # of one call; "own" is the provider's own


def check_retry(retry: Any) -> RetryLike:
    """Check a ``retry=`` argument.

    :raises TypeError: if it is not a RetryPolicy, a ``tenacity.Retrying`` or None
    """
    if retry is None or isinstance(retry, (RetryPolicy, tenacity.Retrying)):
        return retry
    kind = type(retry).__name__
    hint = "; this SDK is synchronous, use tenacity.Retrying" if "Async" in kind or "Tornado" in kind else ""
    raise TypeError(f"retry must be a RetryPolicy, a tenacity.Retrying or None, not {kind}{hint}")
