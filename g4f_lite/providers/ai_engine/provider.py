"""Any WordPress site that runs the plugin AI Engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from ...answers.deltas import Delta
from ...arguments import warn
from ...errors import ChallengeError, G4FLiteError, ProviderError, ServiceError
from ...http.body import Body
from ...http.checks import check, raise_challenge
from ...http.exchange import Exchange
from ...http.urls import origin_of
from ...messages import get_random_string, last_user_message
from ...prompt import Prompt
from ..base import Provider
from ..call import fetch
from . import wire


class AiEngine(Provider):
    """A WordPress site whose chatbot is the plugin AI Engine; known from its versions 2.6.3 and 3.6.2.

    Earlier turns go to the site as such; it keeps the first 15 and the last 15 of them.  The last
    user message may have 512 characters, unless the site's owner raised that limit.

    :param base_url: the site's address; with plugins before 2.4.4 the chatbot must be on that very page
    :param bot_id: the chatbot's id
    :param custom_id: the id of a chatbot that was made for one page, instead of ``bot_id``
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
        :raises G4FLiteError: the site gives no nonce
        """
        return self.run(lambda exchange: self.bootstrap(exchange, headers))

    def bootstrap(self, exchange: Exchange, headers: dict[str, str] | None = None) -> str:
        """Fetch a nonce.  The request carries none: a stale one is refused here, too, which locks a caller out."""
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
                self.check_response(body)
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

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)
        turns, _ = wire.split_turns(prompt.messages)
        if len(turns) > wire.KEPT_TURNS:
            warn(f"AI Engine keeps the first 15 and the last 15 of these {len(turns)} earlier turns")

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        turns, message = wire.split_turns(prompt.messages)
        bot = {"botId": self.bot_id} if self.custom_id is None else {"customId": self.custom_id}
        chat_id = prompt.options.get("chat_id") or get_random_string(11)
        body: dict[str, Any] = {**bot, "session": "N/A", "chatId": chat_id, "contextId": None}
        body |= {"messages": turns, "newMessage": message, "newFileId": None, "stream": True}
        headers = {**self._site_headers(), "X-WP-Nonce": token}
        return requests.Request("POST", self.base_url + self.api_endpoint, json=body, headers=headers)

    def _site_headers(self) -> dict[str, str]:
        accept = "text/event-stream, application/json"
        return self.headers_with(Accept=accept, Origin=origin_of(self.base_url), Referer=self.base_url + "/")

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        """Raise unless this is the beginning of an answer; either way it may bring a newer nonce."""
        wire.keep_nonce(body, body.headers.get("X-WP-Nonce"))
        message = last_user_message(prompt.messages) if prompt else ""

        def refusal(status: int, parsed: Any, text: str) -> G4FLiteError | None:
            wire.keep_nonce(body, parsed)
            return wire.service_error(status, parsed, message)

        check(body, refusal)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        return wire.read_answer(body, last_user_message(prompt.messages))

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return wire.service_error(status, parsed)
