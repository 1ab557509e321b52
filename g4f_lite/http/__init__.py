"""Requests and their answers as bytes on the wire.  Knows requests, urllib3 and time limits, and no provider."""

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
