"""OpenAI's chat completions over HTTP: what all servers that speak them share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from ...answers.deltas import Delta
from ...errors import G4FLiteError, ModelNotSupportedError, ResponseStatusError
from ...http.body import Body
from ...http.exchange import Exchange
from ...prompt import Prompt
from ..base import Provider
from ..call import fetch
from . import wire


class OpenAIProvider(Provider):
    """A server that speaks OpenAI's chat completions; its address and its key are the subclass's.

    :ivar reports_usage: whether the server takes the field ``stream_options``
    """

    api_endpoint = "/chat/completions"
    supports_message_history = True
    known_options = wire.OPTIONS
    reports_usage = True
    _served_model = ""

    def auth(self) -> Any:
        """Give what signs a request, as ``requests`` takes it; None for nothing."""
        return None

    def get_models(self) -> list[str]:
        """Ask the server for the names of its models."""
        return list(self.run(self._list_models))

    def _list_models(self, exchange: Exchange) -> list[str]:
        request = requests.Request("GET", self.base_url + "/models", headers=self.headers_with(), auth=self.auth())
        body = fetch(exchange, request, "bootstrap", self)
        try:
            return wire.read_models(body.json())
        finally:
            body.close()

    def served_model(self, exchange: Exchange) -> str:
        """Ask the server for its models, once, and take the first."""
        if not self._served_model:
            self._served_model = next(iter(self._list_models(exchange)), "")
        return self._served_model

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        body: dict[str, Any] = {"model": prompt.model or "", "messages": prompt.messages, "stream": True}
        if self.reports_usage:
            body["stream_options"] = {"include_usage": True}
        body.update(prompt.options)
        body.update(body.pop("extra_body", None) or {})
        url = self.base_url + self.api_endpoint
        return requests.Request("POST", url, json=body, headers=self.headers_with(), auth=self.auth())

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        return wire.read_answer(body)

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        error = wire.service_error(status, parsed)
        refused = status in (404, 405, 501) and not isinstance(error, ModelNotSupportedError)
        if refused and not urlsplit(self.base_url).path:
            hint = f"the address of such a server usually ends in /v1, and {self.base_url} does not"
            return ResponseStatusError(f"status {status}: {hint}", status=status)
        return error
