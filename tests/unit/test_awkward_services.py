"""Providers of awkward services take few lines, and pass the check."""

from __future__ import annotations

import base64
import codecs
import hashlib
import hmac
import json
import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses
from requests import Request

from g4f_lite import (
    AuthenticationError,
    Body,
    Delta,
    Finish,
    G4FLiteError,
    Prompt,
    Provider,
    RateLimitError,
    ResponseFormatError,
    Secret,
    ServiceError,
)
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.http import Exchange, parse_json
from g4f_lite.testing import Reply, check_provider, provider_check

URL = "http://awkward.example"


@pytest.fixture(autouse=True)
def _few_early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the answers early in few places: where is the point of other tests."""
    monkeypatch.setattr(provider_check, "EARLY_ENDS", 3)


class Form(Provider):
    """Has a page that sets a token in a cookie, and gets each prompt as a form with the same token."""

    url = URL

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(Request("GET", f"{self.base_url}/page"), "bootstrap")
        if body.status != 200:
            self.check_response(body)
        return exchange.cookies["csrf"]

    def request(self, prompt: Prompt, token: str) -> Request:
        content = prompt.messages[-1]["content"]
        text = content if isinstance(content, str) else "".join(part["text"] for part in content)
        form = {"csrf": token, "text": text}
        return Request("POST", f"{self.base_url}/send", data=form, headers=self.headers_with())

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        for event in body.events():
            if event.event == "word":
                yield parse_json(event.data)
            elif event.event == "bye":
                yield Finish()


WORDS = 'event: word\ndata: "Olá "\n\nevent: word\ndata: "garça"\n\nevent: bye\ndata: {}\n\n'


@pytest.mark.once
def test_a_form_with_a_token_from_a_cookie() -> None:
    page = Reply("<!doctype html><html>", cookies={"csrf": "a-csrf-token"})
    check_provider(Form, {"/page": page, "/send": WORDS}, text="Olá garça", history=False)


class PostRedirectGet(Form):
    """Answers a login with a redirect, and so a prompt once the login has expired."""

    accepted = (200, 302)

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(Request("POST", f"{self.base_url}/login", data={"user": "ann"}), "bootstrap")
        if body.status not in self.accepted:
            self.check_response(body)
        return ""

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return AuthenticationError("the login has expired") if status == 302 else None


def test_a_login_that_is_answered_with_a_redirect() -> None:
    with responses.RequestsMock() as service:
        service.post(f"{URL}/login", status=302, headers={"Location": "/app"})
        service.post(f"{URL}/send", status=302, headers={"Location": "/login"})
        service.post(f"{URL}/send", WORDS)
        assert PostRedirectGet().ask("Hello there") == "Olá garça"
        assert [call.request.path_url for call in service.calls] == ["/login", "/send"] * 2


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("/app", "if a login succeeds like this, bootstrap of its provider has to accept status 303"),
        ("https://elsewhere.example/in", "if that is the right place, give base_url='https://elsewhere.example/in'"),
    ],
)
def test_a_redirect_of_a_login_that_is_not_accepted_says_nothing_about_a_prompt(target: str, advice: str) -> None:
    shown = target if "//" in target else URL + target
    with responses.RequestsMock() as service:
        service.post(f"{URL}/login", status=303, headers={"Location": target})
        with pytest.raises(G4FLiteError) as caught:
            PostRedirectGet().ask("Hello there")
    assert str(caught.value) == (
        f"PostRedirectGet, bootstrap: {URL} redirects to {shown}, which is not followed; {advice}"
    )
    assert diagnose(caught.value, None) == ("it redirects the request", "see the message above")


def test_a_form_is_sent_as_one() -> None:
    with responses.RequestsMock() as service:
        service.get(f"{URL}/page", "<html>", headers={"Set-Cookie": "csrf=a-csrf-token; Path=/"})
        service.post(f"{URL}/send", WORDS)
        assert Form().ask("Hello there") == "Olá garça"
        sent = service.calls[1].request
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(str(sent.body)) == {"csrf": ["a-csrf-token"], "text": ["Hello there"]}


class Signed(Provider):
    """Gets signed requests, and sends its answers as lines of Base64, which are cut within characters."""

    url = URL
    api_key = Secret("SIGNED_KEY")

    def __init__(self, *, api_key: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.api_key = api_key

    def request(self, prompt: Prompt, token: str) -> Request:
        content, now = json.dumps(prompt.messages).encode(), str(time.time())
        sign = hmac.new(self.api_key.encode(), now.encode() + content, hashlib.sha256).hexdigest()
        headers = self.headers_with(**{"X-Time": now, "X-Sign": sign})
        return Request("POST", f"{self.base_url}/signed", data=content, headers=headers)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for line in body.lines():
            if line == b".":
                yield Finish()
            elif not body.ends_in_line:
                yield decoder.decode(base64.b64decode(line))


def test_lines_of_base64() -> None:
    pieces = [base64.b64encode(bytes([byte])) for byte in "Olá 🦢".encode()]
    answer = b"\n".join([*pieces, b".\n"])
    check_provider(partial(Signed, api_key="the-good-key"), {"/signed": answer}, text="Olá 🦢")


class SaysItInHTML(Provider):
    """Has a page with status 200 for each of its errors."""

    url = URL

    def request(self, prompt: Prompt, token: str) -> Request:
        return Request("POST", f"{self.base_url}/chat", json=prompt.messages, headers=self.headers_with())

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield body.json()["reply"]
        yield Finish()

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        if "Session expired" in text:
            return AuthenticationError("the session has expired")
        return RateLimitError("too many users") if "Too many users" in text else None


@pytest.mark.once
def test_an_error_in_a_page_with_status_200() -> None:
    page = "<!doctype html><html><h1>Session expired</h1>"
    check_provider(SaysItInHTML, {"/chat": '{"reply": "Olá"}'}, text="Olá", refusal=page)


@pytest.mark.parametrize(
    ("page", "kind", "wait"),
    [("<h1>Too many users</h1>", RateLimitError, 90.0), ("<h1>Welcome</h1>", ResponseFormatError, 90.0)],
)
def test_a_page_with_status_200_is_read_by_service_error(page: str, kind: type[Any], wait: float) -> None:
    with responses.RequestsMock() as service:
        service.post(f"{URL}/chat", page, content_type="text/html", headers={"Retry-After": "90"})
        with pytest.raises(kind) as caught:
            SaysItInHTML(retry=None).ask("Hello")
    assert (type(caught.value), caught.value.retry_after) == (kind, wait)


class Uploads(Provider):
    """Gets each image by itself, before the prompt that names it."""

    url = URL

    def request(self, prompt: Prompt, token: str) -> Generator[Request | float, Body, None]:
        text, files = "", []
        content = prompt.messages[-1]["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                text += part["text"]
                continue
            kind, _, data = part["image_url"]["url"].partition(",")
            if not kind.startswith("data:"):
                raise ServiceError("Uploads takes images only as bytes and files")
            image = base64.b64decode(data)
            upload = {"file": ("image.png", image)}
            body = yield Request("POST", f"{self.base_url}/files", files=upload, headers=self.headers_with())
            files.append(body.json()["id"])
        content = {"text": text, "files": files}
        yield Request("POST", f"{self.base_url}/look", json=content, headers=self.headers_with())

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield body.json()["reply"]
        yield Finish()


LOOK = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look."},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    }
]


@pytest.mark.once
def test_an_image_is_uploaded_before_its_prompt() -> None:
    replies = {"/files": '{"id": 7}', "/look": '{"reply": "Olá"}'}
    check_provider(Uploads, replies, text="Olá", prompt=LOOK, history=False)
    with responses.RequestsMock() as service:
        service.post(f"{URL}/files", json={"id": 7})
        service.post(f"{URL}/look", json={"reply": "A swan."})
        assert Uploads().ask(LOOK) == "A swan."
        upload, look = (call.request for call in service.calls)
    assert str(upload.headers["Content-Type"]).startswith("multipart/form-data; boundary=")
    assert json.loads(look.body or "") == {"text": "Look.", "files": [7]}


class Pages(SaysItInHTML):
    """Lists its models in pages."""

    def request(self, prompt: Prompt, token: str) -> Request:
        content = {"model": prompt.model, "messages": prompt.messages}
        return Request("POST", f"{self.base_url}/chat", json=content, headers=self.headers_with())

    def get_models(self) -> list[str]:
        return self.run(self.list_models)

    def list_models(self, exchange: Exchange) -> list[str]:
        names: list[str] = []
        page = 1
        while page:
            request = requests.Request("GET", f"{self.base_url}/models?page={page}", headers=self.headers_with())
            body = exchange.send(request, "bootstrap")
            self.check_response(body)
            found = body.json()
            names, page = names + [item["id"] for item in found["items"]], found["next"]
        return names


@pytest.mark.once
def test_models_in_pages() -> None:
    pages = ['{"items": [{"id": "a"}], "next": 2}', '{"items": [{"id": "b"}, {"id": "c"}], "next": null}']
    replies = {"/models": pages, "/chat": '{"reply": "Olá"}'}
    check_provider(Pages, replies, text="Olá", models=["a", "b", "c"])
