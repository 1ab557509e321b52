"""Bytes on the wire.  Knows requests, urllib3 and time; knows no provider."""

from ..timeout import RetryPolicy, Timeout
from .body import Body, iter_lines, parse_json
from .deadline import Deadline
from .events import Event, iter_events
from .exchange import Exchange, Route
from .pool import SessionPool, Visitor
from .retry import RetryBudget

__all__ = [
    "Body",
    "Deadline",
    "Event",
    "Exchange",
    "RetryBudget",
    "RetryPolicy",
    "Route",
    "SessionPool",
    "Timeout",
    "Visitor",
    "iter_events",
    "iter_lines",
    "parse_json",
]
