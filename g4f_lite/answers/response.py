"""The head of a service's response, for callers that want to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Response(NamedTuple):
    """What a service sent before its answer.

    :param status: the HTTP status
    :param headers: the headers; their names may be read in any case
    """

    status: int
    headers: Mapping[str, str]
