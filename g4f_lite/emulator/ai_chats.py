"""Emulate AiChats: cookies from a page, server-sent events of raw text, images by URL."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

from .answers import Message
from .exchange import BackendError, Exchange
from .images import Images
from .record import ReceivedRequest
from .reply import BodyItem, Piece, Reply, html_reply, json_reply
from .service import FailureKind, Service, Step
from .settings import Settings
from .sse import CONTENT_TYPE, sse_event
from .tokens import Tokens

_PAGES = ("/chat/", "/image/")
_PROMPT_PATH = "/chat/send2/"
_SESSION_COOKIE = "advanced-frontend"
_CSRF_COOKIE = "_csrf-front"
_ROLES = {"you": "user", "chatGPT": "assistant"}

_MESSAGES: dict[FailureKind, str] = {
    "error": "An internal server error occurred.",
    "limit": "Your free tries are used up.",
    "quota": "Your free tries are used up.",
    "rejected": "The prompt was rejected.",
}


class AiChats(Service):
    """Serve the pages ``/chat/`` and ``/image/`` and ``POST /chat/send2/``.

    :param markup: gives the HTML that another service puts in the same page
    """

    name = "ai_chats"

    def __init__(self, images: Images, markup: Callable[[Exchange], str]) -> None:
        self._images = images
        self._markup = markup
        self.sessions = Tokens(26)
        self.csrf = Tokens(32)

    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        if request.method == "GET" and request.path in _PAGES:
            return "bootstrap"
        if request.method == "POST" and request.path == _PROMPT_PATH:
            return "prompt"
        return None

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        if request.step == "bootstrap":
            return self._page(exchange)
        if settings.require_cookies and not self._has_cookies(request, settings):
            return self.token_refused(exchange)
        body = _read_prompt(request)
        if body is None:
            return _error_page(400, "Unable to read the message.")
        if body["type"] == "image":
            prompt = body["messagesHistory"][-1]["content"]
            data = [] if exchange.empty else [{"url": self._images.add(exchange, prompt)}]
            return json_reply(200, {"data": data})
        messages = [{"role": _ROLES[turn["from"]], "content": turn["content"]} for turn in body["messagesHistory"]]
        return Reply(200, [("Content-Type", CONTENT_TYPE)], self._stream(exchange, messages))

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        body = _read_prompt(exchange.request)
        if kind in ("limit", "quota") and status is None and body is not None and body["type"] == "chat":
            event = self.failure_event(exchange, kind, message)
            return Reply(200, [("Content-Type", CONTENT_TYPE)], [Piece(event)])
        return json_reply(status or 500, {"error": message or _MESSAGES[kind]})

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        event = "trylimit" if kind in ("limit", "quota") else "error"
        return sse_event(_one_line(message or _MESSAGES[kind]), exchange.settings, event=event)

    def token_refused(self, exchange: Exchange) -> Reply:
        return _error_page(403, "Unable to verify your data submission.")

    def wrong_types(self, exchange: Exchange) -> bytes:
        return b'{"data":[{"url":7}]}'

    def _page(self, exchange: Exchange) -> Reply:
        cookies = [
            ("Set-Cookie", f"{_SESSION_COOKIE}={self.sessions.issue()}; path=/; HttpOnly"),
            ("Set-Cookie", f"{_CSRF_COOKIE}={self.csrf.issue()}; path=/; HttpOnly"),
        ]
        page = f"<!DOCTYPE html><title>Chat</title><main>Ask me.</main>{self._markup(exchange)}"
        return html_reply(200, page, cookies)

    def _has_cookies(self, request: ReceivedRequest, settings: Settings) -> bool:
        limits = settings.token_uses, settings.token_seconds
        states = [
            tokens.use(request.cookies.get(name, ""), *limits)
            for name, tokens in ((_SESSION_COOKIE, self.sessions), (_CSRF_COOKIE, self.csrf))
        ]
        return "refused" not in states

    def _stream(self, exchange: Exchange, messages: list[Message]) -> Iterator[BodyItem]:
        try:
            for piece in exchange.texts(messages):
                yield Piece(sse_event(_one_line(piece), exchange.settings), text=True)
        except BackendError as error:
            yield Piece(self.failure_event(exchange, "error", str(error)))


def _read_prompt(request: ReceivedRequest) -> dict[str, Any] | None:
    try:
        body = request.json()
    except ValueError:
        return None
    if not isinstance(body, dict) or body.get("type") not in ("chat", "image"):
        return None
    turns = body.get("messagesHistory")
    if not isinstance(turns, list) or not turns:
        return None
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("from") not in _ROLES:
            return None
        if not isinstance(turn.get("content"), str):
            return None
    return body


def _one_line(text: str) -> str:
    """Write each newline as a backslash and ``n``, which the service's page turns back."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _error_page(status: int, message: str) -> Reply:
    return html_reply(status, f"<h1>{status}</h1><p>{html.escape(message)}</p>")
