"""The provider for aichatonline.org."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from ..answers.deltas import Delta, Finish
from ..errors import (
    AuthenticationError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    ResponseFormatError,
    ServiceError,
)
from ..http.body import Body
from ..http.checks import rate_limit_error, says_rate_limit, shorten
from ..http.exchange import Exchange
from ..http.parsing import BLANK, parse_json
from ..http.urls import origin_of
from ..messages import format_prompt, get_random_string
from ..prompt import Prompt
from .base import Provider
from .call import fetch
from .too_long import is_too_long, too_long

MAX_TOKEN_CHARACTERS = 4096  # it is sent as a header, and kept with its session


class AiChatOnline(Provider):
    """aichatonline.org, with the requests that its own page sends.

    Not affiliated with the site, which answered with bot challenges in November 2024; hence
    ``working = False``.  The site accepts no history, so a conversation is formatted as one prompt.  The model name
    is accepted but not sent.

    :param base_url: another URL of the same service
    """

    site_url = "https://aichatonline.org"
    url = "https://aichatonlineorg.erweima.ai"
    api_endpoint = "/aichatonline/api/chat/gpt"
    token_endpoint = "/api/v1/user/getUniqueId"
    working = False
    default_model = "gpt-4o-mini"

    def grab_token(self, session: requests.Session | None = None, proxy: str | None = None) -> str:
        """Fetch a fresh token.

        :param session: a ``requests.Session`` to fetch it with
        :param proxy: the URL of a proxy for this request
        :raises G4FLiteError: if the service does not return a token
        """
        return self.run(self.bootstrap, proxy=proxy, session=session)

    def bootstrap(self, exchange: Exchange) -> str:
        url = f"{self.base_url}{self.token_endpoint}?canvas=-{get_random_string()}"
        body = fetch(exchange, requests.Request("GET", url, headers=self._page_headers()), "bootstrap", self)
        answer = body.json()
        body.close()
        token = answer.get("data") if isinstance(answer, dict) else None
        if isinstance(token, str) and token.isascii() and token.isprintable() and token.strip():
            if len(token) <= MAX_TOKEN_CHARACTERS:
                return token
            raise ResponseFormatError(f"expected a token in data, got one of {len(token):,} characters")
        raise self.service_error(body.status, answer, "") or ResponseFormatError("expected a token in data, got none")

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        body = {"conversationId": get_random_string(), "prompt": format_prompt(prompt.messages)}
        headers = {**self._page_headers(), "UniqueId": token}
        return requests.Request("POST", self.base_url + self.api_endpoint, json=body, headers=headers)

    def _page_headers(self) -> dict[str, str]:
        """Return the headers that the site's page sends."""
        page = {"Accept-Language": "en-US,en;q=0.9", "Accept": "application/json, text/plain, */*"}
        return self.headers_with(Referer=f"{self.base_url}/chatgpt/chat/", Origin=origin_of(self.base_url), **page)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        """Read one JSON object per line, up to ``[DONE]`` or the end of the body."""
        for line in body.lines():
            line = line.strip(BLANK)
            if line == b"[DONE]":
                break
            if line:
                yield self._piece(parse_json(line), body.status, line)
        yield Finish()

    def _piece(self, fields: Any, status: int, line: bytes) -> str:
        """Return the text in the object of a line."""
        if isinstance(fields, dict) and fields.get("code") == 200:
            data = fields.get("data")
            for name in ("message", "content"):
                if isinstance(data, dict) and isinstance(piece := data.get(name), str):
                    return piece
        raise self.service_error(status, fields, "") or self._unexpected(line)

    def _unexpected(self, line: bytes) -> ResponseFormatError:
        return ResponseFormatError(f"expected a piece of the answer, got {shorten(line.decode('utf-8', 'replace'))!r}")

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        """Read an error, ``{"code": …, "message": …, "data": null}``, which comes with any HTTP status."""
        code = parsed.get("code") if isinstance(parsed, dict) else None
        if not isinstance(code, int) or code == 200:
            return None
        message = shorten(str(parsed.get("message") or "the service reported an error without a message"))
        if code == 429 or says_rate_limit(message):
            return rate_limit_error(message, message, status=status)
        if is_too_long("", message, code):
            return too_long(message, status)
        kinds: dict[int, type[ProviderError]]
        kinds = {401: AuthenticationError, 402: QuotaExceededError, 403: AuthenticationError}
        return kinds.get(code, ServiceError)(f"{message} (code {code})", status=status, may_retry=False)
