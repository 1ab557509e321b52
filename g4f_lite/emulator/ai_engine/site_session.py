"""The nonce and the cookies of one request to a WordPress site, and the headers of its answer."""

from __future__ import annotations

import secrets

from ..exchange import Exchange
from ..record import ReceivedRequest
from ..reply import Header
from ..tokens import State, Tokens

_CHAT_COOKIE = "mwai_session_id"
_PHP_COOKIE = "PHPSESSID"
_SHOP_COOKIE = "wp_woocommerce_session"
_LOGIN_COOKIE = "wordpress_logged_in_"


def logged_in_user(request: ReceivedRequest) -> str:
    """Tell who is logged in, by the cookie of wp-login; empty for a guest."""
    users = (value for name, value in request.cookies.items() if name.startswith(_LOGIN_COOKIE))
    return next((f"user {value}" for value in users), "")


class SiteSession:
    """Check one request's nonce, counting its use, and gather the headers of its answer.

    ``nonce_state`` is ``None`` if the request carries no nonce. An accepted nonce is answered with
    the newest one in the header ``X-WP-Nonce``; ``newer_nonce`` is that one if it differs.
    """

    def __init__(self, exchange: Exchange, nonces: Tokens) -> None:
        request, settings = exchange.request, exchange.settings
        self._limits = settings.token_uses, settings.token_seconds
        self._nonces = nonces
        self._cookies = request.cookies
        self.headers: list[Header] = []
        self.nonce_state: State | None = None
        self.newer_nonce: str | None = None
        self.user = logged_in_user(request)
        # WordPress gives all its guests the same nonce; a shop's plugin ties it to a cookie.
        self._guest = self._cookie(_SHOP_COOKIE) if settings.nonce_cookie and not self.user else ""
        nonce = request.headers.get("X-WP-Nonce", request.query.get("_wpnonce"))
        # The REST API takes a logged-in user for a guest until a nonce of that user's comes.
        self._owner = self._guest if nonce is None else self.user or self._guest
        if nonce is None:
            return
        self.nonce_state = nonces.use(nonce, *self._limits, self._owner)
        if self.nonce_state != "refused" and settings.renew_nonces:
            newest = self.newest_nonce()
            self.headers.append(("X-WP-Nonce", newest))
            self.newer_nonce = newest if newest != nonce else None

    def newest_nonce(self) -> str:
        """Return the nonce that the REST API hands out now."""
        return self._nonces.newest(self._owner, *self._limits)

    def page_nonce(self) -> str:
        """Return the nonce that a page shows now; a page knows who is logged in by the cookie alone."""
        return self._nonces.newest(self.user or self._guest, *self._limits)

    def known_chat_session(self) -> str | None:
        """Return the plugin's session id if the client has sent one."""
        return self._cookies.get(_CHAT_COOKIE)

    def chat_session(self) -> str:
        """Return the plugin's session id; a client without one gets it as a cookie."""
        return self._cookie(_CHAT_COOKIE)

    def php_session(self) -> str:
        """Give PHP's session id; a client without one gets it as a cookie."""
        return self._cookie(_PHP_COOKIE)

    def _cookie(self, name: str) -> str:
        if name not in self._cookies:
            self._cookies[name] = secrets.token_hex(13)
            self.headers.append(("Set-Cookie", f"{name}={self._cookies[name]}; path=/; HttpOnly"))
        return self._cookies[name]
