"""Emulate AiChatOnline: a token by GET, then NDJSON that ends with the body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .exchange import BackendError, Exchange
from .record import ReceivedRequest
from .reply import BodyItem, Piece, Reply, json_reply
from .service import FailureKind, Service, Step
from .settings import Settings
from .tokens import Tokens

_TOKEN_PATH = "/api/v1/user/getUniqueId"
_PROMPT_PATH = "/aichatonline/api/chat/gpt"
_CANVAS = re.compile(r"-[a-z0-9]{10}")
_CONVERSATION_ID = re.compile(r"[a-z0-9]{10}")
_CONTENT_TYPE = "application/x-ndjson;charset=UTF-8"

# The service's own texts are not known.
_MESSAGES: dict[FailureKind, str] = {
    "error": "The service is busy, please try again later",
    "limit": "Rate limit reached: too many requests, please try again later",
    "quota": "You exceeded your current quota",
    "rejected": "The prompt was rejected",
}
_CODES: dict[FailureKind, int] = {"error": 500, "limit": 429, "quota": 402, "rejected": 400}


class AiChatOnline(Service):
    """Serve ``GET /api/v1/user/getUniqueId`` and ``POST /aichatonline/api/chat/gpt``."""

    name = "ai_chat_online"

    def __init__(self) -> None:
        self.tokens = Tokens(32)

    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        if request.method == "GET" and request.path == _TOKEN_PATH:
            return "bootstrap"
        if request.method == "POST" and request.path == _PROMPT_PATH:
            return "prompt"
        return None

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        if request.step == "bootstrap":
            if not _CANVAS.fullmatch(request.query.get("canvas", "")):
                return _refusal(400, "canvas must be - and ten of a-z0-9")
            return json_reply(200, {"code": 200, "data": self.tokens.issue()})
        token = request.headers.get("UniqueId", "")
        if self.tokens.use(token, settings.token_uses, settings.token_seconds) == "refused":
            return self.token_refused(exchange)
        prompt = _prompt(request)
        if prompt is None:
            return _refusal(400, "the body must be a conversationId and a prompt")
        return Reply(200, [("Content-Type", _CONTENT_TYPE)], self._stream(exchange, prompt))

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        if exchange.request.step == "bootstrap" or status is not None:
            return _refusal(status or 200, message or _MESSAGES[kind], _CODES[kind])
        line = self.failure_event(exchange, kind, message)
        return Reply(200, [("Content-Type", _CONTENT_TYPE)], [Piece(line)])

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        error = {"code": _CODES[kind], "message": message or _MESSAGES[kind], "data": None}
        return _line(exchange, error)

    def token_refused(self, exchange: Exchange) -> Reply:
        return _refusal(exchange.settings.token_refusal, "UniqueId is not valid", 401)

    def wrong_types(self, exchange: Exchange) -> bytes:
        if exchange.request.step == "bootstrap":
            return b'{"code":200,"data":{"id":7}}'
        return _line(exchange, {"code": 200, "data": {"message": 7}})

    def _stream(self, exchange: Exchange, prompt: str) -> Iterator[BodyItem]:
        try:
            for piece in exchange.texts([{"role": "user", "content": prompt}]):
                yield Piece(_line(exchange, {"code": 200, "data": {"message": piece}}), text=True)
        except BackendError as error:
            yield Piece(self.failure_event(exchange, "error", str(error)))


def _prompt(request: ReceivedRequest) -> str | None:
    try:
        body = request.json()
    except ValueError:
        return None
    if not isinstance(body, dict) or set(body) != {"conversationId", "prompt"}:
        return None
    conversation, prompt = body["conversationId"], body["prompt"]
    if not isinstance(conversation, str) or not _CONVERSATION_ID.fullmatch(conversation):
        return None
    return prompt if isinstance(prompt, str) and prompt.strip() else None


def _line(exchange: Exchange, value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (text + exchange.settings.newline).encode()


def _refusal(status: int, message: str, code: int | None = None) -> Reply:
    return json_reply(status, {"code": code or status, "message": message, "data": None})
