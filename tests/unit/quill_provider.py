"""A provider of one's own for the tests of its check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from g4f_lite import Body, Finish, G4FLiteError, Prompt, Provider, ResponseStatusError, Secret, ServiceError
from g4f_lite.http import Exchange, parse_json
from g4f_lite.testing import Reply

TEXT = "Schön \N{SLIGHTLY SMILING FACE}"
REPLIES = {"/token": '{"token": "t-1"}', "/chat": 'data: "Schö"\n\ndata: "n \\ud83d\\ude42"\n\ndata: [DONE]\n\n'}
SAID = Reply("Good day", headers={"Content-Type": "text/plain"})


class Quill(Provider):
    url = "http://quill.example"
    api_key = Secret("QUILL_API_KEY")

    def __init__(self, *, api_key: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.api_key = api_key

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(requests.Request("GET", f"{self.base_url}/token"), "bootstrap")
        self.check_response(body)
        return str(body.json()["token"])

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        headers = self.headers_with(Authorization=token, Key=self.api_key)
        return requests.Request("POST", f"{self.base_url}/chat?x=1", json=prompt.messages, headers=headers)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for event in body.events():
            if event.data == "[DONE]":
                yield Finish()
                return
            yield parse_json(event.data)

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        error = parsed.get("error") if isinstance(parsed, dict) and status not in (401, 429) else None
        return ServiceError(error) if isinstance(error, str) else None


class LogsIn(Quill):
    """Has no token but the cookies of its login."""

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(requests.Request("POST", f"{self.base_url}/login", json=[self.api_key]), "bootstrap")
        if body.status != 303:
            self.check_response(body)
            raise ResponseStatusError("no login")
        return ""


class Plain(Provider):
    """Reads text that ends where the body ends."""

    url = "http://plain.example"

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/say", json=prompt.messages, headers=self.headers_with())

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            yield line.decode("utf-8", "replace")
        yield Finish()
