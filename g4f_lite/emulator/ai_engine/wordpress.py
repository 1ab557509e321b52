"""What a WordPress site does by itself: REST routes, PHP's ways with values, error answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..record import ReceivedRequest
from ..reply import Header, Reply, bytes_reply, html_reply
from ..settings import Settings

JSON_TYPE = "application/json; charset=UTF-8"

_PHP_BLANKS = " \t\n\r\0\x0b"
_UNCACHED = [
    ("Expires", "Wed, 11 Jan 1984 05:00:00 GMT"),
    ("Cache-Control", "no-cache, must-revalidate, max-age=0"),
]
_FATAL_PAGE = (
    "<p>There has been a critical error on this website.</p><p><a"
    ' href="https://wordpress.org/support/article/faq-troubleshooting/">Learn more about'
    " troubleshooting WordPress.</a></p>"
)
_WARNING = (
    "<br />\n<b>Warning</b>:  Undefined array key &quot;theme&quot; in"
    " <b>/var/www/html/wp-content/themes/site/functions.php</b> on line <b>12</b><br />\n"
)
_NGINX_PAGE = "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n</body>\n</html>\n"


def rest_route(request: ReceivedRequest, settings: Settings) -> str | None:
    """Return the REST route of a request; ``None`` if it is for a page.

    ``index.php`` takes the route as a parameter whatever the site's permalinks are.
    """
    prefix = f"/{settings.rest_prefix}/"
    if settings.permalinks == "pretty" and request.path.startswith(prefix):
        return request.path[len(prefix) - 1 :]
    return request.query.get("rest_route") if request.path in ("/", "/index.php") else None


def rest_path(settings: Settings) -> str:
    """Return the path below which the REST routes are, as the site's pages say it."""
    return f"/{settings.rest_prefix}" if settings.permalinks == "pretty" else "/index.php?rest_route="


def missing_rest(settings: Settings, page: str) -> Reply:
    """Answer ``/wp-json/…`` on a site that has no REST routes there.

    Without permalinks the web server answers: with a 404 of its own, or with the home page.

    :param page: the site's home page
    """
    if settings.permalinks == "plain-home":
        return html_reply(200, page)
    return html_reply(404, _NGINX_PAGE if settings.permalinks == "plain" else "<title>Page not found</title>")


def php_trim(value: object) -> str:
    """Turn a scalar of JSON into a string as PHP does, and trim it."""
    if value is None or value is False:
        return ""
    return ("1" if value is True else str(value)).strip(_PHP_BLANKS)


def php_json(value: object) -> str:
    """Write JSON as PHP does: no blanks, non-ASCII and slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def php_reply(status: int, value: object, headers: Iterable[Header] = (), *, warning: bool = False) -> Reply:
    """Answer with JSON as PHP writes it.

    :param warning: whether a warning of PHP's stands in front of the JSON
    """
    text = (_WARNING if warning else "") + php_json(value)
    return bytes_reply(status, JSON_TYPE, text.encode(), headers)


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


def no_route(headers: Iterable[Header]) -> Reply:
    """Answer for a route or a method that does not exist."""
    message = "No route was found matching the URL and request method."
    return wordpress_error(404, "rest_no_route", message, headers)


def options_reply(route: str, headers: Iterable[Header]) -> Reply:
    """Answer OPTIONS for a route that takes POST."""
    description = {
        "namespace": "/".join(route.strip("/").split("/")[:2]),
        "methods": ["POST"],
        "endpoints": [{"methods": ["POST"], "args": []}],
    }
    return php_reply(200, description, [("Allow", "POST"), *headers])


def invalid_nonce(headers: Iterable[Header]) -> Reply:
    """Refuse a nonce that is wrong, expired or empty."""
    return wordpress_error(403, "rest_cookie_invalid_nonce", "Cookie check failed", [*headers, *_UNCACHED])


def fatal_error(headers: Iterable[Header]) -> Reply:
    """Answer as WordPress does after a PHP fatal error in the plugin."""
    error = {
        "code": "internal_server_error",
        "message": _FATAL_PAGE,
        "data": {"status": 500},
        "additional_errors": [],
    }
    return php_reply(500, error, [*headers, *_UNCACHED])
