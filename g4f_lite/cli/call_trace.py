"""Showing a call to an emulated service: its requests, its timing and its answer."""

from __future__ import annotations

import json
import shutil
import textwrap
import time
from typing import Any

from ..answers.images import ImageResponse
from ..answers.stream import AnswerStream
from ..emulator import Emulator, ReceivedRequest
from ..messages import image_type
from ..providers.base import BaseProvider
from .output import write
from .word_wrap import WordWrapper

INDENT = " " * 14
CREDENTIALS = ("UniqueId", "X-WP-Nonce", "Cookie")
SHOWN_CHARACTERS = 4  # of a token
SECONDS = 1.0  # to wait until the emulator has recorded the end of an answer that has arrived


class CallTrace:
    """Makes calls to an emulator, and shows the requests that the emulator received.

    :param emulator: the emulator
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._seen = len(emulator.requests)
        self._width = min(shutil.get_terminal_size((100, 24)).columns, 100)

    def call(self, provider: BaseProvider, messages: Any, model: str | None = None) -> list[ImageResponse]:
        """Make a call, and show its requests, its first piece, its text as it arrives, and its end.

        :returns: the images in the answer
        :raises G4FLiteError: if there is no whole answer
        """
        before = self._seen
        began = time.monotonic()
        with provider.create_generator(model, messages) as stream:
            try:
                stream.start()
                first = time.monotonic() - began
            finally:
                self._show_requests()
            pieces = self._show_pieces(stream, first)
        answer = stream.answer
        for image in answer.images:
            data = image.bytes()
            self._show("data", f"{image_type(data)}, {len(data):,} bytes")
        last = [request for request in self._emulator.requests[before:] if request.step == "prompt"][-1]
        self._wait_for_end(last)
        ended = "the body is complete" if last.complete else "the body was cut"
        count = f"{pieces} piece{'s' * (pieces != 1)}"
        self._show("end", f"after {answer.seconds:.3f} s: {count}, {len(answer)} characters; {ended}")
        return answer.images

    def _show_pieces(self, stream: AnswerStream, first: float) -> int:
        """Show the text as it arrives, and return the number of pieces."""
        wrapper = WordWrapper(write, INDENT, self._width)
        pieces = 0
        try:
            for piece in stream:
                pieces += 1
                if isinstance(piece, str):
                    if pieces == 1:
                        self._show("first piece", f"after {first:.3f} s")
                    wrapper.feed(piece)
        finally:
            wrapper.end()
        return pieces

    def _show_requests(self) -> None:
        requests = self._emulator.requests
        known = {request.connection for request in requests[: self._seen]}
        for request in requests[self._seen :]:
            connection = f"connection {request.connection}, {'reused' if request.connection in known else 'new'}"
            known.add(request.connection)
            if request.status is None:
                self._wait_for_end(request)
            status = "no answer" if request.status is None else str(request.status)
            fault = f", fault {request.fault}" if request.fault else ""
            self._show(request.step or "?", f"{request.method} {request.path} → {status}{fault}  ({connection})")
            if request.step == "prompt":
                for line in [*credentials(request), body(request)]:
                    self._show("", line)
        self._seen = len(requests)

    def _show(self, label: str, text: str) -> None:
        filled = textwrap.fill(
            text, self._width, initial_indent=f"  {label:<12}", subsequent_indent=INDENT, break_on_hyphens=False
        )
        write(filled + "\n")

    def _wait_for_end(self, request: ReceivedRequest) -> None:
        deadline = time.monotonic() + SECONDS
        while request.ended is None and time.monotonic() < deadline:
            time.sleep(0.001)


def credentials(request: ReceivedRequest) -> list[str]:
    """List the tokens, nonces and cookies of a request, shortened."""
    lines = []
    for name in CREDENTIALS:
        if name == "Cookie" and request.cookies:
            lines.append("Cookie: " + "; ".join(f"{key}={shorten(value)}" for key, value in request.cookies.items()))
        elif name in request.headers:
            lines.append(f"{name}: {shorten(request.headers[name])}")
    return lines


def shorten(secret: str) -> str:
    """Return the beginning of a secret, enough to tell it from another."""
    return secret[:SHOWN_CHARACTERS] + "…"


def body(request: ReceivedRequest) -> str:
    """Return the JSON body of a request, without escapes."""
    return json.dumps(request.json(), ensure_ascii=False)
