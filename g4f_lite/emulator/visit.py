"""What a visitor of a WordPress site brings along, a nonce and cookies, and what they are given."""

from __future__ import annotations

import secrets

from .exchange import Exchange
from .reply import Header
from .tokens import State, Tokens

_CHAT_COOKIE = "mwai_session_id"
_PHP_COOKIE = "PHPSESSID"
_SHOP_COOKIE = "wp_woocommerce_session"


class Visit:
    """Judge one request's nonce, counting its use, and gather the headers of its answer.

    ``nonce_state`` is ``None`` when the request carries no nonce; an accepted one is answered with
    the newest in the header ``X-WP-Nonce``. ``newer_nonce`` is that one where it is another one.
    """

    def __init__(self, exchange: Exchange, nonces: Tokens) -> None:
        request, settings = exchange.request, exchange.settings
        self._settings = settings
        self._nonces = nonces
        self._cookies = request.cookies
        self.headers: list[Header] = []
        self.nonce_state: State | None = None
        self.newer_nonce: str | None = None
        # WordPress gives all its guests the same nonce; a shop's plugin ties it to the visitor.
        self._owner = self._cookie(_SHOP_COOKIE) if settings.nonce_cookie else ""
        nonce = request.headers.get("X-WP-Nonce", request.query.get("_wpnonce"))
        if nonce is None:
            return
        limits = settings.token_uses, settings.token_seconds
        self.nonce_state = nonces.use(nonce, *limits, self._owner)
        if self.nonce_state != "refused" and settings.renew_nonces:
            newest = self.newest_nonce()
            self.headers.append(("X-WP-Nonce", newest))
            self.newer_nonce = newest if newest != nonce else None

    def newest_nonce(self) -> str:
        """Give the nonce that this visitor gets now."""
        settings = self._settings
        return self._nonces.newest(self._owner, settings.token_uses, settings.token_seconds)

    def known_chat_session(self) -> str | None:
        """Give the plugin's session id if the visitor has brought one."""
        return self._cookies.get(_CHAT_COOKIE)

    def chat_session(self) -> str:
        """Give the plugin's session id; a visitor without one gets it as a cookie."""
        return self._cookie(_CHAT_COOKIE)

    def php_session(self) -> str:
        """Give PHP's session id; a visitor without one gets it as a cookie."""
        return self._cookie(_PHP_COOKIE)

    def _cookie(self, name: str) -> str:
        if name not in self._cookies:
            self._cookies[name] = secrets.token_hex(13)
            self.headers.append(("Set-Cookie", f"{name}={self._cookies[name]}; path=/; HttpOnly"))
        return self._cookies[name]
