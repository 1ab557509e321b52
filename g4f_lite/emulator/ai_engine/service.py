"""Emulate the AI Engine plugin on a WordPress site, in several of its versions.

The forms, statuses and orders of checks are those of the real plugin, as recorded and as its source has them.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from typing import Any

from ..answers import Message
from ..exchange import BackendError, Exchange
from ..images import Images
from ..record import ReceivedRequest
from ..reply import BodyItem, Header, Piece, Reply, bytes_reply, html_reply
from ..service import FailureKind, Service, Step
from ..settings import Settings
from ..sse import CONTENT_TYPE, sse_event
from ..tokens import Tokens
from .answer import REJECTED, FunctionCalls, failure_message, image_answer, log_events, subtypes, text_answer
from .plugin import Plugin
from .prompt import Failed, PhpFatal, Prompt, Rejected, wants_stream
from .site_session import SiteSession, logged_in_user
from .wordpress import (
    JSON_TYPE,
    fatal_error,
    invalid_nonce,
    missing_rest,
    no_route,
    options_reply,
    php_json,
    php_reply,
    rest_path,
    rest_route,
    wordpress_error,
)

_SESSION_ROUTE = "/mwai/v1/start_session"
_SUBMIT_ROUTE = "/mwai-ui/v1/chats/submit"
_AJAX_PATH = "/wp-admin/admin-ajax.php"
_PAGES = ("/", "/index.php")
_ROUTES: dict[str, Step] = {_SUBMIT_ROUTE: "prompt", _SESSION_ROUTE: "bootstrap"}


class AiEngine(Service):
    """Serve the routes ``mwai/v1/start_session`` and ``mwai-ui/v1/chats/submit``, and the site's pages."""

    name = "ai_engine"

    def __init__(self, images: Images) -> None:
        self.nonces = Tokens(10)
        self._images = images
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        route = rest_route(request, settings)
        if route is None:
            asks_nonce = request.path == _AJAX_PATH and request.query.get("action") == "rest-nonce"
            is_page = request.method == "GET" and request.path in _PAGES
            return "bootstrap" if asks_nonce or is_page else None
        if request.method != "POST" or not self._has_route(request, settings):
            return None
        return _ROUTES.get(route)

    def owns(self, request: ReceivedRequest, settings: Settings) -> bool:
        is_rest = rest_route(request, settings) is not None
        return is_rest or request.path.startswith("/wp-json/") or request.path == _AJAX_PATH

    def markup(self, exchange: Exchange) -> str:
        """Return the chatbot's element in the site's pages.

        It shows a nonce to those who are logged in; the versions before start_session show it to all.
        """
        session = SiteSession(exchange, self.nonces)
        shows_nonce = session.user or not Plugin(exchange.settings.plugin).has_start_session
        system = {
            "botId": "default",
            "restNonce": session.page_nonce() if shows_nonce else None,
            "restUrl": exchange.url(rest_path(exchange.settings)),
        }
        return f'<div class="mwai-chatbot-container" data-system="{html.escape(php_json(system))}"></div>'

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        route = rest_route(request, settings)
        if route is None:
            return self._page(exchange)
        plugin, session = Plugin(settings.plugin), SiteSession(exchange, self.nonces)
        if plugin.sets_cookies and (plugin.is_serial or route.startswith("/mwai/")):
            session.php_session()
        if session.nonce_state == "refused":
            return invalid_nonce(session.headers)
        if request.step == "prompt":
            return self._submit(exchange, plugin, session)
        if request.step == "bootstrap":
            return self._start_session(exchange, plugin, session)
        if request.method == "OPTIONS" and route in _ROUTES and self._has_route(request, settings):
            return options_reply(route, session.headers)
        return no_route(session.headers)

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        text = message or _failure_message(exchange, kind)
        if status is None and kind != "rejected" and exchange.request.step == "prompt":
            exchange.backend_error = text
            return self.reply(exchange)
        plugin, session = Plugin(exchange.settings.plugin), SiteSession(exchange, self.nonces)
        return _refusal(status or (403 if kind == "rejected" else 500), text, plugin, session)

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        text = message or _failure_message(exchange, kind)
        if kind == "rejected":
            return _event(exchange, {"type": "end", "data": php_json({"success": False, "message": text})}, last=True)
        return _event(exchange, {"type": "error", "data": text}, last=True)

    def token_refused(self, exchange: Exchange) -> Reply:
        return invalid_nonce([])

    def wrong_types(self, exchange: Exchange) -> bytes:
        if exchange.request.step == "bootstrap":
            return b'{"success":true,"sessionId":7,"restNonce":7}'
        if wants_stream(exchange.request):
            return _event(exchange, {"type": "live", "data": {"text": 7}})
        return b'{"success":true,"reply":["a","b"]}'

    def _has_route(self, request: ReceivedRequest, settings: Settings) -> bool:
        plugin = Plugin(settings.plugin)
        if request.path == "/" and settings.permalinks != "pretty" and not plugin.routes_at_root:
            return False
        return plugin.has_start_session or rest_route(request, settings) != _SESSION_ROUTE

    def _page(self, exchange: Exchange) -> Reply:
        request = exchange.request
        if request.path == _AJAX_PATH:
            session = SiteSession(exchange, self.nonces)
            if request.step is None or not session.user:
                return html_reply(400, "0")
            return html_reply(200, session.page_nonce())
        page = f"<!DOCTYPE html><title>Site</title>{self.markup(exchange)}"
        if request.path.startswith("/wp-json/"):
            return missing_rest(exchange.settings, page)
        return html_reply(200, page)

    def _start_session(self, exchange: Exchange, plugin: Plugin, session: SiteSession) -> Reply:
        if plugin.sets_cookies:
            session.chat_session()
        answer = {
            "success": True,
            "sessionId": session.known_chat_session() or "N/A",
            "restNonce": session.newest_nonce(),
            **_new_token(plugin, session),
        }
        return php_reply(200, answer, session.headers, warning=exchange.settings.php_warning)

    def _submit(self, exchange: Exchange, plugin: Plugin, session: SiteSession) -> Reply:
        request, settings = exchange.request, exchange.settings
        is_json = request.headers.get_content_type() == "application/json"
        try:
            body = request.json() if is_json else {}
        except ValueError:
            return wordpress_error(
                400,
                "rest_invalid_json",
                "Invalid JSON body passed.",
                session.headers,
                {"json_error_code": 4, "json_error_message": "Syntax error"},
            )
        if "X-WP-Nonce" not in request.headers:
            message = "Sorry, you are not allowed to do that."
            return wordpress_error(401, "rest_forbidden", message, session.headers)
        try:
            prompt = Prompt.read(body, plugin)
            prompt.check(settings, plugin)
            if plugin.sets_cookies:
                session.chat_session()
            messages = prompt.messages(settings.max_messages)
        except PhpFatal:
            return fatal_error(session.headers)
        except Rejected:
            return _refusal(403, REJECTED, plugin, session)
        except Failed as error:
            # The stream has not begun: an event's line comes under JSON's content type.
            if not wants_stream(request):
                return _refusal(500, str(error), plugin, session)
            event = _event(exchange, {"type": "error", "data": str(error)})
            return bytes_reply(200, JSON_TYPE, event, session.headers)
        request.chat_session = prompt.session or session.known_chat_session() or "N/A"
        if plugin.is_serial:
            self._enter_session(exchange, session.php_session())
        draws = prompt.bot(settings) in settings.image_bots
        if prompt.streams:
            events = self._image_events if draws else self._text_events
            return Reply(
                200,
                [*_stream_headers(draws and plugin.images_as_json), *session.headers],
                events(exchange, plugin, session, messages),
            )
        try:
            answer = (self._draw if draws else self._write)(exchange, plugin, messages)
        except BackendError as error:
            return _refusal(500, str(error), plugin, session)
        return php_reply(200, {**answer, **_new_token(plugin, session)}, session.headers)

    def _enter_session(self, exchange: Exchange, session: str) -> None:
        """Wait for the other requests of the same PHP session, as PHP's session lock does."""
        with self._locks_lock:
            lock = self._locks.setdefault(session, threading.Lock())
        exchange.cleanup.enter_context(lock)

    def _write(self, exchange: Exchange, plugin: Plugin, messages: list[Message]) -> dict[str, Any]:
        reply, calls = "", FunctionCalls()
        for delta in exchange.deltas(messages):
            if isinstance(delta, str):
                reply += delta
            else:
                calls.add(delta.get("tool_calls"))
        return text_answer(exchange.settings, plugin, messages, reply, calls)

    def _draw(self, exchange: Exchange, plugin: Plugin, messages: list[Message]) -> dict[str, Any]:
        if exchange.backend_error is not None:
            raise BackendError(exchange.backend_error)
        prompt = messages[-1]["content"]
        urls = [] if exchange.empty else [self._images.add(exchange, prompt)]
        return image_answer(exchange.settings, plugin, prompt, urls)

    def _text_events(
        self, exchange: Exchange, plugin: Plugin, session: SiteSession, messages: list[Message]
    ) -> Iterator[BodyItem]:
        settings = exchange.settings
        for event in log_events(settings, plugin):
            yield Piece(_event(exchange, event))
        marks = {"subtype": "content"} if "content" in subtypes(settings, plugin) else {}
        reply, calls = "", FunctionCalls()
        try:
            for delta in exchange.deltas(messages):
                if isinstance(delta, str):
                    reply += delta
                    yield Piece(_event(exchange, {"type": "live", "data": delta, **marks}), text=True)
                else:
                    calls.add(delta.get("tool_calls"))
        except BackendError as error:
            if not reply:
                yield Piece(self.failure_event(exchange, "error", str(error)))
                return
            # A model that dies in mid-answer looks to the plugin like one that has finished.
        answer = text_answer(settings, plugin, messages, reply, calls)
        yield Piece(_end(exchange, {**answer, **_new_token(plugin, session)}))

    def _image_events(
        self, exchange: Exchange, plugin: Plugin, session: SiteSession, messages: list[Message]
    ) -> Iterator[BodyItem]:
        try:
            answer = self._draw(exchange, plugin, messages)
        except BackendError as error:
            yield Piece(self.failure_event(exchange, "error", str(error)))
            return
        yield Piece(_end(exchange, {**answer, **_new_token(plugin, session)}), text=True)


def _failure_message(exchange: Exchange, kind: FailureKind) -> str:
    settings = exchange.settings
    return failure_message(kind, settings, Plugin(settings.plugin), logged_in=bool(logged_in_user(exchange.request)))


def _stream_headers(as_json: bool) -> list[Header]:
    if as_json:
        return [("Content-Type", JSON_TYPE)]
    return [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-cache")]


def _refusal(status: int, message: str, plugin: Plugin, session: SiteSession) -> Reply:
    answer = {"success": False, "message": message, **_new_token(plugin, session)}
    return php_reply(status, answer, session.headers)


def _new_token(plugin: Plugin, session: SiteSession) -> dict[str, str]:
    """Return the part of an answer's body that hands out a newer nonce."""
    return {"new_token": session.newer_nonce} if session.newer_nonce and plugin.renews_tokens else {}


def _end(exchange: Exchange, answer: dict[str, Any]) -> bytes:
    return _event(exchange, {"type": "end", "data": php_json(answer)}, last=True)


def _event(exchange: Exchange, event: dict[str, Any], *, last: bool = False) -> bytes:
    return sse_event(php_json(event), exchange.settings, last=last)
