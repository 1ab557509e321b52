"""Follows a redirect that stays on the same server; requests would take a prompt anywhere."""

from __future__ import annotations

import copy

import requests

from .body import Body
from .exchange import Exchange
from .urls import parse_origin, redirected

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
        target = redirected(body.response.url, body.headers.get("Location")) if body.status in followed else None
        if target is None or parse_origin(target) != parse_origin(request.url):
            return body
        body.drain()
        request = copy.copy(request)
        request.url = target
    return exchange.send(request, step)
