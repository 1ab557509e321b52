"""Headers and a query for one prompt alone: ``extra_headers`` and ``extra_query``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests.structures import CaseInsensitiveDict

from ...http.redact import secrets_in_fields
from ..settings import check_fields
from .address import Query

# What frames a request or steers its connection; a caller's own would spoil those of other calls.
_NOT_THEIRS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "expect"}
    | {"proxy-authorization", "proxy-connection"}
)


def check_extras(options: Mapping[str, Any]) -> None:
    """Check what a call adds to its request.

    :raises TypeError: if one has a wrong type
    :raises ValueError: if a header cannot be sent, or is not the caller's to set
    """
    if headers := options.get("extra_headers"):
        for name in check_fields(headers, "extra_headers"):
            if name.lower() in _NOT_THEIRS:
                raise ValueError(f"extra_headers cannot set {name}: the connection is not this call's own")
    if query := options.get("extra_query"):
        query_pairs(query, "extra_query")


def headers_of(options: Mapping[str, Any], headers: Mapping[str, Any], auth: Any) -> tuple[Any, Any]:
    """Add a call's headers to those of the provider, and give what still has to sign the request.

    :param auth: what signs requests; a key in ``extra_headers`` takes its place
    """
    extra = options.get("extra_headers")
    if not extra:
        return headers, auth
    joined = CaseInsensitiveDict({**headers})
    joined.update(extra)
    signs = any(name.lower() in ("authorization", "api-key") for name in extra)
    return joined, (lambda request: request) if signs else auth  # None would make requests look into ~/.netrc


def query_of(options: Mapping[str, Any]) -> Query:
    """Return the query that a call adds."""
    return query_pairs(options.get("extra_query") or {}, "extra_query")


def secrets_of(options: Mapping[str, Any]) -> list[str]:
    """List what a call that is no prompt sends beside its body, and what in its ``extra_body`` may be secret."""
    beside = [*map(str, (options.get("extra_headers") or {}).values()), *(value for _, value in query_of(options))]
    return [*beside, *secrets_in_fields(options.get("extra_body"))]


def query_pairs(query: Any, name: str) -> Query:
    """Read a query that was given as an argument; its values are not shown.

    :param name: the argument, for the error
    :raises TypeError: if it is not a dict of texts, numbers and lists of these
    """
    if not isinstance(query, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(query).__name__}")
    pairs: Query = []
    for key, value in query.items():
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if not isinstance(key, str) or not isinstance(each, (str, int, float)):
                raise TypeError(f"{name} must be texts or numbers by their names; {key!r} is {type(each).__name__}")
            pairs.append((key, str(each).lower() if isinstance(each, bool) else str(each)))
    return pairs
