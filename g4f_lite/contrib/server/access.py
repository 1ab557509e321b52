"""Who may call the server: keys, and pages of other sites in the user's browser."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from ...arguments import hide_keys
from ...http.urls import is_loopback
from .failures import ApiError
from .request import Request

ALLOWED_METHODS = "GET, POST, OPTIONS"
PREFLIGHT_SECONDS = 600
_OTHER_SITES = ("cross-site", "same-site")  # of a request without CORS, which has no Origin, such as one for an image
EXPOSED = "x-ignored-fields, retry-after"
_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class Access:
    """Checks requests before they reach a provider.

    Without a key, every program on this machine may use it, and nobody else.  A page of another site must not reach it
    by the user's browser: its ``Host`` must be a name of this machine, which a domain that was rebound to 127.0.0.1 is
    not.  What a proxy passes on may come from anywhere, and is known by what most of them add.

    :param api_key: the key that each request must have; None for none
    :param origins: the origins of other sites whose pages may call the server
    """

    def __init__(self, api_key: str | None, origins: Iterable[str]) -> None:
        if isinstance(origins, str):
            raise TypeError("origins must be a list of origins, not a string")
        self._key = None if api_key is None else api_key.encode()
        self._origins = frozenset(map(_checked_origin, origins))

    def check(self, request: Request) -> None:
        """Check where a request comes from.

        :raises ApiError: if it comes from a page of a site that is not allowed
        """
        if self._key is None and not _is_of_this_machine(request):
            raise ApiError(
                403,
                "a server without a key answers only to programs on this machine, at localhost or 127.0.0.1 and "
                "without a proxy: use such an address, or start the server with a key",
                code="host_not_allowed",
            )
        origin = request.header("Origin")
        if not origin and request.path.startswith("/v1/") and request.header("Sec-Fetch-Site") in _OTHER_SITES:
            raise ApiError(403, "pages of other sites may not call this server", code="origin_not_allowed")
        is_own = not origin or origin.partition("://")[2] == request.header("Host")
        if not is_own and origin not in self._origins:
            raise ApiError(
                403,
                f"pages of {origin:.200} may not call this server; start it with --origin {origin:.200}",
                code="origin_not_allowed",
            )

    def check_key(self, request: Request) -> None:
        """Check the key of a request.

        :raises ApiError: if it is missing or wrong
        """
        if self._key is None:
            return
        scheme, _, given = request.header("Authorization").partition(" ")
        # WSGI decodes headers as Latin-1
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._key)
        if scheme.lower() != "bearer" or not right:
            what = "the key is wrong" if given else "there is no key"
            raise ApiError(
                401,
                f"{what}: send the header Authorization: Bearer KEY, with the key that this server was started with",
                code="invalid_api_key",
                headers=[("WWW-Authenticate", "Bearer")],
            )

    def headers(self, request: Request) -> list[tuple[str, str]]:
        """Return the headers that let a page of an allowed site read the response."""
        if not self._origins:
            return []
        origin = request.header("Origin")
        if origin not in self._origins:
            return [("Vary", "Origin")]
        allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED)]
        if request.method == "OPTIONS":
            allowed += [
                ("Access-Control-Allow-Methods", ALLOWED_METHODS),
                ("Access-Control-Allow-Headers", request.header("Access-Control-Request-Headers") or "content-type"),
                ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
            ]
        return [("Vary", "Origin"), *allowed]


def _is_of_this_machine(request: Request) -> bool:
    address = request.environ.get("REMOTE_ADDR", "").removeprefix("::ffff:") or "127.0.0.1"  # none: a Unix socket
    client = f"http://[{address}]" if ":" in address else f"http://{address}"
    near = is_loopback(f"http://{request.header('Host')}") and is_loopback(client)
    return near and not any(map(request.header, _OF_PROXIES))


def _checked_origin(origin: str) -> str:
    """Return an origin as browsers send it.

    :raises ValueError: if it is not a scheme and a host
    """
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(
            f"an origin is a scheme and a host, such as https://chat.example.org, not {hide_keys(origin)!r}"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
