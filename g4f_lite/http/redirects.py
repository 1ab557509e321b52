"""Follows a redirect that stays on the same server; requests would take a prompt anywhere."""

from __future__ import annotations

import copy
from urllib.parse import urljoin, urlsplit

import requests

from .body import Body
from .exchange import Exchange
from .urls import DEFAULT_PORTS, parse_origin

MAX_REDIRECTS = 3
_KEEPS_METHOD = (307, 308)
_FOLLOWED_BY_GET = (301, 302, 303, *_KEEPS_METHOD)


def send(exchange: Exchange, request: requests.Request, step: str) -> Body:
    """Send a request, follow up to three redirects to the same scheme, host and port, and give the response.

    Method, headers and body stay the same, and whoever gets them is the one that was meant to.  Any other
    redirect is given as it is.

    :param step: ``"bootstrap"``, ``"prompt"`` or ``"image"``
    """
    for _ in range(MAX_REDIRECTS):
        body = exchange.send(request, step)
        followed = _FOLLOWED_BY_GET if request.method == "GET" else _KEEPS_METHOD
        target = target_of(body) if body.status in followed else None
        if target is None or parse_origin(target) != parse_origin(request.url):
            return body
        body.drain()
        request = copy.copy(request)
        request.url = target
    return exchange.send(request, step)


def target_of(body: Body) -> str | None:
    """Return the absolute address that a redirect leads to; None where it names none of http or https."""
    location = body.headers.get("Location")
    try:
        target = urljoin(body.response.url, location) if location else ""
        parts = urlsplit(target)
    except ValueError:
        return None
    return target if parts.scheme in DEFAULT_PORTS and parts.hostname and "@" not in parts.netloc else None
