"""The guide's provider of a service with sessions closes each one, however its answer ends."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import Request

from g4f_lite import (
    Body,
    DeadlineExceededError,
    Delta,
    Finish,
    Prompt,
    Provider,
    ResponseStatusError,
    StreamInterruptedError,
    Timeout,
)
from g4f_lite.http import deadline
from g4f_lite.providers.hooks import Requests

from .raw_server import Connection, RawServer, chunk, head, length

GUIDE = (Path(__file__).parents[2] / "docs" / "your-own-provider.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
(RECIPE,) = (block for block in BLOCKS if "class ParleySessions" in block)
CLASS = RECIPE.partition("answer = ")[0]  # without its check

CLOSED = ["POST /sessions", "POST /sessions/7/chat", "DELETE /sessions/7"]
STREAM = head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
PIECE = chunk(b"event: piece\ndata: Good\n\n")
END = chunk(b"event: end\ndata: done\n\n") + b"0\r\n\r\n"


def whole(connection: Connection) -> None:
    connection.send(STREAM, PIECE, END)


def cut(connection: Connection) -> None:
    connection.send(STREAM, PIECE)
    connection.sock.close()


def halted(connection: Connection) -> None:
    connection.send(STREAM, PIECE)
    connection.silence()


def late(connection: Connection) -> None:
    end_calls()
    connection.silence()


def late_to_go_on(connection: Connection) -> None:
    connection.send(STREAM, PIECE)
    late(connection)


def closed(connection: Connection) -> None:
    end_calls("closed")
    connection.silence()


def end_calls(reason: str = "total") -> None:
    """Do what happens when the time of the calls in progress is over, or when they are closed."""
    for call in list(deadline._watchdog.calls):
        call.end(reason)


def refused(connection: Connection) -> None:
    connection.send(length(b"{}", status="400 Bad Request"))


def service(
    answer: Callable[[Connection], None], ending: Callable[[Connection], None] = lambda it: it.send(length(b""))
) -> RawServer:
    """Return a server whose sessions answer, and are closed, in some way."""

    def serve(connection: Connection) -> None:
        while request := connection.request():
            if request.line.startswith("DELETE"):
                ending(connection)
            elif request.line.startswith("POST /sessions "):
                connection.send(length(b'{"id": 7}', "Set-Cookie: s=1; Path=/"))
            else:
                answer(connection)
                if answer is cut:
                    return

    return RawServer(serve)


def sent(server: RawServer) -> list[str]:
    return [request.line.rpartition(" ")[0] for request in server.requests]


@pytest.fixture
def parley() -> Any:
    module: dict[str, Any] = {"__name__": "parley_sessions"}
    exec(compile(CLASS, "parley_sessions.py", "exec"), module)
    return module["ParleySessions"]


def made(parley: Any, server: RawServer, **settings: Any) -> Provider:
    provider: Provider = parley(base_url=server.url, retry=None, **settings)
    return provider


def test_after_a_whole_answer(parley: Any) -> None:
    with service(whole) as server:
        assert made(parley, server).ask("Hello") == "Good"
        assert sent(server) == CLOSED


def test_after_one_that_is_cut(parley: Any) -> None:
    with service(cut) as server:
        with pytest.raises(StreamInterruptedError) as caught:
            made(parley, server).ask("Hello")
        assert (caught.value.partial, sent(server)) == ("Good", CLOSED)


def test_after_a_refusal(parley: Any) -> None:
    with service(refused) as server:
        with pytest.raises(ResponseStatusError):
            made(parley, server).ask("Hello")
        assert sent(server) == CLOSED


@pytest.mark.parametrize("answer", [late, late_to_go_on])
def test_after_a_timeout(parley: Any, answer: Callable[[Connection], None]) -> None:
    with service(answer) as server:
        with pytest.raises(DeadlineExceededError):
            made(parley, server).ask("Hello")
        assert sent(server) == CLOSED


@pytest.mark.parametrize(
    ("answer", "limits"),
    [
        (late, Timeout()),
        (Connection.silence, Timeout(first=0.1)),
        (closed, Timeout()),
    ],
    ids=["late", "silent", "closed"],
)
def test_what_ends_a_call_is_not_raised_at_the_yield(answer: Any, limits: Timeout) -> None:
    seen = []

    class Notes(Provider):
        def request(self, prompt: Prompt, token: str) -> Requests:
            try:
                yield Request("POST", f"{self.base_url}/chat")
            except BaseException as error:
                seen.append(type(error))
                raise

        def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
            yield Finish()

    with service(answer) as server, pytest.raises((DeadlineExceededError, StreamInterruptedError)):
        made(Notes, server, timeout=limits).ask("Hello")
    assert seen == [GeneratorExit]


def test_after_a_stream_that_is_closed_early(parley: Any) -> None:
    with service(halted) as server:
        stream = made(parley, server).stream("Hello")
        assert next(stream) == "Good"
        stream.close()
        assert sent(server) == CLOSED


@pytest.mark.parametrize("piece_count", [1, 2])
def test_with_another_session_of_the_pool(parley: Any, piece_count: int) -> None:
    """Whether the answer was read to its end or closed early."""
    with service(whole) as server:
        stream = made(parley, server).stream("Hello")
        assert list(itertools.islice(stream, piece_count)) == ["Good"]
        stream.close()
        cookies = [request.headers.get("cookie") for request in server.requests]
        assert (sent(server), cookies) == (CLOSED, [None, "s=1", None])


@pytest.mark.once
def test_a_service_that_does_not_answer_then_holds_the_call_no_longer_than_its_limit(
    parley: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = parley.run
    limits = []

    def hasty(self: Provider, action: Any, *, timeout: float, proxy: str | None) -> Any:
        limits.append(timeout)
        return run(self, action, timeout=0.2, proxy=proxy)

    monkeypatch.setattr(parley, "run", hasty)
    with service(whole, Connection.silence) as server:
        assert made(parley, server, timeout=600).ask("Hello") == "Good"
    assert limits == [5]


@pytest.mark.once
def test_not_at_the_end_of_python(parley: Any) -> None:
    with service(halted) as server:
        lines = f"stream = ParleySessions(base_url={server.url!r}).stream('Hello')\nprint(next(stream))\n"
        done = subprocess.run(
            [sys.executable, "-c", f"{CLASS}\n{lines}"], capture_output=True, text=True, timeout=60, check=True
        )
        assert (done.stdout, sent(server)) == ("Good\n", CLOSED[:2])
        assert "Traceback" not in done.stderr, done.stderr
