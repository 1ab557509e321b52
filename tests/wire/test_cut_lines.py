"""Lines of JSON whose last one is cut by a clean end of the body, which a body without a length cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from g4f_lite import (
    Body,
    Delta,
    EmptyResponseError,
    Finish,
    G4FLiteError,
    Prompt,
    Provider,
    ResponseFormatError,
    StreamInterruptedError,
)
from g4f_lite.http import parse_json

from .raw_server import Connection, RawServer, every, head, length


class Lines(Provider):
    """A provider of a service that sends one JSON object in each line."""

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/ask")

    def parsed(self, body: Body) -> Iterator[dict[str, str]]:
        for line in body.lines():
            yield parse_json(line)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        for fields in self.parsed(body):
            if "end" in fields:
                yield Finish()
                return
            if "t" not in fields:
                raise ResponseFormatError(f"expected a text, got {fields}")
            yield fields["t"]


class AsText(Lines):
    def parsed(self, body: Body) -> Iterator[dict[str, str]]:
        for line in body.lines():
            yield parse_json(line.decode("utf-8", "replace").strip())


class Events(Lines):
    def parsed(self, body: Body) -> Iterator[dict[str, str]]:
        for event in body.events(accept_unfinished=True):
            yield parse_json(event.data)


def until_the_end(body: bytes) -> Callable[[Connection], None]:
    """Serve a body without a length, which ends with its connection."""

    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(head("Connection: close"), body)

    return serve


CUT, EMPTY, BAD = StreamInterruptedError, EmptyResponseError, ResponseFormatError
GOOD = b'{"t": "Good"}'

OUTCOMES: list[tuple[list[bytes], type[G4FLiteError] | None, str]] = [
    ([GOOD, b'{"t": "mor'], CUT, "Good"),
    ([GOOD, b'{"t": "caf\xc3'], CUT, "Good"),
    ([GOOD, b"{"], CUT, "Good"),
    ([GOOD, b'{"t": {"more": 1}'], CUT, "Good"),
    ([GOOD, b'["t", "mor'], CUT, "Good"),
    ([GOOD, b'{"t": "more"}'], CUT, "Goodmore"),  # a whole line; only the end of the answer is missing
    ([GOOD, b'{"end": 1}'], None, "Good"),
    ([b'{"t": "mor'], EMPTY, ""),
    ([GOOD, b"{'t': 'more'}"], BAD, "Good"),
    ([GOOD, b"Internal error"], BAD, "Good"),
    ([GOOD, b'{"u": 1}'], BAD, "Good"),
    ([GOOD, b'{"t": "mor', b""], BAD, "Good"),  # with its end
    ([GOOD, b'{"t": "mor', b'{"end": 1}'], BAD, "Good"),
]


@pytest.mark.product
@pytest.mark.parametrize("kind", [Lines, AsText, Events])
@pytest.mark.parametrize("has_length", [False, True], ids=["until the end", "length"])
@pytest.mark.parametrize(("lines", "error", "text"), OUTCOMES)
def test_what_a_last_line_is_read_as(
    lines: list[bytes], error: type[G4FLiteError] | None, text: str, has_length: bool, kind: type[Lines]
) -> None:
    if kind is Events:
        lines = [part for line in lines for part in (b"data: " + line if line else line, b"")][:-1]
    body = b"\n".join(lines)
    with RawServer(every(length(body)) if has_length else until_the_end(body)) as server:
        provider = kind(base_url=server.url, retry=None, timeout=20)
        if error is None:
            assert provider.ask("x") == text
            return
        with pytest.raises(G4FLiteError) as caught:
            provider.ask("x")
    assert type(caught.value) is error
    assert getattr(caught.value, "partial", "") == text


def test_the_error_shows_the_line() -> None:
    shown = r"ends in the middle of the line '\{\"t\": \"mor'"
    server = RawServer(until_the_end(GOOD + b'\n{"t": "mor'))
    with server, pytest.raises(StreamInterruptedError, match=shown):
        Lines(base_url=server.url, retry=None, timeout=20).ask("x")


def test_a_body_that_is_read_again_is_judged_again() -> None:
    class ReadsTwice(Lines):
        def request(self, prompt: Prompt, token: str) -> Iterator[requests.Request]:  # type: ignore[override]
            body = yield requests.Request("POST", f"{self.base_url}/ask")
            assert len(list(body.lines())) == 3

    bad = GOOD + b'\n{"t": "mor\n{"t": "e'
    with RawServer(every(length(bad))) as server, pytest.raises(ResponseFormatError):
        ReadsTwice(base_url=server.url, retry=None, timeout=20).ask("x")


def test_nothing_that_is_read_names_the_response_that_was_read() -> None:
    """As where ``request`` does not yield its last request."""

    class Job(Lines):
        def request(self, prompt: Prompt, token: str) -> Iterator[requests.Request]:  # type: ignore[override]
            yield requests.Request("POST", f"{self.base_url}/jobs?key=x")

    with RawServer(every(length(b""))) as server, pytest.raises(EmptyResponseError) as caught:
        Job(base_url=server.url, retry=None, timeout=20).ask("x")
    assert str(caught.value).endswith(": deltas yielded nothing from the response to POST /jobs, which is empty")
