"""The head of a service's response, for callers that want to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Response(NamedTuple):
    """What a service sent before its answer; its headers may hold a cookie, so no copy and no repr has them.

    :param status: the HTTP status
    :param headers: the headers; their names may be read in any case
    """

    status: int
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Response(status={self.status})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Response, (self.status, {})
