"""The check of a provider of one's own passes one that works, and says what is wrong with another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests

from g4f_lite import Body, Finish, G4FLiteError, Prompt, Provider, Secret, ServiceError
from g4f_lite.http import Exchange, parse_json
from g4f_lite.testing import check_provider

REPLIES = {"/token": '{"token": "t-1"}', "/chat": 'data: "Schö"\n\ndata: "n \\ud83d\\ude42"\n\ndata: [DONE]\n\n'}


class Quill(Provider):
    url = "http://quill.example"
    token_sources = 1
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
        error = parsed.get("error") if isinstance(parsed, dict) else None
        return ServiceError(error) if isinstance(error, str) else None


def check(kind: type[Quill], text: str = "Schön \N{SLIGHTLY SMILING FACE}") -> None:
    check_provider(partial(kind, api_key="the-good-key"), REPLIES, text=text)


def test_a_provider_that_works_passes() -> None:
    check(Quill)


class ReadsLines(Quill):
    """Decodes pieces that may be cut within a character."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            text = line.decode("ascii", "ignore").removeprefix("data: ").strip('"')
            if text and text != "[DONE]":
                yield text
        yield Finish()


class MissesTheEnd(Quill):
    """Swallows what tells of a cut answer."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        try:
            yield from super().deltas(body, prompt)
        except G4FLiteError:
            yield Finish()


class KeepsItsToken(Quill):
    """Declares that its token can be replaced, and says of a refused one that it cannot."""

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError("refused")


class ShowsItsKey(Quill):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.api_key})"


class KnowsOneError(Quill):
    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError(parsed["error"]["message"])


class Forgets(Quill):
    _used = False

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        self._used, used = True, self._used
        yield from ["Other"] if used else []
        yield from super().deltas(body, prompt)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (ReadsLines, "the answer, sent whole, is read as 'Schn "),
        (Forgets, "is read as 'OtherSch"),
        (MissesTheEnd, "a cut answer is read as 'Sch"),
        (KeepsItsToken, "refused"),
        (ShowsItsKey, "its repr shows one of its secrets"),
        (KnowsOneError, r"KnowsOneError\.service_error raised TypeError: 'NoneType' object is not subscriptable"),
    ],
)
def test_what_is_wrong_is_said(kind: type[Quill], message: str) -> None:
    with pytest.raises((AssertionError, G4FLiteError), match=message):
        check(kind)
