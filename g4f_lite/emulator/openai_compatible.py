"""Emulate a server that speaks the OpenAI protocol: chat completions, models, images."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from .answers import text_of
from .exchange import BackendError, Exchange
from .images import Images
from .png import draw_png
from .record import ReceivedRequest
from .reply import BodyItem, Piece, Reply, json_reply
from .service import FailureKind, Service, Step
from .sse import CONTENT_TYPE, sse_event

_STEPS: dict[tuple[str, str], Step] = {
    ("POST", "/v1/chat/completions"): "prompt",
    ("POST", "/v1/images/generations"): "prompt",
    ("GET", "/v1/models"): "models",
}
_MOST_IMAGES = 10

# kind: (status, message, type, code), in the words of OpenAI's own server.
_FAILURES: dict[FailureKind, tuple[int, str, str, str]] = {
    "error": (
        500,
        "The server had an error while processing your request. Sorry about that!",
        "server_error",
        "server_error",
    ),
    "limit": (429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"),
    "quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "rejected": (
        400,
        "Your request was rejected as a result of our safety system.",
        "invalid_request_error",
        "content_policy_violation",
    ),
}


class OpenAICompatible(Service):
    """Serve ``/v1/chat/completions``, ``/v1/models`` and ``/v1/images/generations``."""

    name = "openai"

    def __init__(self, images: Images) -> None:
        self._images = images

    def step(self, request: ReceivedRequest) -> Step | None:
        return _STEPS.get((request.method, request.path))

    def owns(self, request: ReceivedRequest) -> bool:
        return request.path.startswith("/v1/")

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        if request.step is None:
            return _refusal(404, f"Invalid URL ({request.method} {request.path})")
        authorization = f"Bearer {settings.api_key}"
        if settings.api_key and request.headers.get("Authorization") != authorization:
            return self.token_refused(exchange)
        if request.step == "models":
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "emulator"} for name in settings.models]
            return json_reply(200, {"object": "list", "data": models})
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return _refusal(400, "We could not parse the JSON body of your request.")
        if request.path.endswith("/generations"):
            return self._make_images(exchange, body)
        model, messages = body.get("model"), body.get("messages")
        if not isinstance(model, str) or not model:
            return _refusal(400, "you must provide a model parameter")
        if settings.refuse_unknown_models and model not in settings.models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return _refusal(404, message, code="model_not_found")
        if not _are_messages(messages):
            return _refusal(400, "Invalid value for 'messages': expected a list of messages.")
        completion = _Completion(exchange, body)
        return completion.stream(self) if body.get("stream") is True else completion.whole(self)

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        usual, text, type_, code = _FAILURES[kind]
        return _refusal(status or usual, message or text, type_, code)

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        _, text, type_, code = _FAILURES[kind]
        return sse_event(json.dumps(_error(message or text, type_, code)), exchange.settings)

    def token_refused(self, exchange: Exchange) -> Reply:
        return _refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    def wrong_types(self, exchange: Exchange) -> bytes:
        wrong = '{"object":"chat.completion.chunk","choices":"none"}'
        body = exchange.request.body
        return sse_event(wrong, exchange.settings) if b'"stream": true' in body else wrong.encode()

    def _make_images(self, exchange: Exchange, body: dict[str, Any]) -> Reply:
        prompt, count = body.get("prompt"), body.get("n", 1)
        if not isinstance(prompt, str) or not prompt:
            return _refusal(400, "Missing required parameter: 'prompt'.")
        if not isinstance(count, int) or not 1 <= count <= _MOST_IMAGES:
            return _refusal(400, f"'n' must be from 1 to {_MOST_IMAGES}.")
        if exchange.empty:
            data = []
        elif body.get("response_format") == "b64_json":
            encoded = base64.b64encode(draw_png(prompt)).decode()
            data = [{"b64_json": encoded}] * count
        else:
            data = [{"url": self._images.add(exchange, prompt)} for _ in range(count)]
        return json_reply(200, {"created": int(time.time()), "data": data})


class _Completion:
    """Write one answer, in chunks or as a whole."""

    def __init__(self, exchange: Exchange, body: dict[str, Any]) -> None:
        self._exchange = exchange
        self._messages = body["messages"]
        options = body.get("stream_options")
        self._streams_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        self._common = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": body["model"],
        }

    def stream(self, service: OpenAICompatible) -> Reply:
        return Reply(200, [("Content-Type", CONTENT_TYPE)], self._events(service))

    def _events(self, service: OpenAICompatible) -> Iterator[BodyItem]:
        # Servers differ in the first delta; content: null is the form that breaks most clients.
        yield Piece(self._chunk({"role": "assistant", "content": None}))
        pieces, finish_reason = 0, "stop"
        try:
            for delta in self._exchange.deltas(self._messages):
                if isinstance(delta, str):
                    pieces += 1
                    yield Piece(self._chunk({"content": delta}), text=True)
                    continue
                fields = dict(delta)
                finish_reason = fields.pop("finish_reason", finish_reason)
                if fields:
                    yield Piece(self._chunk(fields), text=True)
        except BackendError as error:
            yield Piece(service.failure_event(self._exchange, "error", str(error)))
            return
        yield Piece(self._chunk({}, finish_reason))
        settings = self._exchange.settings
        if self._streams_usage and settings.usage:
            yield Piece(self._event({"choices": [], "usage": _usage(self._messages, pieces)}))
        yield Piece(sse_event("[DONE]", settings, last=True))

    def whole(self, service: OpenAICompatible) -> Reply:
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        pieces, finish_reason = 0, "stop"
        try:
            for delta in self._exchange.deltas(self._messages):
                if isinstance(delta, str):
                    pieces += 1
                    message["content"] += delta
                    continue
                for name, value in delta.items():
                    if name == "finish_reason":
                        finish_reason = value
                    elif isinstance(value, (str, list)):
                        message[name] = message.get(name, type(value)()) + value
        except BackendError as error:
            return service.failure(self._exchange, "error", str(error), None)
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        answer = {**self._common, "object": "chat.completion", "choices": [choice]}
        if self._exchange.settings.usage:
            answer["usage"] = _usage(self._messages, pieces)
        return json_reply(200, answer)

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._event({"choices": [choice]})

    def _event(self, fields: dict[str, Any]) -> bytes:
        chunk = {**self._common, "object": "chat.completion.chunk", **fields}
        return sse_event(json.dumps(chunk), self._exchange.settings)


def _are_messages(messages: object) -> bool:
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in messages)
    )


def _usage(messages: list[dict[str, Any]], completion: int) -> dict[str, int]:
    prompt = sum(len(text_of(message.get("content")).split()) for message in messages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _error(message: str, type_: str, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def _refusal(status: int, message: str, type_: str = "invalid_request_error", code: str | None = None) -> Reply:
    return json_reply(status, _error(message, type_, code))
