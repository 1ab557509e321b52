"""Which request a fault strikes: selectors, counting, and the list of waiting faults."""

from __future__ import annotations

import inspect
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .fault_kinds import FAULTS, Strike
from .record import ReceivedRequest
from .reply import Reply


@dataclass(frozen=True)
class Selector:
    """Say which requests a fault is for; ``None`` matches everything.

    With neither ``path`` nor ``step`` only prompts match, because that is what is nearly always
    meant. ``path`` is a glob. ``reused`` tells requests on a fresh connection (False) from those
    on a connection that served one before (True).
    """

    path: str | None = None
    service: str | None = None
    step: str | None = None
    reused: bool | None = None

    def matches(self, request: ReceivedRequest) -> bool:
        """Return whether a request matches."""
        step = self.step
        if step is None and self.path is None:
            step = "prompt"
        return (
            (step is None or request.step == step)
            and (self.path is None or fnmatchcase(request.path, self.path))
            and (self.service is None or request.service == self.service)
            and (self.reused is None or request.reused is self.reused)
        )


@dataclass
class _Waiting:
    name: str
    selector: Selector
    nth: int
    times: int | None
    settings: dict[str, Any]
    seen: int = field(default=0)

    def used_up(self) -> bool:
        return self.times is not None and self.seen >= self.nth - 1 + self.times


class Faults:
    """Keep the faults that wait; the oldest one that is due strikes. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, name: str, selector: Selector, nth: int, times: int | None, settings: dict[str, Any]) -> None:
        """Add a fault: from the ``nth`` matching request on, ``times`` times (None: for ever).

        :raises ValueError: if there is no such fault, or a number is not one of times
        :raises TypeError: if the fault has no such setting
        """
        kind = FAULTS.get(name)
        if kind is None:
            raise ValueError(f"no fault is called {name!r}; there are: {', '.join(FAULTS)}")
        if nth < 1 or (times is not None and times < 1):
            raise ValueError("nth and times count from 1; times=None is for ever")
        try:
            inspect.signature(kind).bind(None, **settings)
        except TypeError as error:
            raise TypeError(f"fault {name!r}: {error}") from None
        with self._lock:
            self._waiting.append(_Waiting(name, selector, nth, times, settings))

    def refuses_connection(self) -> bool:
        """Tell, once per accepted connection, whether it is to be refused."""
        with self._lock:
            return self._due("refuse", None) is not None

    def strike(self, strike: Strike) -> Reply:
        """Answer a request: with the fault that is due, or the service's own reply."""
        with self._lock:
            fault = self._due(None, strike.request)
        if fault is None:
            return strike.reply()
        strike.request.fault = fault.name
        return FAULTS[fault.name](strike, **fault.settings)

    def clear(self) -> None:
        """Remove them all."""
        with self._lock:
            self._waiting.clear()

    def _due(self, name: str | None, request: ReceivedRequest | None) -> _Waiting | None:
        """Count the request (or, without one, the connection) and find the fault to strike."""
        for fault in self._waiting:
            if request is None:
                matches = fault.name == name
            else:
                matches = fault.name != "refuse" and fault.selector.matches(request)
            if not matches or fault.used_up():
                continue
            fault.seen += 1
            if fault.seen >= fault.nth:
                return fault
        return None
