"""The protocol of ai-chats.org: the history, events of raw text, errors.

Source: public clients of the service; the format of its errors is that of Yii 2, the framework that it uses.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

from ...errors import (
    AuthenticationError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    ResponseFormatError,
    ServiceError,
)
from ...http.body import Body
from ...http.checks import names_failure, rate_limit_error, says_rate_limit, shorten
from ...http.parsing import BLANK
from ...messages import Messages, text_of
from ..too_long import is_too_long, too_long

_FIELDS = (b"", b"data", b"event", b"id", b"retry")  # of an event stream; "" is a comment
_REJECTED_COOKIE = "Unable to verify your data submission"  # Yii's message, with status 400
_SESSION_EXPIRED = 419  # the status that other frameworks use for it


def to_history(messages: Messages) -> list[dict[str, str]]:
    """Convert messages to the service's history; system messages go before the first user message."""
    system, history = [], []
    for message in messages:
        if not (text := text_of(message.get("content"))).strip():
            continue
        if message["role"] in ("system", "developer"):
            system.append(text)
        else:
            history.append({"from": "chatGPT" if message["role"] == "assistant" else "you", "content": text})
    if system:
        first = next((turn for turn in history if turn["from"] == "you"), None)
        if first is None:
            history.append(first := {"from": "you", "content": ""})
        first["content"] = "\n\n".join([*system, first["content"]]).strip()
    return history


def read_text(body: Body) -> Iterator[str]:
    r"""Read ``data:`` lines of raw text, in which the two characters ``\n`` stand for a newline.

    :raises QuotaExceededError: if there is an event ``trylimit``
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be split between two pieces
    event, held = b"", ""
    for line in body.lines():
        if not line:  # first, because some sites send a great many empty lines
            event = b""
            continue
        name, _, value = line.lstrip(BLANK).partition(b":")
        value = value.removeprefix(b" ")
        if name not in _FIELDS:
            raise unexpected(line.decode("utf-8", "replace"))
        if name == b"event":
            event = value.strip()
            if event == b"trylimit":  # at once, because its data line may be missing
                raise QuotaExceededError("the free tries are used up (trylimit)", status=body.status)
        elif name == b"data" and event in (b"", b"message"):
            text = held + decoder.decode(value)
            held = "\\" if text.endswith("\\") else ""  # the n may be in the next piece
            if text := text[: len(text) - len(held)].replace("\\n", "\n"):
                yield text
        elif name == b"data" and names_failure(event.decode("utf-8", "replace")):  # not of a ping, which means nothing
            raise error_of(value.decode("utf-8", "replace"), body.status)
    if rest := held + decoder.decode(b"", True):
        yield rest


def service_error(status: int, parsed: Any, text: str) -> G4FLiteError | None:
    """Return the error in the body of a failed request: JSON, or Yii's page about a missing cookie."""
    if status == _SESSION_EXPIRED or _REJECTED_COOKIE in text:
        return AuthenticationError(f"the site rejected its own cookies with status {status}", status=status)
    if not isinstance(parsed, dict):
        return None
    fields = [parsed.get("error"), parsed.get("message")]
    fields += [field.get("message") for field in fields if isinstance(field, dict)]
    message = next((field for field in fields if isinstance(field, str) and field), None)
    if message is None:
        return None
    error = error_of(message, status)
    if status in (401, 403) and type(error) is ServiceError:
        return AuthenticationError(error.message, status=status)
    return error


def error_of(message: str, status: int) -> ProviderError:
    """Return the error for a message of the service."""
    message = shorten(message)
    if status == 429 or says_rate_limit(message):
        return rate_limit_error(message, message, status=status)
    if is_too_long("", message, status):
        return too_long(message, status)
    return ServiceError(message, status=status, may_retry=False)


def unexpected(answer: str) -> ResponseFormatError:
    """Return the error for an answer that is not in the service's format."""
    return ResponseFormatError(f"expected events or an image, got {shorten(answer)!r}")
