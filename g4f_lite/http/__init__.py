"""Requests and their answers as bytes on the wire.  Knows requests, urllib3 and time limits, and no provider."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..timeout import RetryPolicy, Timeout
    from .body import Body, iter_lines
    from .deadline import Deadline
    from .exchange import Exchange
    from .parsing import Event, iter_events, parse_json
    from .pool import PooledSession, SessionPool
    from .retry import RetryBudget
    from .route import Route

__all__ = [
    "Body",
    "Deadline",
    "Event",
    "Exchange",
    "PooledSession",
    "RetryBudget",
    "RetryPolicy",
    "Route",
    "SessionPool",
    "Timeout",
    "iter_events",
    "iter_lines",
    "parse_json",
]

# The module of each public name, imported when the name is first used.
_MODULES = {
    "Body": ".body",
    "Deadline": ".deadline",
    "Event": ".parsing",
    "Exchange": ".exchange",
    "PooledSession": ".pool",
    "RetryBudget": ".retry",
    "RetryPolicy": "..timeout",
    "Route": ".route",
    "SessionPool": ".pool",
    "Timeout": "..timeout",
    "iter_events": ".parsing",
    "iter_lines": ".body",
    "parse_json": ".parsing",
}

if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name], __name__), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
