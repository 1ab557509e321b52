"""The check of a provider of one's own passes one that works, and says what is wrong with another."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import pytest
import requests

from g4f_lite import (
    AuthenticationError,
    Body,
    Finish,
    G4FLiteError,
    Prompt,
    Provider,
    RateLimitError,
    ResponseStatusError,
    Secret,
    ServiceError,
)
from g4f_lite.http import Exchange, parse_json
from g4f_lite.testing import Reply, check_provider

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


class NeedsNoEnd(Quill):
    """Takes the end of the body for that of the answer."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for event in body.events():
            if event.data != "[DONE]":
                yield parse_json(event.data)
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
        (
            NeedsNoEnd,
            "an answer that ends too early is read as 'Sch.*; yield Finish where the service .*unmarked_end",
        ),
        (KeepsItsToken, r"a refused prompt is a ServiceError \(refused\), and not an AuthenticationError"),
        (ShowsItsKey, "its repr shows one of its secrets"),
        (KnowsOneError, r"KnowsOneError\.service_error raised TypeError: 'NoneType' object is not subscriptable"),
    ],
)
def test_what_is_wrong_is_said(kind: type[Quill], message: str) -> None:
    with pytest.raises((AssertionError, G4FLiteError), match=message):
        check(kind)


class Plain(Provider):
    """Reads text that ends where the body ends."""

    url = "http://plain.example"

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/say", json=prompt.messages)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            yield line.decode("utf-8", "replace")
        yield Finish()


def test_a_service_may_mark_no_end() -> None:
    check_provider(Plain, {"/say": "Good day"}, text="Good day", unmarked_end=True)
    with pytest.raises(AssertionError, match="ends too early"):
        check_provider(Plain, {"/say": "Good day"}, text="Good day")


class LogsIn(Quill):
    """Has no token but the cookies of its login."""

    token_sources = 1

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(requests.Request("POST", f"{self.base_url}/login", json=[self.api_key]), "bootstrap")
        if body.status != 303:
            self.check_response(body)
            raise ResponseStatusError("no login")
        return ""


class Forgetful(LogsIn):
    """Logs in, and sends the prompt without its cookies."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/chat", headers={"Cookie": ""})


def test_a_login_by_cookies() -> None:
    replies = {
        "/login": Reply(status=303, headers={"Location": "/home"}, cookies={"sid": "c-1", "lang": "en"}),
        "/chat": REPLIES["/chat"],
    }
    make, text = partial(LogsIn, api_key="the-good-key"), "Schön \N{SLIGHTLY SMILING FACE}"
    check_provider(make, replies, text=text)
    with pytest.raises(AssertionError, match="the prompt came without the cookie sid, which the service had set"):
        check_provider(partial(Forgetful, api_key="the-good-key"), replies, text=text)


class InTheBody(Quill):
    """Its service refuses with status 200."""

    error: type[G4FLiteError] = AuthenticationError

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for event in body.events():
            if event.event == "error":
                raise self.error(event.data)
            yield Finish() if event.data == "[DONE]" else parse_json(event.data)


class MistakesIt(InTheBody):
    error = RateLimitError


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (InTheBody, None),
        (MistakesIt, r"a refused prompt is a RateLimitError \(expired\), and not"),
        (Quill, "a refused prompt is a ResponseFormatError"),
    ],
)
def test_a_refusal_in_the_body(kind: type[Quill], message: str | None) -> None:
    make, text = partial(kind, api_key="the-good-key"), "Schön \N{SLIGHTLY SMILING FACE}"
    refusal = "event: error\ndata: expired\n\n"
    if message is None:
        check_provider(make, REPLIES, text=text, refusal=refusal)
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, REPLIES, text=text, refusal=refusal)


class Polls(Quill):
    """Asks for a job until it is done."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        headers = self.headers_with(Authorization=token)
        job = yield requests.Request("POST", f"{self.base_url}/jobs", headers=headers)
        url = f"{self.base_url}/jobs/{job.json()['id']}"
        while (yield requests.Request("GET", url, headers=headers)).json()["state"] == "running":
            yield 600.0

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield body.json()["text"]
        yield Finish()


class Impatient(Polls):
    """Takes what it gets."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        yield requests.Request("POST", f"{self.base_url}/jobs")
        yield requests.Request("GET", f"{self.base_url}/jobs/7")


def test_a_job_is_asked_for_until_it_is_done() -> None:
    states = ['{"state": "running"}', '{"state": "running"}', '{"state": "done", "text": "Good day"}']
    replies = {"/token": REPLIES["/token"], "/jobs": '{"id": 7}', "/jobs/7": states}
    check_provider(partial(Polls, api_key="the-good-key"), replies, text="Good day")
    with pytest.raises((AssertionError, G4FLiteError), match="KeyError: 'text'"):
        check_provider(partial(Impatient, api_key="the-good-key"), replies, text="Good day")


def test_replies_that_are_none_are_refused() -> None:
    for replies, message in (
        ({}, "replies is empty"),
        ({"/chat": []}, "the replies of /chat are an empty list"),
        ({"/chat": 7}, "a reply of /chat must be a str, bytes or a Reply, not int"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            check_provider(Plain, replies, text="Good day")  # type: ignore[arg-type]
