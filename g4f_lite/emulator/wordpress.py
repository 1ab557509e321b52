"""The parts of a WordPress site that its plugins share: REST routes, PHP's JSON, error answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .record import ReceivedRequest
from .reply import Header, Reply, bytes_reply

JSON_TYPE = "application/json; charset=UTF-8"

_UNCACHED = [
    ("Expires", "Wed, 11 Jan 1984 05:00:00 GMT"),
    ("Cache-Control", "no-cache, must-revalidate, max-age=0"),
]
_FATAL_PAGE = (
    "<p>There has been a critical error on this website.</p><p><a"
    ' href="https://wordpress.org/support/article/faq-troubleshooting/">Learn more about'
    " troubleshooting WordPress.</a></p>"
)


def rest_route(request: ReceivedRequest) -> str | None:
    """Give the REST route of a request, which sites without pretty links have in the query."""
    if request.path.startswith("/wp-json/"):
        return request.path[len("/wp-json") :]
    return request.query.get("rest_route") if request.path == "/" else None


def php_json(value: object) -> str:
    """Write JSON as PHP does: no blanks, non-ASCII and slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def php_reply(status: int, value: object, headers: Iterable[Header] = ()) -> Reply:
    """Answer with JSON as PHP writes it."""
    return bytes_reply(status, JSON_TYPE, php_json(value).encode(), headers)


def wordpress_error(
    status: int,
    code: str,
    message: str,
    headers: Iterable[Header] = (),
    details: dict[str, Any] | None = None,
) -> Reply:
    """Answer with an error of WordPress's own."""
    error = {"code": code, "message": message, "data": {"status": status, **(details or {})}}
    return php_reply(status, error, headers)


def invalid_nonce() -> Reply:
    """Refuse a nonce that is wrong, expired or empty."""
    return wordpress_error(403, "rest_cookie_invalid_nonce", "Cookie check failed", _UNCACHED)


def fatal_error(headers: Iterable[Header]) -> Reply:
    """Answer as WordPress does when the plugin dies of a PHP fatal error."""
    error = {
        "code": "internal_server_error",
        "message": _FATAL_PAGE,
        "data": {"status": 500},
        "additional_errors": [],
    }
    return php_reply(500, error, [*headers, *_UNCACHED])
