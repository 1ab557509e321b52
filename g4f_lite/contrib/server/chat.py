"""``POST /v1/chat/completions``: an answer, whole or as a stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ...answers.buffer import MAX_CHOICES
from ...answers.deltas import Identity
from ...answers.stream import AnswerStream
from ...client.completion_stream import CompletionStream
from ...client.options import EMULATED
from ...client.results import Completion, now
from ...client.routing import Router
from ...errors import G4FLiteError
from ...prompt import Prompt
from ...providers.openai.options import BODY, EXTRAS
from ..disconnect import disconnect_check
from .failures import ApiError, api_error
from .foreign_schema import costly_part
from .request import Request, Response, encoded, ignored_fields
from .streams import Slot, Streams

_OWN = {"model", "messages", "stream", "stream_options", "n"}  # what is read here
_NOT_FOR_CLIENTS = EXTRAS | {"extra_body"}  # they reach past the fields of the API
_IMAGE_SCHEMES = ("data:image/", "https://")
EVENTS = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # nginx would keep the events until its buffer is full
]


def chat(router: Router, streams: Streams, request: Request) -> Response:
    """Answer a prompt.

    :raises ApiError: if there is no answer
    """
    body = request.json()
    created = now()
    is_streamed = _flag(body, "stream")
    wants_usage = _flag(body.get("stream_options") or {}, "include_usage") if is_streamed else False
    prompt, ignored = _prompt(router, body)
    headers = ignored_fields(ignored)
    with ExitStack() as stack:
        slot = streams.take(disconnect_check(request.environ))
        stack.callback(slot.give_back)
        try:
            answer = router.answer(prompt)
            slot.hold(answer)
            if not is_streamed:
                return Response.of_json(_whole(answer, created), headers=headers)
            chunks = CompletionStream(answer.start(), created, wants_usage=wants_usage)
        except (G4FLiteError, TypeError, ValueError) as error:
            raise api_error(error) from error
        stack.pop_all()  # the place is given back when the response is closed
        return Response(200, Events(chunks, slot), [*EVENTS, *headers])


def _prompt(router: Router, body: dict[str, Any]) -> tuple[Prompt, set[str]]:
    """Read a request: the prompt, and the names of the fields that the provider does not support.

    :raises ApiError: if it is not a prompt
    """
    model, messages = body.get("model") or None, body.get("messages")
    if not isinstance(messages, list):
        raise ApiError(400, "messages must be a list of messages", param="messages")
    if model is not None and not isinstance(model, str):
        raise ApiError(400, "model must be a string", param="model")
    _check_images(messages)
    n = body.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_CHOICES):
        raise ApiError(400, f"n must be a whole number from 1 to {MAX_CHOICES}, not {n!r:.40}", param="n")
    try:
        known = router.find(model)[0].known_options
        supported = (BODY if known is None else known | {*EMULATED}) - _NOT_FOR_CLIENTS
        given = body.keys() - _OWN
        options = {name: body[name] for name in given & supported}
        prompt = Prompt.of(model, messages, **options)
    except (G4FLiteError, TypeError, ValueError) as error:
        raise api_error(error) from error
    if known is not None and "response_format" not in known:
        part = costly_part(_schema_in(options.get("response_format")))
        if part is not None:
            raise ApiError(400, f"this server takes no schema with {part}", param="response_format")
    if n is not None and n > 1:
        prompt = replace(prompt, options={**prompt.options, "n": n})
    return prompt, given - supported


def _check_images(messages: list[Any]) -> None:
    """Check that images are in the request or on the web: this machine's files and network are not the client's.

    :raises ApiError: if one is somewhere else
    """
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else image
            if url is not None and not (isinstance(url, str) and url.lower().startswith(_IMAGE_SCHEMES)):
                raise ApiError(400, "an image must be a data: or https: URL", param="messages")


def _schema_in(response_format: Any) -> Any:
    inner = response_format.get("json_schema") if isinstance(response_format, dict) else None
    return inner.get("schema") if isinstance(inner, dict) else None


def _flag(fields: Any, name: str) -> bool:
    """Return a field that is true or false.

    :raises ApiError: if it is something else
    """
    value = fields.get(name) if isinstance(fields, dict) else fields
    if value is not None and not isinstance(value, bool):
        raise ApiError(400, f"{name} must be true or false, not {value!r:.40}", param=name)
    return bool(value)


def _whole(answer: AnswerStream, created: int) -> dict[str, Any]:
    text = answer.text()
    whole = Completion.of(text, answer.identity or Identity(), created, answer.other_choices).to_dict()
    for choice in whole["choices"]:
        choice["message"].setdefault("refusal", None)  # the API has this field always
    return whole


class Events(Iterator[bytes]):
    """The events of a streamed answer.  A WSGI server closes them, read or not.

    :param chunks: the chunks of the answer, started
    :param slot: the place of the answer
    """

    def __init__(self, chunks: CompletionStream, slot: Slot) -> None:
        self._events = _events(chunks)
        self._slot = slot

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End the answer, and free its place."""
        self._slot.give_back()


def _events(chunks: CompletionStream) -> Iterator[bytes]:
    try:
        told: dict[str, Any] | None = None  # a service's own fields, which may be long: they are sent once
        for chunk in chunks:
            if chunk.extra is told:
                chunk.extra = None
            else:
                told = chunk.extra
            yield _event(chunk.to_dict())
    except G4FLiteError as error:  # the status has been sent, so that the error can only be an event
        yield _event(api_error(error).to_dict())
        return
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + encoded(value) + b"\n\n"
