"""ai-chats.org."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import requests

from ..deltas import Delta, Finish
from ..errors import AuthenticationError, G4FLiteError
from ..http.body import BLANK, Body, origin_of
from ..http.checks import ERROR_BODY_BYTES, raise_challenge
from ..http.exchange import Exchange
from ..image_fetch import fetch_image
from ..images import ImageResponse
from ..messages import Messages, last_user_message
from . import ai_chats_wire as wire
from .arguments import check_text_only
from .base import Provider

if TYPE_CHECKING:
    from .settings import Settings, Unpack

MAX_PICTURES = 16  # of one answer; each is fetched and kept


class AiChats(Provider):
    """ai-chats.org, asked as its own page asks it; the model ``dalle`` draws the last user message.

    Not affiliated with the site, which was seen to answer with a captcha (November 2024); hence
    ``working = False``.

    :param base_url: another address of the same service
    :param cookies: the site's cookies; without them they are fetched from its page
    """

    url = "https://ai-chats.org"
    api_endpoint = "https://ai-chats.org/chat/send2/"
    working = False
    default_model = "gpt-4"
    image_model = "dalle"  # where a picture is wanted and no model is named
    models: Sequence[str] = ["gpt-4", "dalle"]  # the name is not sent; "dalle" asks for a picture
    supports_message_history = True
    refreshes_token = True  # which is a visit of the page here, for its cookies

    def __init__(self, *, base_url: str | None = None, **settings: Unpack[Settings]) -> None:
        super().__init__(base_url=base_url, **settings)
        self.api_endpoint = self.api_endpoint.replace(self.url, self.base_url, 1)

    def _bootstrap(self, exchange: Exchange) -> str:
        """Visit the page, which sets a session cookie and ``_csrf-front``; there is no other token."""
        if self.cookies:
            if exchange.visitor.state.pop("sent given cookies", False):
                raise AuthenticationError("the site refused the cookies that were given as cookies=; give newer ones")
            exchange.visitor.state["sent given cookies"] = True
            return ""
        headers = {**self._page_headers("chat"), "Accept": "text/html", "Content-Type": None, "Origin": None}
        body = exchange.send(requests.Request("GET", f"{self.base_url}/chat/", headers=headers), "bootstrap")
        try:
            if body.status != 200:
                self._check_response(body)
            if not any(cookie.name == "_csrf-front" for cookie in exchange.visitor.session.cookies):
                raise_challenge(body, body.beginning(ERROR_BODY_BYTES).decode("utf-8", "replace"))
            body.drain()
        finally:
            body.close()
        return ""

    def _check_prompt(self, model: str, messages: Messages) -> None:
        check_text_only(messages, self.name)
        if model == "dalle":
            last_user_message(messages)

    def _request(self, model: str, messages: Messages, token: str, options: dict[str, Any]) -> requests.Request:
        if model == "dalle":
            kind, history = "image", [{"from": "you", "content": last_user_message(messages)}]
        else:
            kind, history = "chat", wire.to_history(messages)
        body = {"type": kind, "messagesHistory": history}
        return requests.Request("POST", self.api_endpoint, json=body, headers=self._page_headers(kind))

    def _page_headers(self, page: str) -> dict[str, Any]:
        accept, origin = "application/json, text/event-stream", origin_of(self.base_url)
        return self._headers(Accept=accept, Origin=origin, Referer=f"{self.base_url}/{page}/")

    def _deltas(self, response: Body) -> Iterator[Delta]:
        asked = json.loads(response.response.request.body or b"{}")
        is_json = response.peek().lstrip(BLANK).startswith(b"{")
        if asked["type"] == "image" or is_json:
            yield from self._read_images(response, is_json, asked)
        else:
            yield from wire.read_text(response)
        yield Finish()  # the end of the body is the only one there is

    def _read_images(self, response: Body, is_json: bool, asked: dict[str, Any]) -> Iterator[Delta]:
        """Read ``{"data": [{"url": …}]}``, and fetch each picture at once."""
        if not is_json:
            raise wire.not_understood("".join(wire.read_text(response)))
        answer = response.json()
        rows = answer.get("data") if asked["type"] == "image" else None
        urls: list[Any] = [row.get("url") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not 0 < len(urls) <= MAX_PICTURES or not all(url and isinstance(url, str) for url in urls):
            shown = json.dumps(answer)
            raise self._service_error(response.status, answer, shown) or wire.not_understood(shown)
        for url in urls:
            data = fetch_image(response.exchange, url, home=self.base_url)
            yield ImageResponse(url, asked["messagesHistory"][-1]["content"], data=data)

    def _service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return wire.service_error(status, parsed, text)
