"""Secrets that are easy to find again, servers that send them back, and notes of all that people could read."""

from __future__ import annotations

import base64
import gc
import html
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from g4f_lite import (
    G4FLiteError,
    Provider,
    RetryPolicy,
)

from .hostile import BOOTSTRAPS
from .raw_server import PATIENCE, Connection, Request, chunked, delta, head, length

TOKEN = "canary-of-the-server-7f3a9c"
KEY = "canary-key-51d0b2aa"
# The credentials of a proxy as they are sent, without the padding.
ENCODED = [base64.b64encode(words.encode()).decode().rstrip("=") for words in (f"user:{KEY}", f"{KEY}:")]


def echo_everything(request: Request) -> str:
    return " | ".join([*request.headers.values(), request.line])


COUNTED = {"prompt_tokens": 1, "completion_tokens": 0}
PLACES: dict[str, Callable[[str], bytes]] = {
    "a refusal": lambda said: length(json.dumps({"error": {"message": said}}).encode(), status="400 No"),
    "a failure": lambda said: length(json.dumps({"message": said, "code": 500}).encode(), status="503 No"),
    "a refusal with slashes": lambda said: length(
        json.dumps({"error": said}).replace("-", "\\u002d").encode(), status="400 No"
    ),
    "an encoded page": lambda said: length(b"<p>" + said.replace("-", "&#x2d;").encode(), status="500 No"),
    "a page": lambda said: length(f"<html>{html.escape(said)}</html>".encode(), status="500 No"),
    "a challenge": lambda said: length(f"<title>Just a moment {html.escape(said)}</title>".encode(), status="403 No"),
    "a redirect": lambda said: length(b"", "Location: /?echo=" + said.replace("\n", " "), status="302 There"),
    "a stream": lambda said: chunked(b'event: error\ndata: {"error": ' + json.dumps(said).encode() + b"}\n\n"),
    "no json": lambda said: chunked(b"data: {" + said.encode() + b"\n\n", b"event: trylimit\ndata: " + said.encode()),
    "a broken head": lambda said: head("Content-Length: 0", "no colon", f"X-Echo: {said}", status="500 No"),
    "a reset": lambda said: b"",
}
ANSWERS: dict[str, Callable[[str], bytes]] = {
    "an answer that is cut": lambda said: chunked(delta(said)),
    "an empty answer": lambda said: chunked(
        b"data: " + json.dumps({"choices": [{"finish_reason": said}], "usage": {**COUNTED, "said": said}}).encode()
    ),
    "an answer with a hole": lambda said: chunked(delta("text"), b"data: " + said.encode() + b"\n\n"),
}


class Notes:
    """Collects everything that could be read."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def error(self, error: G4FLiteError, *, variables: bool = True) -> None:
        self.texts += [str(error), repr(error), "".join(traceback.format_exception(error)), repr(vars(error))]
        self.texts += traceback.TracebackException.from_exception(error, capture_locals=variables).format()
        self.texts += [repr(pickle.dumps(error)), repr(vars(pickle.loads(pickle.dumps(error))))]

    def provider(self, provider: Provider) -> None:
        provider.on_retry = None
        self.texts += [repr(provider), str(provider), repr(pickle.dumps(provider)), f"{provider!r}"]

    def log(self, caplog: pytest.LogCaptureFixture) -> None:
        for record in caplog.get_records("call"):  # caplog.text has only what the end of a test logs, at its end
            self.texts += [record.getMessage(), repr(vars(record))]

    def everything(self) -> None:
        """Note the repr of every object of this library's that there is."""
        for thing in gc.get_objects():
            if str(type(thing).__module__).startswith("g4f_lite."):
                self.texts.append(repr(thing))

    def none_shows(self, *secrets: str) -> None:
        for secret in secrets:
            for text in self.texts:
                assert secret not in text, text[max(0, text.find(secret) - 200) :][:500]


@pytest.fixture(name="notes")
def take_notes(caplog: pytest.LogCaptureFixture) -> Iterator[Notes]:
    """Take notes; logs of every level are among them."""
    caplog.set_level(logging.DEBUG)
    taken = Notes()
    yield taken
    taken.log(caplog)
    taken.none_shows(KEY, TOKEN, *ENCODED)


def serve(place: str) -> Callable[[Connection], None]:
    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            path = request.line.split()[1].partition("?")[0]
            if path in BOOTSTRAPS:
                connection.send(_bootstrap(path))
                continue
            connection.send((PLACES | ANSWERS)[place](echo_everything(request)))
            if place == "a reset":
                connection.reset()
                return

    return answer


def _bootstrap(path: str) -> bytes:
    if path == "/chat/":
        return length(b"<p>", f"Set-Cookie: _csrf-front={TOKEN}; path=/", f"Set-Cookie: sid={TOKEN}; path=/")
    return length(json.dumps({"success": True, "restNonce": TOKEN, "code": 200, "data": TOKEN}).encode())


def fail(provider: Provider, notes: Notes) -> None:
    stream = provider.create_generator(messages="hi")
    with pytest.raises(G4FLiteError) as caught:
        stream.text()
    notes.error(caught.value)
    notes.provider(provider)
    notes.texts.append(repr(stream))


def settings_for(notes: Notes, **more: Any) -> dict[str, Any]:
    def on_retry(error: G4FLiteError, attempt: int, wait: float) -> None:
        notes.error(error)

    return {"retry": RetryPolicy(attempts=2, backoff=0), "timeout": PATIENCE, "on_retry": on_retry, **more}
