"""What ai-chats.org takes and gives: turns, events of raw text, errors.

Source: public clients of the service; the forms of its refusals are those of Yii 2, on which it runs.
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
from ...http.body import BLANK, Body
from ...http.checks import rate_limit, says_rate_limit, shorten
from ...messages import Messages, text_of

_FIELDS = (b"", b"data", b"event", b"id", b"retry")  # of an event stream, a comment's "" among them
_REFUSED_COOKIE = "Unable to verify your data submission"  # Yii's words, with status 400
_LOST_SESSION = 419  # what other frameworks answer then


def to_history(messages: Messages) -> list[dict[str, str]]:
    """Give the turns in the service's form.  It has no system role: that text goes before the first user turn."""
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


def read_text(response: Body) -> Iterator[str]:
    r"""Read ``data:`` lines of raw text, in which the two characters ``\n`` are a newline.

    :raises QuotaExceededError: an event ``trylimit`` came
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be cut between two pieces
    event, held = b"", ""
    for line in response.lines():
        if not line:  # first, as some sites send very many
            event = b""
            continue
        name, _, value = line.lstrip(BLANK).partition(b":")
        value = value.removeprefix(b" ")
        if name not in _FIELDS:
            raise not_understood(line.decode("utf-8", "replace"))
        if name == b"event":
            event = value.strip()
            if event == b"trylimit":  # at once, because its data line may be missing
                raise QuotaExceededError("the free tries are used up (trylimit)", status=response.status)
        elif name == b"data" and event == b"error":
            raise error_of(value.decode("utf-8", "replace"), response.status)
        elif name == b"data" and event in (b"", b"message"):
            text = held + decoder.decode(value)
            held = "\\" if text.endswith("\\") else ""  # the n may come with the next piece
            if text := text[: len(text) - len(held)].replace("\\n", "\n"):
                yield text
    if rest := held + decoder.decode(b"", True):
        yield rest


def service_error(status: int, parsed: Any, text: str) -> G4FLiteError | None:
    """Read the body of a refused request: JSON, or Yii's page about a cookie that did not come back."""
    if status == _LOST_SESSION or _REFUSED_COOKIE in text:
        return AuthenticationError(f"the site's cookies were refused with status {status}", status=status)
    if not isinstance(parsed, dict):
        return None
    fields = [parsed.get("error"), parsed.get("message")]
    fields += [field.get("message") for field in fields if isinstance(field, dict)]
    said = next((field for field in fields if isinstance(field, str) and field), None)
    if said is None:
        return None
    error = error_of(said, status)
    if status in (401, 403) and type(error) is ServiceError:
        return AuthenticationError(error.message, status=status)
    return error


def error_of(said: str, status: int) -> ProviderError:
    """Make our error of a text of the service's."""
    said = shorten(said)
    if status == 429 or says_rate_limit(said):
        return rate_limit(said, said, status=status)
    return ServiceError(said, status=status)


def not_understood(answer: str) -> ResponseFormatError:
    """Make the error for an answer that is not what the protocol says."""
    return ResponseFormatError(f"neither events nor an image: {shorten(answer)!r}")
