"""What a piece and a call cost, counted and not timed: a guard that no noise of a machine can trip.

The bounds are what it costs today and a little more. A change that needs more raises them on
purpose, beside a run of ``python -m benchmarks``.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import requests

from g4f_lite import Client, OpenAICompatible
from g4f_lite.answers.buffer import COMPACT_BYTES

from .raw_server import Connection, RawServer, chunk

PIECE = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(connection: Connection) -> None:
    """Serve answers of as many pieces as the prompt says, each piece in a chunk of its own."""
    while (request := connection.request()) is not None:
        pieces = int(request.json["messages"][-1]["content"])
        connection.send(HEAD + chunk(PIECE) * pieces + chunk(END) + b"0\r\n\r\n")


@pytest.fixture
def provider() -> Iterator[OpenAICompatible]:
    with RawServer(answer) as server, OpenAICompatible(server.url, model="m") as provider:
        assert len(list(provider.create_generator(messages="3"))) == 3  # a warm connection
        yield provider


def calls_of(action: Callable[[], Any]) -> Counter[str]:
    """Count the calls of Python functions and of built-in ones, in this thread."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        counted[event] += 1

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return counted


def ask(provider: OpenAICompatible, pieces: int) -> None:
    for _ in provider.create_generator(messages=str(pieces)):
        pass


def calls_of_each(read: Callable[[int], Any]) -> tuple[float, float]:
    """Count the calls, Python's and built-in ones, that each further piece of an answer costs."""
    few, many = (calls_of(lambda pieces=pieces: read(pieces)) for pieces in (500, 1500))  # type: ignore[misc]
    return (many["call"] - few["call"]) / 1000, (many["c_call"] - few["c_call"]) / 1000


def test_calls_of_a_piece(provider: OpenAICompatible) -> None:
    python, built_in = calls_of_each(lambda pieces: ask(provider, pieces))
    # Stream, pull, _run, whole characters, deltas, events, lines, chunks; parse, decode, scan; read a chunk, its size.
    assert python <= 21.2
    assert built_in <= 38


@pytest.mark.once
def test_calls_of_a_chunk_through_a_client(provider: OpenAICompatible) -> None:
    """Beyond a piece, a chunk costs three dataclasses, the str that it is, and two steps of iteration."""

    def read(pieces: int) -> None:
        for made in Client(provider).chat.completions.create(str(pieces), stream=True):
            assert made.object

    (python, built_in), alone = calls_of_each(read), calls_of_each(lambda pieces: ask(provider, pieces))
    # A tenth for what happens once per answer, or per read of the socket: how many pieces come at once varies.
    assert python <= alone[0] + 6.1
    assert built_in <= alone[1] + 4.1  # one is not counted where Python has specialized the code around it


def test_calls_of_a_warm_call(provider: OpenAICompatible) -> None:
    """Beside the same request by hand, because what requests does itself differs between versions."""
    with requests.Session() as session:
        session.trust_env = False  # else it walks through all of the environment, which is as long as it happens to be

        def by_hand() -> None:
            body = {"model": "m", "messages": [{"role": "user", "content": "1"}], "stream": True}
            with session.post(provider.base_url + "/chat/completions", json=body, stream=True) as response:
                for _ in response.iter_lines():
                    pass

        by_hand()
        bare = calls_of(by_hand).total()
    # 1.41 with Python 3.10, 1.43 with 3.11, 1.54 with 3.12 and 3.13, which count comprehensions in another way.
    assert calls_of(lambda: ask(provider, 1)).total() <= 1.6 * bare


@pytest.mark.once
def test_a_long_answer_costs_no_more_memory_than_its_text(provider: OpenAICompatible) -> None:
    """What a stream keeps of pieces is their text, for ``text()`` and ``partial``; nothing of their framing."""
    ask(provider, 10)
    tracemalloc.start()
    try:
        stream = provider.create_generator(messages="30000")
        for _ in stream:
            pass
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = 30000 * len(" word")
    assert kept <= text + 1.5 * COMPACT_BYTES
    assert len(stream.text()) == text
