"""Where the nonce of a WordPress site comes from, and where its REST API is.

A guest gets one from AI Engine's ``start_session``; a user who is logged in cannot use that one, and gets another
from WordPress itself or from the page.  Sites with plain permalinks, or with a renamed REST prefix, have their API
elsewhere.  Source: the plugin's versions 2.4.3 to 3.6.2 on WordPress 6.9 and 7.0.
"""

from __future__ import annotations

from typing import Any

import requests

from ...errors import AuthenticationError, ChallengeError, ProviderError, ServiceError
from ...http.body import Body
from ...http.checks import raise_challenge
from ...http.exchange import Exchange
from ..call import Service
from .nonce import SESSION, nonce_in_page, read_page, read_session, read_wordpress, rest_in_page

PLAIN_PERMALINKS = "/index.php?rest_route="  # where a site has no rewrite rules; older plugins do not answer at /?…
FROM_WORDPRESS = "/wp-admin/admin-ajax.php?action=rest-nonce"
_LOGGED_IN = "logged in"  # noted with a session whose nonce of start_session was refused


class Site:
    """One bootstrap of a site.

    :param service: the provider
    :param exchange: sends its requests
    :param headers: the headers of these requests
    :param home: the site's address
    :param rest: the address of its REST API
    :ivar rest: the address at which it was found
    """

    def __init__(self, service: Service, exchange: Exchange, headers: dict[str, Any], home: str, rest: str) -> None:
        self.rest = rest
        self._service = service
        self._exchange = exchange
        self._headers = headers
        self._home = home

    def fetch_nonce(self, session_path: str) -> str:
        """Fetch a nonce; after a refused one that was just fetched, from the other source.

        :param session_path: the path of ``start_session`` in the REST API
        :raises G4FLiteError: if the site gives none
        """
        state = self._exchange.pooled.state
        if self._exchange.bootstraps:
            state[_LOGGED_IN] = not state.get(_LOGGED_IN)
        if state.get(_LOGGED_IN):
            try:
                return self._of_wordpress() or read_page(self._page_if_any(), self._home)
            except ServiceError:
                state[_LOGGED_IN] = False  # nobody is: the nonce was refused for another reason
                raise
        for rest in dict.fromkeys([self.rest, self._home + PLAIN_PERMALINKS]):
            if nonce := self._start_session(rest, session_path):
                return nonce
        page = self._page()
        rest = rest_in_page(page, self._home) or self.rest
        if rest != self.rest and (nonce := self._start_session(rest, session_path)):
            return nonce
        self.rest = rest
        return read_page(page, self._home)

    def _start_session(self, rest: str, path: str) -> str | None:
        """Ask AI Engine for a session's nonce; None where this is not the address of its REST API."""
        try:
            body, text = self._fetch("POST", rest + path)
        except ProviderError as error:
            if isinstance(error, ChallengeError) or error.status not in (404, 405):
                raise
            return None
        if text.lstrip().startswith("<") and SESSION not in text:  # the home page, by the rules of some web servers
            raise_challenge(body, text)
            return None
        self.rest = rest
        return read_session(body.status, text)

    def _of_wordpress(self) -> str | None:
        """Ask WordPress for the nonce of a user who is logged in; None where it gives none."""
        body = self._send("GET", self._home + FROM_WORDPRESS)
        text = body.beginning(200).decode("utf-8", "replace").strip()
        body.close()
        return read_wordpress(text) if body.status == 200 else None

    def _page(self) -> str:
        body, page = self._fetch("GET", self._home + "/")
        if nonce_in_page(page) is None:
            raise_challenge(body, page)
        return page

    def _page_if_any(self) -> str:
        try:
            return self._page()
        except AuthenticationError:
            return ""

    def _fetch(self, method: str, url: str) -> tuple[Body, str]:
        """Send a request that must succeed; return the response and its text."""
        body = self._send(method, url)
        try:
            if body.status != 200:
                self._service.check_response(body)
            return body, body.read().decode("utf-8", "replace")
        finally:
            body.close()

    def _send(self, method: str, url: str) -> Body:
        return self._exchange.send(requests.Request(method, url, headers=self._headers), "bootstrap")
