"""Where the deltas of an answer come from."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

from ..errors import HookError
from .deltas import Delta, shown

# A step between a provider and the caller: takes the deltas of an answer and yields those to pass on.
Stage = Callable[[Generator[Delta, None, None]], Generator[Delta, None, None]]
Scrub = Callable[[BaseException], object]  # takes secrets out of an error and its causes, in place


class Source(Protocol):
    """The source of an answer's deltas, which is iterated once and may be closed from any thread.

    As with a generator, ``close`` may raise ValueError while another thread is running it.
    """

    def __iter__(self) -> Generator[Delta, None, None]: ...

    def close(self) -> None: ...


def not_a_source(returned: object, provider: str) -> HookError:
    """Make the error for what ``begin`` of a provider returned in place of a source."""
    return HookError(f"returned {shown(returned)}; write it with yield", provider=provider, step="begin")
