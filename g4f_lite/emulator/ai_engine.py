"""Emulate the AI Engine plugin on a WordPress site, in several of its versions.

The forms, statuses and orders of checks are those recorded from the real plugin, 2.6.3 and 3.6.2.
"""

from __future__ import annotations

import html
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

from .answers import Message
from .exchange import BackendError, Exchange
from .record import ReceivedRequest
from .reply import BodyItem, Piece, Reply, bytes_reply, html_reply
from .service import FailureKind, Service, Step
from .settings import Settings
from .sse import CONTENT_TYPE, sse_event
from .tokens import Tokens
from .visit import Visit
from .wordpress import JSON_TYPE, fatal_error, invalid_nonce, php_json, php_reply, rest_route, wordpress_error

_SESSION_ROUTE = "/mwai/v1/start_session"
_SUBMIT_ROUTE = "/mwai-ui/v1/chats/submit"
_STEPS: dict[tuple[str, str], Step] = {
    ("POST", _SUBMIT_ROUTE): "prompt",
    ("POST", _SESSION_ROUTE): "bootstrap",
    ("GET", "/"): "bootstrap",
}
_KEPT_MESSAGES = 15
_REJECTED = "Sorry, your query has been rejected."

# The first versions that differ; 3.0 stands for one between the recorded 2.6.3 and 3.6.2.
_START_SESSION = (2, 4, 4)
_EVENT_LOGS = (2, 8, 3)
_NEW_TOKEN = _COOKIES = _SERIAL = (2, 8, 5)
_PARALLEL_AGAIN = (2, 8, 10)
_MODERN = (3, 0)


class AiEngine(Service):
    """Serve ``/wp-json/mwai/v1/start_session``, ``/wp-json/mwai-ui/v1/chats/submit`` and ``/``."""

    name = "ai_engine"

    def __init__(self) -> None:
        self.nonces = Tokens(10)
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def step(self, request: ReceivedRequest) -> Step | None:
        return _STEPS.get((request.method, rest_route(request) or request.path))

    def owns(self, request: ReceivedRequest) -> bool:
        return rest_route(request) is not None

    def markup(self, settings: Settings) -> str:
        """Give the chatbot's element in the site's pages: old versions keep the nonce in it."""
        parameters = {"botId": "default"}
        if settings.plugin < _START_SESSION:
            limits = settings.token_uses, settings.token_seconds
            parameters["restNonce"] = self.nonces.newest("", *limits)
        escaped = html.escape(php_json(parameters))
        return f'<div class="mwai-chatbot-container" data-params="{escaped}"></div>'

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        route = rest_route(request)
        if route is None:
            return html_reply(200, f"<!DOCTYPE html><title>Site</title>{self.markup(settings)}")
        visit = Visit(exchange, self.nonces)
        if visit.nonce_state == "refused":
            return invalid_nonce()
        if request.step == "prompt":
            return self._submit(exchange, visit)
        if request.step == "bootstrap" and settings.plugin >= _START_SESSION:
            return self._start_session(exchange, visit)
        message = "No route was found matching the URL and request method."
        return wordpress_error(404, "rest_no_route", message, visit.headers)

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        text = message or _message(kind, exchange.settings)
        if kind == "rejected":
            return php_reply(status or 403, {"success": False, "message": text})
        if status is None and exchange.request.step == "prompt":
            exchange.backend_error = text
            return self.reply(exchange)
        return php_reply(status or 500, {"success": False, "message": text})

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        text = message or _message(kind, exchange.settings)
        if kind == "rejected":
            inner = php_json({"success": False, "message": text})
            return _event(exchange, {"type": "end", "data": inner}, last=True)
        return _event(exchange, {"type": "error", "data": text}, last=True)

    def token_refused(self, exchange: Exchange) -> Reply:
        return invalid_nonce()

    def wrong_types(self, exchange: Exchange) -> bytes:
        if exchange.request.step == "bootstrap":
            return b'{"success":true,"sessionId":7,"restNonce":7}'
        if _wants_stream(exchange.request):
            return _event(exchange, {"type": "live", "data": {"text": 7}})
        return b'{"success":true,"reply":["a","b"]}'

    def _start_session(self, exchange: Exchange, visit: Visit) -> Reply:
        settings = exchange.settings
        if settings.plugin >= _COOKIES:
            visit.php_session()
            visit.chat_session()
        answer = {
            "success": True,
            "sessionId": visit.known_chat_session() or "N/A",
            "restNonce": visit.newest_nonce(),
            **_new_token(settings, visit),
        }
        return php_reply(200, answer, visit.headers)

    def _submit(self, exchange: Exchange, visit: Visit) -> Reply:
        request, settings = exchange.request, exchange.settings
        is_json = request.headers.get_content_type() == "application/json"
        try:
            body = request.json() if is_json else {}
        except ValueError:
            return wordpress_error(
                400,
                "rest_invalid_json",
                "Invalid JSON body passed.",
                visit.headers,
                {"json_error_code": 4, "json_error_message": "Syntax error"},
            )
        if "X-WP-Nonce" not in request.headers:
            message = "Sorry, you are not allowed to do that."
            return wordpress_error(401, "rest_forbidden", message, visit.headers)
        if not isinstance(body, dict):
            body = {}
        new_message = body.get("newMessage")
        if isinstance(new_message, (list, dict)):
            return fatal_error(visit.headers)
        text = "" if new_message is None else str(new_message)
        bot = body.get("botId") or body.get("customId")
        if not text.strip() or not bot:
            return self._rejection(403, settings, visit)
        streams = bool(body.get("stream"))
        length = len(text.encode() if settings.plugin <= _START_SESSION else text)
        too_long = settings.message_limit is not None and length > settings.message_limit
        unknown_bot = settings.plugin < _MODERN and bot not in settings.bots
        if too_long or unknown_bot:
            # The plugin fails before its stream begins: an event's line, under JSON's type.
            if not streams:
                return self._rejection(500, settings, visit)
            event = _event(exchange, {"type": "error", "data": _REJECTED})
            return bytes_reply(200, JSON_TYPE, event, visit.headers)
        if settings.plugin >= _COOKIES:
            visit.chat_session()
        earlier = body.get("messages") or []
        if not isinstance(earlier, list):
            return fatal_error(visit.headers)
        if _SERIAL <= settings.plugin < _PARALLEL_AGAIN:
            self._enter_session(exchange, visit.php_session())
        messages = [*_kept(earlier), {"role": "user", "content": text}]
        if streams:
            headers = [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-cache")]
            events = self._events(exchange, visit, messages)
            return Reply(200, [*headers, *visit.headers], events)
        try:
            reply = "".join(exchange.texts(messages))
        except BackendError as error:
            return php_reply(500, {"success": False, "message": str(error)}, visit.headers)
        return php_reply(200, _answer(settings, visit, messages, reply), visit.headers)

    def _rejection(self, status: int, settings: Settings, visit: Visit) -> Reply:
        answer = {"success": False, "message": _REJECTED, **_new_token(settings, visit)}
        return php_reply(status, answer, visit.headers)

    def _enter_session(self, exchange: Exchange, session: str) -> None:
        """Wait for the other requests of the same PHP session, as PHP's session lock does."""
        with self._locks_lock:
            lock = self._locks.setdefault(session, threading.Lock())
        exchange.cleanup.enter_context(lock)

    def _events(self, exchange: Exchange, visit: Visit, messages: list[Message]) -> Iterator[BodyItem]:
        settings = exchange.settings
        subtypes = _subtypes(settings)
        for subtype in subtypes:
            if subtype != "content":
                yield Piece(_event(exchange, _status_event(subtype)))
        reply = ""
        try:
            for piece in exchange.texts(messages):
                reply += piece
                event = {"type": "live", "data": piece}
                if "content" in subtypes:
                    event["subtype"] = "content"
                yield Piece(_event(exchange, event), text=True)
        except BackendError as error:
            if not reply:
                yield Piece(self.failure_event(exchange, "error", str(error)))
                return
            # A model that dies in mid-answer looks to the plugin like one that has finished.
        answer = _answer(settings, visit, messages, reply)
        end = {"type": "end", "data": php_json(answer)}
        yield Piece(_event(exchange, end, last=True))


def _wants_stream(request: ReceivedRequest) -> bool:
    try:
        body = request.json()
    except ValueError:
        return False
    return isinstance(body, dict) and bool(body.get("stream"))


def _kept(messages: list[Any]) -> list[Message]:
    """Keep the first and the last 15 turns, as the plugin does."""
    if len(messages) > 2 * _KEPT_MESSAGES:
        messages = messages[:_KEPT_MESSAGES] + messages[-_KEPT_MESSAGES:]
    return [{"role": turn.get("role"), "content": turn.get("content")} for turn in messages if isinstance(turn, dict)]


def _subtypes(settings: Settings) -> tuple[str, ...]:
    if settings.plugin < _EVENT_LOGS or settings.status_events is False:
        return ()
    return ("status",) if settings.status_events is True else settings.status_events


def _status_event(subtype: str) -> dict[str, Any]:
    text = "Generating response..." if subtype == "status" else f"An event of type {subtype}."
    return {
        "type": "live",
        "data": text,
        "timestamp": time.time(),
        "subtype": subtype,
        "visibility": "collapsed",
    }


def _answer(settings: Settings, visit: Visit, messages: list[Message], reply: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "success": True,
        "reply": reply.strip(),  # the plugin trims it, though it streamed the blanks
        "images": None,
        "actions": [],
        "shortcuts": [],
        "blocks": [],
        "usage": _usage(settings, messages, reply) if settings.usage else None,
    }
    if settings.plugin >= _MODERN:
        answer["responseId"] = f"resp_{secrets.token_hex(6)}"
    return {**answer, **_new_token(settings, visit)}


def _new_token(settings: Settings, visit: Visit) -> dict[str, str]:
    """Give the part of an answer's body that hands out a newer nonce."""
    if visit.newer_nonce is None or settings.plugin < _NEW_TOKEN:
        return {}
    return {"new_token": visit.newer_nonce}


def _usage(settings: Settings, messages: list[Message], reply: str) -> dict[str, Any]:
    prompt = sum(len(str(message["content"]).split()) for message in messages)
    completion = len(reply.split())
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if settings.plugin >= _MODERN:
        usage |= {"price": None, "queries": 1, "accuracy": "tokens"}
    return usage


def _message(kind: FailureKind, settings: Settings) -> str:
    if kind == "limit":
        tab = "Insights" if settings.plugin >= _MODERN else "Queries"
        return f"You have reached the limit (check the {tab} Tab > Limits > Guests)."
    if kind == "rejected":
        return _REJECTED
    if kind == "quota":
        return "OpenAI: Error: You exceeded your current quota (insufficient_quota)"
    return (
        "OpenAI: Error: The server had an error while processing your request. Sorry about that!"
        " (server_error) (server_error)"
    )


def _event(exchange: Exchange, event: dict[str, Any], *, last: bool = False) -> bytes:
    return sse_event(php_json(event), exchange.settings, last=last)
