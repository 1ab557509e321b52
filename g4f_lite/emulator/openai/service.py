"""Emulate a server that speaks the OpenAI protocol: chat completions, models, images, embeddings."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from ..exchange import Exchange
from ..images import Images
from ..png import draw_png
from ..record import ReceivedRequest
from ..reply import Reply, json_reply
from ..service import FailureKind, Service, Step
from ..settings import Settings
from ..sse import sse_event
from .batches import Batches
from .call import Call, Event
from .completion import Completion
from .dialect import Dialect
from .dialects import find_dialects
from .embeddings import embeddings_reply
from .failure import Failure, refusal
from .files import Files
from .logprobs import refuse_logprobs
from .rate import RateLimiter

_STEPS: dict[tuple[str, str], Step] = {
    ("POST", "/v1/chat/completions"): "prompt",
    ("POST", "/v1/images/generations"): "prompt",
    ("POST", "/v1/embeddings"): "embeddings",
    ("GET", "/v1/models"): "models",
}
_FILE_STEPS: dict[str, Step] = {"files": "files", "batches": "batches"}
_MOST_IMAGES = 10


class OpenAICompatible(Service):
    """Serve ``/v1/chat/completions``, ``/v1/images/generations``, ``/v1/embeddings``, ``/v1/models`` and batches."""

    name = "openai"

    def __init__(self, images: Images) -> None:
        self._images = images
        self.limiter = RateLimiter()
        self.files = Files()
        self.batches = Batches(self.files)

    def clear(self) -> None:
        """Forget files, batches, and the requests that count for the rate."""
        self.limiter.clear()
        self.files.clear()
        self.batches.clear()

    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        path = _usual_path(request, settings)
        if path is None:
            return None
        _, version, room, *_ = [*path.split("/"), "", ""]
        return _FILE_STEPS.get(room) if version == "v1" and room in _FILE_STEPS else _STEPS.get((request.method, path))

    def owns(self, request: ReceivedRequest, settings: Settings) -> bool:
        return request.path.startswith("/v1/") or any(
            dialect.path is not None for dialect in find_dialects(settings.dialects)
        )

    def reply(self, exchange: Exchange) -> Reply:
        request, settings = exchange.request, exchange.settings
        dialects = find_dialects(settings.dialects)
        if request.step is None:
            return _not_found(exchange, dialects)
        if not _is_authorized(request, settings, dialects):
            return self.token_refused(exchange)
        if request.step == "models":
            return _list_models(settings, dialects)
        if request.step == "files":
            return self.files.reply(request)
        if request.step == "batches":
            return self.batches.reply(
                request, settings, lambda body: self._complete(Call(exchange, {**body, "stream": False}), [])
            )
        if settings.rate is not None:
            seconds = self.limiter.wait(settings.rate)
            if seconds is not None:
                exchange.retry_after = seconds
                return self.failure(exchange, "limit", None, None)
        body = _body(request)
        if body is None:
            return refusal(400, "We could not parse the JSON body of your request.")
        if request.step == "embeddings":
            return embeddings_reply(body)
        call = Call(exchange, body)
        for dialect in dialects:
            refused = dialect.refuses(call) if dialect.refuses is not None else None
            if refused is not None:
                return refused
        if request.path.rstrip("/").endswith("/generations"):
            return self._make_images(call, dialects)
        return self._complete(call, dialects)

    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        failure = Failure.of(kind, message, status, exchange.retry_after)
        call = Call(exchange, _body(exchange.request) or {})
        for dialect in find_dialects(exchange.settings.dialects):
            reply = dialect.failure(failure, call) if dialect.failure is not None else None
            if reply is not None:
                return reply
        return failure.reply()

    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        events = _failure_events(exchange, kind, message)
        return b"".join(event.encode(exchange.settings) for event in events)

    def token_refused(self, exchange: Exchange) -> Reply:
        return refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    def wrong_types(self, exchange: Exchange) -> bytes:
        wrong = '{"object":"chat.completion.chunk","choices":"none"}'
        streams = (_body(exchange.request) or {}).get("stream") is True
        return sse_event(wrong, exchange.settings) if streams else wrong.encode()

    def _complete(self, call: Call, dialects: list[Dialect]) -> Reply:
        settings = call.exchange.settings
        model, messages = call.body.get("model"), call.body.get("messages")
        if not isinstance(model, str) or not model:
            return refusal(400, "you must provide a model parameter")
        if settings.refuse_unknown_models and model not in settings.models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return refusal(404, message, code="model_not_found")
        if not _are_messages(messages):
            return refusal(400, "Invalid value for 'messages': expected a list of messages.")
        refused = refuse_logprobs(call.body)
        if refused is not None:
            return refused
        streams = call.streams
        for dialect in dialects:
            streams = streams if dialect.streams is None else dialect.streams
        completion = Completion(call, dialects)
        if streams:
            return completion.stream(lambda message: _failure_events(call.exchange, "error", message))
        return completion.whole(lambda message: self.failure(call.exchange, "error", message, None))

    def _make_images(self, call: Call, dialects: list[Dialect]) -> Reply:
        exchange, body = call.exchange, call.body
        prompt, count = body.get("prompt"), body.get("n", 1)
        if not isinstance(prompt, str) or not prompt:
            return refusal(400, "Missing required parameter: 'prompt'.")
        if not isinstance(count, int) or not 1 <= count <= _MOST_IMAGES:
            return refusal(400, f"'n' must be from 1 to {_MOST_IMAGES}.")
        if exchange.empty:
            data = []
        elif body.get("response_format") == "b64_json":
            encoded = base64.b64encode(draw_png(prompt)).decode()
            data = [{"b64_json": encoded}] * count
        else:
            data = [{"url": self._images.add(exchange, prompt)} for _ in range(count)]
        answer: dict[str, Any] = {"created": int(time.time()), "data": data}
        for dialect in dialects:
            if dialect.images is not None:
                answer = dialect.images(answer, call)
        return json_reply(200, answer)


def _body(request: ReceivedRequest) -> dict[str, Any] | None:
    try:
        body = request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _usual_path(request: ReceivedRequest, settings: Settings) -> str | None:
    """Return the path that a request would have with OpenAI's own server."""
    path: str | None = request.path
    for dialect in find_dialects(settings.dialects):
        if dialect.path is not None:
            path = dialect.path(request)
    return path


def _not_found(exchange: Exchange, dialects: list[Dialect]) -> Reply:
    for dialect in dialects:
        if dialect.not_found is not None:
            return dialect.not_found(exchange)
    request = exchange.request
    return refusal(404, f"Invalid URL ({request.method} {request.path})")


def _is_authorized(request: ReceivedRequest, settings: Settings, dialects: list[Dialect]) -> bool:
    if not settings.api_key or request.headers.get("Authorization") == f"Bearer {settings.api_key}":
        return True
    headers = [dialect.key_header for dialect in dialects if dialect.key_header is not None]
    return any(request.headers.get(header) == settings.api_key for header in headers)


def _list_models(settings: Settings, dialects: list[Dialect]) -> Reply:
    models = [{"id": name, "object": "model", "created": 0, "owned_by": "emulator"} for name in settings.models]
    answer: object = {"object": "list", "data": models}
    for dialect in dialects:
        if dialect.models is not None:
            answer = dialect.models(models)
    return json_reply(200, answer)


def _failure_events(exchange: Exchange, kind: FailureKind, message: str | None) -> list[Event]:
    failure = Failure.of(kind, message, None, exchange.retry_after)
    for dialect in find_dialects(exchange.settings.dialects):
        if dialect.failure_events is not None:
            return dialect.failure_events(failure, Call(exchange, _body(exchange.request) or {}))
    return [Event(json.dumps({"error": failure.error}))]


def _are_messages(messages: object) -> bool:
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(isinstance(item, dict) and isinstance(item.get("role"), str) for item in messages)
    )
