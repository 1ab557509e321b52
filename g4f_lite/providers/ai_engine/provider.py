"""Any WordPress site that runs the plugin AI Engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import requests

from ...arguments import warn
from ...errors import G4FLiteError
from ...http.urls import origin_of
from ...messages import get_random_string, last_user_message
from ..base import Provider
from .history import KEPT_TURNS, split_turns

if TYPE_CHECKING:  # the methods import what a call needs: the first call takes the time, and not the import
    from ...answers.deltas import Delta
    from ...http.body import Body
    from ...http.exchange import Exchange
    from ...prompt import Prompt

REST = "/wp-json"


class AiEngine(Provider):
    """A WordPress site whose chatbot is the plugin AI Engine; known from its versions 2.4.3 to 3.6.2.

    Earlier turns go to the site as such.  It keeps the first one and the last 15, unless the bot's owner changed
    that.  The last user message may have 512 characters, unless the owner raised that limit.

    :param base_url: the site's address; with plugins before 2.4.4 the chatbot must be on that very page
    :param bot_id: the chatbot's id
    :param custom_id: the id of a chatbot that was made for one page, instead of ``bot_id``
    """

    api_endpoint = "/wp-json/mwai-ui/v1/chats/submit"
    session_endpoint = "/wp-json/mwai/v1/start_session"
    supports_message_history = True
    token_sources = 2  # start_session, and the page that a logged-in user sees
    # chat_id: what the site calls one conversation in its records.  tools: those that the bot's owner gave it are the
    # ones that it calls, and they are run here; nothing about them is sent.
    known_options = frozenset({"chat_id", "tools"})
    _rest = ""  # the address of the site's REST API, where it is not the usual one

    def __init__(
        self, base_url: str | None = None, *, bot_id: str = "default", custom_id: str | None = None, **settings: Any
    ) -> None:
        super().__init__(base_url=base_url, **settings)
        self.bot_id, self.custom_id = bot_id, custom_id

    def get_nonce(self, headers: dict[str, str] | None = None) -> str:
        """Fetch a fresh nonce.

        :param headers: more headers for this request
        :raises G4FLiteError: if the site gives no nonce
        """
        return self.run(lambda exchange: self.bootstrap(exchange, headers))

    def bootstrap(self, exchange: Exchange, headers: dict[str, str] | None = None) -> str:
        """Fetch a nonce.  The request carries none: a stale one is refused here, too, which locks a caller out."""
        from .site import Site

        sent = {**self._site_headers(), **(headers or {}), "X-WP-Nonce": None}
        site = Site(self, exchange, sent, self.base_url, self._rest or self.base_url + REST)
        fetched = site.fetch_nonce(self.session_endpoint.removeprefix(REST))
        self._rest = site.rest
        return fetched

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)
        turns, _ = split_turns(prompt.messages)
        if len(turns) > KEPT_TURNS:
            warn(
                f"AI Engine keeps the first and the last 15 of these {len(turns)} earlier turns, unless the bot's "
                "owner changed its maxMessages"
            )

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        turns, message = split_turns(prompt.messages)
        bot = {"botId": self.bot_id} if self.custom_id is None else {"customId": self.custom_id}
        chat_id = prompt.options.get("chat_id") or get_random_string(11)
        # Without ``session``, the site records the call under the session of its cookie.
        body: dict[str, Any] = {**bot, "chatId": chat_id, "contextId": None, "messages": turns}
        body |= {"newMessage": message, "newFileId": None, "stream": True}
        url = (self._rest or self.base_url + REST) + self.api_endpoint.removeprefix(REST)
        return requests.Request("POST", url, json=body, headers={**self._site_headers(), "X-WP-Nonce": token})

    def _site_headers(self) -> dict[str, Any]:
        accept = "text/event-stream, application/json"
        return self.headers_with(Accept=accept, Origin=origin_of(self.base_url), Referer=self.base_url + "/")

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        """Raise unless this is the beginning of an answer; either way it may bring a newer nonce."""
        from ...http.checks import check
        from . import errors, nonce

        nonce.keep(body, body.headers.get("X-WP-Nonce"))
        message = last_user_message(prompt.messages) if prompt else ""

        def refusal(status: int, parsed: Any, text: str) -> G4FLiteError | None:
            nonce.keep(body, parsed)
            return errors.service_error(status, parsed, message)

        check(body, refusal)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        from .reply import read_answer

        return read_answer(body, last_user_message(prompt.messages))

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        from .errors import service_error

        return service_error(status, parsed)
