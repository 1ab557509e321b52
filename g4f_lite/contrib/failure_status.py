"""The status of a failed call, the same for the visitors of a web app and the clients of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from ..errors import (
    AllProvidersFailedError,
    ContextLengthExceededError,
    DeadlineExceededError,
    G4FLiteError,
    StreamInterruptedError,
)
from ..http.retry import may_pass

E = TypeVar("E", bound=BaseException)

TOO_LONG, MAY_PASS, TIMEOUT, FAILED = 413, 503, 504, 502  # in this order: which of them a chain has


def status_of(error: E) -> tuple[int, list[E | G4FLiteError]]:
    """Return the status of a failed call, and its errors that have this status: of a chain, those of members.

    A chain has the status that helps most: what a shorter prompt mends, then what time does.  It is the same whether a
    member was asked or skipped, as each process of a server skips members of its own.
    """
    found: dict[int, list[E | G4FLiteError]] = {}
    for each in members_of(error):
        found.setdefault(_status(each), []).append(each)
    status = next(each for each in (TOO_LONG, MAY_PASS, TIMEOUT, FAILED) if each in found)
    return status, found[status]


def members_of(error: E) -> Iterator[E | G4FLiteError]:
    """Iterate the errors of a chain's members, also those of a chain in it; another error is given as it is."""
    if isinstance(error, AllProvidersFailedError) and error.errors:
        for each in error.errors:
            yield from members_of(each)
    else:
        yield error


def _status(error: BaseException) -> int:
    if isinstance(error, ContextLengthExceededError):
        return TOO_LONG
    if not may_pass(error) or isinstance(error, StreamInterruptedError):
        return FAILED
    return TIMEOUT if isinstance(error, DeadlineExceededError) and error.limit != "connect" else MAY_PASS
