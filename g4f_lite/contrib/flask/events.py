"""An answer as the server-sent events that a browser's EventSource reads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, current_app, request

from ...answers.deltas import is_content
from ...answers.images import ImageResponse
from ...answers.stream import AnswerStream
from ..disconnect import disconnect_check
from ..replies import retry_after, to_json
from .errors import explain
from .failed_calls import log
from .reader import End, Item, OnDone, Partial, Reader, TypedAnswer

LOOK_SECONDS = 0.25  # between two looks whether the browser is still there
CLIENT_CLOSED_REQUEST = 499  # nginx's status for it; nobody but a log sees it
HEADERS = {
    "Cache-Control": "no-cache, no-transform",  # a proxy that compresses would hold events back
    "X-Accel-Buffering": "no",  # nginx
}
COMMENT = b":\n\n"


def stream_answer(
    stream: AnswerStream | TypedAnswer, *, first: float = 10.0, heartbeat: float = 15.0, on_done: OnDone | None = None
) -> Response:
    """Return the response of a view that sends an answer as server-sent events.

    Each event has JSON as its data:

    - ``message``: a piece of the answer, ``{"text": …}``, or images, ``{"images": [URL, …], "alt": …}``
    - ``partial``: of a stream with ``output=``, instead of ``message``, the JSON so far, ``{"output": …}``, which is
      not checked; a slow browser gets the newest only
    - ``done``: the whole answer, ``{"text": …, "finish_reason": …}``, and the value as ``"output"`` if there is one,
      converted and checked
    - ``failed``: a failure after the headers were sent, ``{"status": …, "error": …}``, as in :func:`error_response`;
      with 503 the seconds of Retry-After as ``"retry_after"``, too; with 502 after a piece, the sentence ``"cut"``

    The view's error handlers get a failure before that: up to ``first`` seconds are waited for the answer to begin.
    A browser that goes away is noticed within half a second, and the answer is closed.  An EventSource that connects
    again after the end or a lost connection gets 204, which stops it, and a HEAD request too; no prompt is sent then.

    :param stream: the answer, as ``client.stream(…)`` or ``conversation.stream(…)`` returns it
    :param first: seconds to wait for the first delta before the headers are sent
    :param heartbeat: seconds without an event after which a comment keeps the connection open
    :param on_done: called once for each call of this function with valid arguments, when the answer has ended and
        before ``done`` is sent: with the answer and None, or with what has come of it and the error; not if
        the process ends first.  It runs in a thread, in an app context and without a request.  If it raises, that is
        logged, and the events are the same
    :raises G4FLiteError: if the answer fails before the headers are sent
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if a number is out of range
    """
    if not isinstance(stream, AnswerStream) and not hasattr(stream, "partials"):
        raise TypeError(f"stream must be an AnswerStream, as client.stream(…) returns it, not {type(stream).__name__}")
    _check_seconds(first, "first", least=0)
    _check_seconds(heartbeat, "heartbeat", least=LOOK_SECONDS)
    if on_done is not None and not callable(on_done):
        raise TypeError(f"on_done must be a function, not {type(on_done).__name__}")
    reader = Reader(stream, current_app._get_current_object(), on_done)  # type: ignore[attr-defined]
    source = _Source(reader, disconnect_check(request.environ))
    if "Last-Event-ID" in request.headers or request.method == "HEAD":
        stream.close()  # so that no prompt is sent; the reader calls on_done all the same
        reader.start()
        reader.close()
        return Response(status=204)
    reader.start()
    try:
        begun = source.begin(first)
    except _ClientGone:
        reader.close()
        return Response(status=CLIENT_CLOSED_REQUEST)
    except BaseException:
        reader.close()
        raise
    return Response(_Events(source, begun, heartbeat), mimetype="text/event-stream", headers=HEADERS)


class _ClientGone(Exception):
    """The browser has closed its connection."""


class _Source:
    """What a reader has read, as long as the browser is there to get it."""

    def __init__(self, reader: Reader, is_gone: Callable[[], bool]) -> None:
        self.reader = reader
        self._is_gone = is_gone

    def get(self, until: float) -> Item | None:
        """Return the next delta or the end; None if neither has come by a time of the monotonic clock.

        :raises _ClientGone: if the browser has gone
        """
        while True:
            if self._is_gone():
                raise _ClientGone
            left = max(0.0, until - time.monotonic())
            item = self.reader.get(min(left, LOOK_SECONDS))
            if item is not None or left <= LOOK_SECONDS:
                return item

    def begin(self, seconds: float) -> list[Item]:
        """Return what comes up to the first content, or within some seconds.

        :raises _ClientGone: if the browser has gone
        :raises BaseException: what the answer fails with
        """
        begun: list[Item] = []
        until = time.monotonic() + seconds
        while (item := self.get(until)) is not None:
            if isinstance(item, End) and item.error is not None:
                raise item.error
            begun.append(item)
            if isinstance(item, (End, Partial)) or is_content(item):
                break
        return begun


class _Events(Iterator[bytes]):
    """The body of the response: the events as bytes.

    A server closes it in any case, also where it never iterates it and a generator's ``finally`` would not run.
    """

    def __init__(self, source: _Source, begun: list[Item], heartbeat: float) -> None:
        self._reader = source.reader
        self._events = _events(source, begun, heartbeat)

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End the answer, if it has not ended."""
        self._reader.close()


def _events(source: _Source, begun: list[Item], heartbeat: float) -> Iterator[bytes]:
    # With it an EventSource sends Last-Event-ID also if it loses the connection before the first event.
    yield b"id: 0\n\n"
    waiting, number, sent = deque(begun), 0, time.monotonic()
    while True:
        try:
            item = waiting.popleft() if waiting else source.get(sent + heartbeat)
        except _ClientGone:
            source.reader.close()
            return
        if isinstance(item, End):
            yield _last_event(item, number + 1, source.reader)
            return
        if (data := _data(item)) is not None:
            number += 1
            yield _event("partial" if isinstance(item, Partial) else "message", data, number)
            sent = time.monotonic()
        elif time.monotonic() >= sent + heartbeat:
            yield COMMENT
            sent = time.monotonic()


def _data(delta: Item | None) -> dict[str, Any] | None:
    """Return what a browser is told of a delta; None if nothing."""
    if isinstance(delta, Partial):
        return {"output": delta.value}
    if isinstance(delta, ImageResponse):
        return {"images": delta.urls, "alt": delta.alt}
    return {"text": delta} if isinstance(delta, str) and delta else None


def _last_event(end: End, number: int, reader: Reader) -> bytes:
    if end.error is None:
        done = {"text": str(end.answer), "finish_reason": end.answer.finish_reason, **end.output}
        return _event("done", done, number)
    begun = number > 1  # the visitor has a piece
    told = explain(end.error, reader.app, begun=begun)
    if told.status != 404:
        log(reader.app, end.error, reader.asked, begun=begun)
    wait = {} if told.retry_after is None else {"retry_after": int(retry_after(told.retry_after))}
    return _event("failed", {"status": told.status, "error": told.text, **wait}, number)


def _event(name: str, data: dict[str, Any], number: int) -> bytes:
    text = to_json(data)  # which has no newline, as a line of events must
    kind = "" if name == "message" else f"event: {name}\n"
    return f"id: {number}\n{kind}data: {text}\n\n".encode()


def _check_seconds(value: Any, name: str, *, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be seconds, not {type(value).__name__}")
    if not least <= value < threading.TIMEOUT_MAX:
        raise ValueError(f"{name} must be at least {least:g} seconds, not {value}")
