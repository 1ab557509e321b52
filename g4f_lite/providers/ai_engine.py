"""Any WordPress site that runs the plugin AI Engine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import requests

from ..deltas import Delta
from ..errors import ChallengeError, G4FLiteError, ProviderError, ServiceError
from ..http.body import Body, origin_of
from ..http.checks import check, raise_challenge
from ..http.exchange import Exchange
from ..image_fetch import fetch_image
from ..messages import Messages, get_random_string
from . import ai_engine_wire as wire
from .arguments import check_text_only
from .base import Provider
from .call import fetch


class AiEngine(Provider):
    """A WordPress site whose chatbot is the plugin AI Engine; known from its versions 2.6.3 and 3.6.2.

    Earlier turns go to the site as such; it keeps the first 15 and the last 15 of them.  The last
    user message may have 512 characters, unless the site's owner raised that limit.

    :param base_url: the site's address; with plugins before 2.4.4 the chatbot must be on that very page
    :param bot_id: the chatbot's id;  :param custom_id: that of a chatbot made for one page, in its place
    """

    api_endpoint = "/wp-json/mwai-ui/v1/chats/submit"
    session_endpoint = "/wp-json/mwai/v1/start_session"
    supports_message_history = True
    refreshes_token = True
    known_options = frozenset({"chat_id"})  # what the site calls one conversation in its records

    def __init__(
        self, base_url: str | None = None, *, bot_id: str = "default", custom_id: str | None = None, **settings: Any
    ) -> None:
        super().__init__(base_url=base_url, **settings)
        self.bot_id, self.custom_id = bot_id, custom_id

    def get_nonce(self, headers: dict[str, str] | None = None) -> str:
        """Fetch a fresh nonce.

        :param headers: more headers for this request
        :raises G4FLiteError: the site gives none
        """
        nonce: str = self._run(lambda exchange: self._bootstrap(exchange, headers))
        return nonce

    def _bootstrap(self, exchange: Exchange, headers: dict[str, str] | None = None) -> str:
        """Fetch a nonce.  None is sent along: a stale one is refused here too, and locks the client out."""
        sent = {**self._site_headers(), **(headers or {}), "X-WP-Nonce": None, "Content-Type": None}
        request = requests.Request("POST", self.base_url + self.session_endpoint, headers=sent)
        try:
            body = fetch(exchange, request, "bootstrap", self)
        except ProviderError as error:
            if error.status != 404 or isinstance(error, ChallengeError):
                raise
            return self._nonce_in_page(exchange, sent)
        return wire.read_session(body)

    def _nonce_in_page(self, exchange: Exchange, headers: dict[str, Any]) -> str:
        """Find the nonce where plugins before 2.4.4 have it: in the page, which is ``base_url`` itself."""
        body = exchange.send(requests.Request("GET", self.base_url + "/", headers=headers), "bootstrap")
        try:
            if body.status != 200:
                self._check_response(body)
            page = body.read().decode("utf-8", "replace")
        finally:
            body.close()
        if nonce := wire.nonce_in_page(page):
            return nonce
        raise_challenge(body, page)
        raise ServiceError(
            f"{self.base_url} has neither AI Engine's start_session nor, in its page, a nonce;"
            " is this the site's address, and is AI Engine switched on there?"
        )

    def _check_prompt(self, model: str, messages: Messages) -> None:
        check_text_only(messages, self.name)
        turns, _ = wire.split_turns(messages)
        if len(turns) > wire.KEPT_TURNS:
            text = f"AI Engine keeps the first 15 and the last 15 of these {len(turns)} earlier turns"
            warnings.warn(text, stacklevel=3)

    def _request(self, model: str, messages: Messages, token: str, options: dict[str, Any]) -> requests.Request:
        turns, message = wire.split_turns(messages)
        bot = {"botId": self.bot_id} if self.custom_id is None else {"customId": self.custom_id}
        chat_id = options.get("chat_id") or get_random_string(11)
        body: dict[str, Any] = {**bot, "session": "N/A", "chatId": chat_id, "contextId": None}
        body |= {"messages": turns, "newMessage": message, "newFileId": None, "stream": True}
        headers = {**self._site_headers(), "X-WP-Nonce": token}
        return requests.Request("POST", self.base_url + self.api_endpoint, json=body, headers=headers)

    def _site_headers(self) -> dict[str, str]:
        accept = "text/event-stream, application/json"
        return self._headers(Accept=accept, Origin=origin_of(self.base_url), Referer=self.base_url + "/")

    def _check_response(self, response: Body) -> None:
        """Raise unless this is the beginning of an answer; either way it may bring a newer nonce."""
        wire.keep_nonce(response, response.headers.get("X-WP-Nonce"))
        check(response, lambda status, parsed, text: wire.refusal(response, parsed))

    def _deltas(self, response: Body) -> Iterator[Delta]:
        proxy = response.exchange.route.proxy
        return wire.read_answer(response, lambda url: self._fetch(url, proxy))

    def _fetch(self, url: str, proxy: str | None) -> bytes:
        data: bytes = self._run(lambda exchange: fetch_image(exchange, url, home=self.base_url), proxy=proxy)
        return data

    def _service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return wire.service_error(status, parsed)
