"""The provider for ai-chats.org."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import requests

from ...answers.deltas import Delta, Finish
from ...answers.images import ImageResponse
from ...errors import AuthenticationError, G4FLiteError
from ...http.body import Body
from ...http.checks import ERROR_BODY_BYTES, raise_challenge
from ...http.exchange import Exchange
from ...http.parsing import BLANK
from ...http.urls import origin_of
from ...messages import last_user_message
from ...prompt import Prompt
from ..base import Provider
from . import wire

if TYPE_CHECKING:
    from ..settings import SettingsBesideURL, Unpack

MAX_IMAGES = 16  # in one answer; each is fetched and kept


class AiChats(Provider):
    """ai-chats.org, with the requests that its own page sends; the model ``dalle`` generates images.

    Not affiliated with the site, which answered with a captcha in November 2024; hence
    ``working = False``.

    :param base_url: another URL of the same service
    :param cookies: the site's cookies; fetched from its page if not given
    """

    url = "https://ai-chats.org"
    api_endpoint = "https://ai-chats.org/chat/send2/"
    working = False
    default_model = "gpt-4"
    image_model = "dalle"  # for image requests that name no model
    models: Sequence[str] = ["gpt-4", "dalle"]  # the name is not sent; "dalle" requests an image
    supports_message_history = True
    fetches_images = True

    def __init__(self, *, base_url: str | None = None, **settings: Unpack[SettingsBesideURL]) -> None:
        super().__init__(base_url=base_url, **settings)
        self.api_endpoint = self.api_endpoint.replace(self.url, self.base_url, 1)

    def bootstrap(self, exchange: Exchange) -> str:
        """Load the page, which sets a session cookie and ``_csrf-front``; there is no other token."""
        if self.cookies:
            if exchange.pooled.state.pop("sent given cookies", False):
                raise AuthenticationError("the site rejected the cookies given as cookies=; pass newer ones")
            exchange.pooled.state["sent given cookies"] = True
            return ""
        headers = {**self._page_headers("chat"), "Accept": "text/html", "Origin": None}
        body = exchange.send(requests.Request("GET", f"{self.base_url}/chat/", headers=headers), "bootstrap")
        try:
            if body.status != 200:
                self.check_response(body)
            if not any(cookie.name == "_csrf-front" for cookie in exchange.cookies):
                raise_challenge(body, body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace"))
            body.drain()
        finally:
            body.close()
        return ""

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)
        if self.get_model(prompt.model) == self.image_model:
            last_user_message(prompt.messages)

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        if prompt.model == self.image_model:
            kind, history = "image", [{"from": "you", "content": last_user_message(prompt.messages)}]
        else:
            kind, history = "chat", wire.to_history(prompt.messages)
        body = {"type": kind, "messagesHistory": history}
        return requests.Request("POST", self.api_endpoint, json=body, headers=self._page_headers(kind))

    def _page_headers(self, page: str) -> dict[str, Any]:
        accept, origin = "application/json, text/event-stream", origin_of(self.base_url)
        return self.headers_with(Accept=accept, Origin=origin, Referer=f"{self.base_url}/{page}/")

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        is_json = body.peek().lstrip(BLANK).startswith(b"{")
        if prompt.model == self.image_model or is_json:
            yield from self._read_images(body, is_json, prompt)
        else:
            yield from wire.read_text(body)
        yield Finish()  # the end of the body is the only end marker

    def _read_images(self, body: Body, is_json: bool, prompt: Prompt) -> Iterator[Delta]:
        """Read ``{"data": [{"url": …}]}``."""
        if not is_json:
            raise wire.unexpected("".join(wire.read_text(body)))
        answer = body.json()
        rows = answer.get("data") if prompt.model == self.image_model else None
        urls: list[Any] = [row.get("url") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not 0 < len(urls) <= MAX_IMAGES or not all(url and isinstance(url, str) for url in urls):
            shown = json.dumps(answer)
            raise self.service_error(body.status, answer, shown) or wire.unexpected(shown)
        yield from (ImageResponse(url, last_user_message(prompt.messages)) for url in urls)

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return wire.service_error(status, parsed, text)
