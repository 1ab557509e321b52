"""As much of a browser as most tests need."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from .servers import PATIENCE


@contextmanager
def getting(port: int, path: str, *, method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
    """Send a request, and leave at the end of the block, whatever has come."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path, headers=headers)
        with closing(connection.getresponse()) as response:
            yield response


def events(response: HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Give the name and the data of each event, as it comes."""
    name = "message"
    while line := response.readline():
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def within(seconds: float, condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds, and give its value."""
    until = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < until:
        time.sleep(0.01)
    return value
