"""Where the deltas of an answer come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Protocol

from ..errors import HookError
from .deltas import Delta, checked, shown

# A step between a provider and the caller: takes the deltas of an answer and yields those to pass on.
Stage = Callable[[Generator[Delta, None, None]], Generator[Delta, None, None]]
Scrub = Callable[[BaseException], object]  # takes secrets out of an error and its causes, in place


class Source(Protocol):
    """The source of an answer's deltas, which is iterated once and may be closed from any thread.

    As with a generator, ``close`` may raise ValueError while another thread is running it.
    """

    def __iter__(self) -> Generator[Delta, None, None]: ...

    def close(self) -> None: ...


class CheckedSource(ABC):
    """The base class of sources whose deltas need no check, because they were checked where their hook was called."""

    def __init__(self) -> None:
        self._deltas = self._run()

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    @abstractmethod
    def _run(self) -> Generator[Delta, None, None]:
        """Yield the deltas."""

    @abstractmethod
    def close(self) -> None:
        """End the answer, from any thread."""


def deltas_of(source: Source, provider: str) -> Generator[Delta, None, None]:
    """Return the deltas of what a provider's ``begin`` returned.

    :param provider: its name, for the error
    :raises HookError: if it is not a source; the iterator raises it for what is not a delta
    """
    if not hasattr(source, "close"):  # as generators have, and nothing that is returned by mistake
        raise HookError(f"returned {shown(source)}; write it with yield", provider=provider, step="begin")
    return iter(source) if isinstance(source, CheckedSource) else checked(source, "begin")
