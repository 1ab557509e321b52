"""What the hooks of a provider must not do while it is checked, and how its errors are shown: in few lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests

from ..answers.short_traceback import shortened
from ..errors import G4FLiteError
from ..http.body import Body
from ..http.exchange import Exchange
from ..providers.base import Provider
from .played_service import PlayedService

__tracebackhide__ = True  # from pytest


@contextmanager
def nothing_printed() -> Iterator[None]:
    """Raise if a ``with`` block prints something: the output of a program is its own."""
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        sys.stdout.write(printed.getvalue())
    first = printed.getvalue().partition("\n")[0]
    assert not printed.getvalue(), f"the provider prints {first!r:.80}; use logging.getLogger(__name__)"


@contextmanager
def nothing_sent_elsewhere(service: PlayedService) -> Iterator[None]:
    """Raise where a request goes to another server, such as the service itself, before it is sent."""
    send = Exchange.send

    def checked(exchange: Exchange, request: requests.Request, step: str, **settings: Any) -> Body:
        parts = urlsplit(str(request.url))
        if parts.netloc and step != "image" and f"{parts.scheme}://{parts.netloc}" != service.url:
            raise AssertionError(
                f"a request goes to {parts.scheme}://{parts.netloc}, and not to self.base_url, which is {service.url} "
                'here; write f"{self.base_url}/…"'
            )
        return send(exchange, request, step, **settings)

    with mock.patch.object(Exchange, "send", checked):
        yield


@contextmanager
def no_other_sessions(provider: Provider) -> Iterator[None]:
    """Raise where a hook sends something itself, without the proxy, the timeout and the retries of its call."""
    send = requests.Session.request

    def request(session: requests.Session, *arguments: Any, **settings: Any) -> requests.Response:
        if type(session) is requests.Session and session is not provider._own_session:
            raise AssertionError("requests is called directly; return or yield the Request, or use exchange.send")
        return send(session, *arguments, **settings)

    with mock.patch.object(requests.Session, "request", request):
        yield


@contextmanager
def short_causes() -> Iterator[None]:
    """Leave out of the cause of a failed check the lines of this library that lead to it."""
    try:
        yield
    except AssertionError as error:
        if isinstance(error.__cause__, G4FLiteError):
            shortened(error.__cause__)
        raise
