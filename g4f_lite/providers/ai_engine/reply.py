"""The answers of AI Engine, as events or as one JSON object → deltas.

Source: answers of the plugin's versions 2.4.3 to 3.6.2 on a real WordPress.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Delta, Finish, Revision
from ...answers.images import ImageResponse
from ...errors import ResponseFormatError
from ...http.body import Body
from ...http.checks import names_failure, shorten
from ...http.parsing import BLANK, MAX_LINE_BYTES, parse_json
from ..openai.usage import read_usage
from . import errors, nonce
from .actions import read_actions
from .images import without_images


def read_answer(body: Body, message: str) -> Iterator[Delta]:
    """Read an answer; its body, not its Content-Type, tells whether it is events or one JSON object.

    :param message: what was asked
    """
    beginning = body.peek().lstrip(BLANK)
    if beginning.startswith(b"{"):
        yield from _read_reply(body, body.json(), "", message)
        return
    events = 0
    blanks, streamed, length = "", list[str](), 0
    for event in body.events(accept_unfinished=True):
        try:
            fields = parse_json(event.data)
        except ResponseFormatError:
            if body.complete:  # the end of the body came first: cut in the middle of an event
                return
            raise
        if not isinstance(fields, dict):
            raise ResponseFormatError(f"expected a JSON object in an event, got {shorten(event.data, 100)!r}")
        events += 1
        kind, data = fields.get("type"), fields.get("data")
        if kind == "live" and fields.get("subtype") in (None, "", "content"):  # others are the site's event log
            if not isinstance(data, str):
                raise ResponseFormatError(f"expected text in a live event, got {shorten(event.data, 100)!r}")
            if not streamed:
                blanks += data  # held back: blanks alone, with an empty reply at the end, are an empty answer
                if not data.strip() and len(blanks) <= MAX_LINE_BYTES:
                    continue
                data = blanks
            if length <= MAX_LINE_BYTES:  # no reply at the end can be longer
                streamed.append(data)
                length += len(data)
            yield data
        elif isinstance(kind, str) and names_failure(kind):
            raise errors.error_of(data, body.status, message)
        elif kind is None and fields.get("error"):  # of a proxy before the site
            raise errors.error_of(fields["error"], body.status, message)
        elif kind == "end":
            reply = parse_json(data) if isinstance(data, str) else data
            yield from _read_reply(body, reply, "".join(streamed), message)
            return
    if not events and beginning:
        shown = shorten(beginning.decode("utf-8", "replace"), 200)
        raise ResponseFormatError(f"expected JSON or events, got {shown!r}")


def _read_reply(body: Body, answer: Any, streamed: str, message: str) -> Iterator[Delta]:
    """Read the object that is the whole answer, or ends a stream.

    :param streamed: the text that was given before it
    """
    if not isinstance(answer, dict):
        raise _unexpected(answer, "a JSON object as the answer")
    nonce.keep(body, answer)
    if answer.get("success") is not True:
        if answer.get("success") is False:
            raise errors.error_of(answer.get("message") or "success: false", body.status, message)
        raise errors.service_error(body.status, answer) or _unexpected(answer, "an answer with success: true")
    reply, images = answer.get("reply") or "", answer.get("images") or []
    if not isinstance(reply, str) or not isinstance(images, list):
        raise _unexpected(answer, "text in reply and a list in images")
    urls = [url for url in images if isinstance(url, str) and url]
    yield from _rest(without_images(reply, urls), streamed)
    if urls:
        yield ImageResponse(urls, message)
    calls = list(read_actions(answer.get("actions")))
    yield from calls
    yield from read_usage(answer)
    yield Finish("tool_calls" if calls else "stop")


def _unexpected(answer: Any, expected: str) -> ResponseFormatError:
    return ResponseFormatError(f"expected {expected}, got {shorten(json.dumps(answer), 200)}")


def _rest(reply: str, streamed: str) -> Iterator[Delta]:
    """Return what the whole reply has beyond the text that was streamed.

    The plugin trims the reply, not the pieces.
    """
    for begun in (streamed, streamed.lstrip()):
        if reply.startswith(begun):
            if len(reply) > len(begun):
                yield reply[len(begun) :]
            return
    if reply and reply != streamed.strip():
        yield Revision(reply)
