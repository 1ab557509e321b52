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


def check_source(returned: Source, provider: str) -> Source:
    """Return what ``begin`` of a provider has returned.

    :raises HookError: if it is not a source
    """
    if hasattr(returned, "close"):  # as generators have, and nothing that is returned by mistake
        return returned
    raise HookError(f"returned {shown(returned)}; write it with yield", provider=provider, step="begin")
