"""AI Engine's JSON → deltas and errors.

Source: answers recorded from the plugin, versions 2.6.3 and 3.6.2, on a real WordPress.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Delta, Finish, Revision
from ...answers.images import ImageResponse
from ...errors import AuthenticationError, G4FLiteError, ProviderError, ResponseFormatError, ServiceError
from ...http.body import BLANK, Body, parse_json
from ...http.checks import rate_limit, says_rate_limit, shorten
from ...http.lines import MAX_LINE_BYTES
from ...messages import Messages, last_user_message, text_of
from ...timeout import PASSING_STATUSES
from ..openai.usage import read_usage

MESSAGE_LIMIT = 512  # characters of a message on a site that has not raised it; bytes in 2.4.4
READ_CHARACTERS = 4000  # of an error's text; a number of more digits is one that Python refuses to read
KEPT_TURNS = 30  # of earlier turns the server keeps the first 15 and the last 15

_ROLES = {"system": "system", "developer": "system", "assistant": "assistant"}
_REFUSED_NONCE = ("rest_forbidden", "rest_cookie_invalid_nonce")
_NONCE = re.compile(r"[!-~]{1,256}")
_NONCE_IN_PAGE = re.compile(r'restNonce(?:&quot;|"):(?:&quot;|")([\w-]+)', re.ASCII)


def keep_nonce(response: Body, source: Any) -> None:
    """Note a newer nonce that came with a response.

    :param source: the header ``X-WP-Nonce``, or an object that may have a ``new_token``
    """
    nonce = source.get("new_token") if isinstance(source, dict) else source
    if is_nonce(nonce):
        response.new_token = nonce


def is_nonce(value: Any) -> bool:
    """Tell whether this can be sent as a nonce."""
    return isinstance(value, str) and bool(_NONCE.fullmatch(value))


def nonce_in_page(page: str) -> str | None:
    """Find the nonce that plugins before 2.4.4 put into the chatbot's page."""
    found = _NONCE_IN_PAGE.search(page)
    return found[1] if found else None


def read_session(response: Body) -> str:
    """Read the nonce in start_session's answer; a ``new_token`` is newer than the ``restNonce``."""
    answer = response.json()
    if not isinstance(answer, dict) or answer.get("success") is False:
        raise service_error(response.status, answer) or ResponseFormatError("no session where one belongs")
    for nonce in (answer.get("new_token"), answer.get("restNonce")):
        if is_nonce(nonce):
            return str(nonce)
    raise ResponseFormatError("a session without a restNonce that can be sent")


def split_turns(messages: Messages) -> tuple[list[dict[str, str]], str]:
    """Give the earlier turns in the plugin's form, and the last user message apart from them.

    :raises ValueError: no user message has a text
    """
    message = last_user_message(messages)
    texts = [text_of(turn.get("content")) for turn in messages]
    last = max(i for i, turn in enumerate(messages) if turn["role"] == "user" and texts[i] == message)
    turns = [
        {"role": _ROLES.get(turn["role"], "user"), "content": text}
        for i, (turn, text) in enumerate(zip(messages, texts, strict=True))
        if i != last and text.strip()
    ]
    return turns, message


def read_answer(response: Body, message: str) -> Iterator[Delta]:
    """Read an answer; its body, not its Content-Type, tells whether it is events or one JSON object.

    :param message: what was asked
    """
    beginning = response.peek().lstrip(BLANK)
    if beginning.startswith(b"{"):
        yield from _read_reply(response, response.json(), "", message)
        return
    streamed: list[str] | None = None
    length = 0
    for event in response.events(accept_unfinished=True):
        try:
            fields = parse_json(event.data)
        except ResponseFormatError:
            if response.complete:  # the end of the body came first: cut in the middle of an event
                return
            raise
        if not isinstance(fields, dict):
            raise ResponseFormatError(f"no object where an event belongs: {shorten(event.data, 100)}")
        streamed = [] if streamed is None else streamed
        kind, data = fields.get("type"), fields.get("data")
        if kind == "live" and fields.get("subtype") in (None, "", "content"):  # others are the site's event log
            if not isinstance(data, str):
                raise ResponseFormatError(f"a piece that is no text: {shorten(event.data, 100)}")
            if length <= MAX_LINE_BYTES:  # no reply at the end can be longer
                streamed.append(data)
                length += len(data)
            yield data
        elif kind == "error":
            raise _error(data, response.status, message)
        elif kind == "end":
            reply = parse_json(data) if isinstance(data, str) else data
            yield from _read_reply(response, reply, "".join(streamed), message)
            return
    if streamed is None and beginning:
        raise ResponseFormatError(f"neither JSON nor events: {shorten(beginning.decode('utf-8', 'replace'), 200)}")


def service_error(status: int, parsed: Any, message: str = "") -> G4FLiteError | None:
    """Read the JSON of a refused request; None where it is neither the plugin's nor WordPress's.

    :param message: what was asked
    """
    said = parsed.get("message") if isinstance(parsed, dict) else None
    if not isinstance(said, str):
        return None
    refused, code = parsed.get("success") is False, parsed.get("code")
    error = _error(said, status, message if refused else "")
    if refused or type(error) is not ServiceError:
        return error
    if code in _REFUSED_NONCE or (code and status in (401, 403)):
        return AuthenticationError(error.message, status=status)
    if code == "rest_no_route":
        hint = "is this the site's address, and is AI Engine switched on there?"
        return ServiceError(f"{error.message} ({hint})", status=status)
    return None if status in PASSING_STATUSES - {500} or not code else error  # the plugin's own errors have 500


def _error(said: Any, status: int, message: str) -> ProviderError:
    """Make our error of a text of the service's, which may hold HTML."""
    text = (said if isinstance(said, str) else json.dumps(said))[:READ_CHARACTERS]
    text = shorten(html.unescape(re.sub(r"<[^<>]*>", " ", text))) or "an error without a word about it"
    if says_rate_limit(text):
        return rate_limit(text, text, status=status)
    if len(message.encode()) > MESSAGE_LIMIT and ":" not in text:  # a text with a colon is the site's model's
        text += (
            f" The message has {len(message):,} characters; a site takes {MESSAGE_LIMIT} unless its owner"
            " raised that limit (old versions count bytes), and earlier turns are not counted"
        )
    return ServiceError(text, status=status)


def _read_reply(response: Body, answer: Any, streamed: str, message: str) -> Iterator[Delta]:
    """Read the object that is the whole answer, or ends a stream."""
    if not isinstance(answer, dict):
        raise ResponseFormatError(f"no object where an answer belongs: {shorten(json.dumps(answer), 200)}")
    keep_nonce(response, answer)
    if answer.get("success") is not True:
        if answer.get("success") is False:
            raise _error(answer.get("message") or "success: false", response.status, message)
        shown = shorten(json.dumps(answer), 200)
        raise service_error(response.status, answer) or ResponseFormatError(f"no answer: {shown}")
    reply, images = answer.get("reply") or "", answer.get("images") or []
    if not isinstance(reply, str) or not isinstance(images, list):
        shown = shorten(json.dumps(answer), 200)
        raise ResponseFormatError(f"a reply that is no text, or images that are no list: {shown}")
    urls = [url for url in images if isinstance(url, str) and url]
    if reply not in urls:
        yield from _rest(reply, streamed)
    if urls:
        yield ImageResponse(urls, message)
    yield from read_usage(answer)
    yield Finish()


def _rest(reply: str, streamed: str) -> Iterator[Delta]:
    """Give what the whole reply has beyond the text that was streamed.

    The plugin trims the reply, not the pieces.
    """
    for begun in (streamed, streamed.lstrip()):
        if reply.startswith(begun):
            if len(reply) > len(begun):
                yield reply[len(begun) :]
            return
    if reply and reply != streamed.strip():
        yield Revision(reply)
