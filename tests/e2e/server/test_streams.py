"""How many answers at once, whose client goes away, and how the server stops."""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import openai
import pytest
import requests

from g4f_lite.emulator import Emulator, ReceivedRequest

from ..command import SECONDS
from .conftest import Serve, Served, served, wait_until

HELLO = [{"role": "user", "content": "Hello"}]


def ended(upstream: Emulator) -> bool:
    return bool(upstream.requests) and upstream.requests[-1].ended is not None


@pytest.mark.product
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("after", [None, 2])
def test_a_client_that_leaves_ends_what_it_asked_for(
    server: Served, upstream: Emulator, stream: bool, after: int | None
) -> None:
    """The service is silent, before its answer or in the middle of it; the client gives up."""
    upstream.answer("one two three four")
    upstream.fail("stall", after=after)
    body = {"messages": HELLO, "stream": stream}
    client = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
    with closing(client):
        client.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        if stream and after:
            with closing(client.getresponse()) as response:
                assert response.readline()
        else:
            wait_until(lambda: any(request.fault for request in upstream.requests))
    assert not upstream.requests[-1].complete
    wait_until(lambda: ended(upstream), 20.0)  # it takes 0.3 s on an idle machine
    upstream.reset()
    upstream.answer("Hello again")  # and the server goes on
    completion = server.client().chat.completions.create(model="gpt-4", messages=HELLO)
    assert completion.choices[0].message.content == "Hello again"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of an end behind what was not read")
def test_a_client_that_leaves_more_requests_behind_ends_what_it_asked_for(server: Served, upstream: Emulator) -> None:
    upstream.fail("stall", times=3)
    body = json.dumps({"messages": HELLO}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    host, port = server.url.removeprefix("http://").split(":")

    def stalled() -> list[ReceivedRequest]:
        return [request for request in upstream.requests if request.fault]

    with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
        client.sendall((head + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 3)
        wait_until(lambda: bool(stalled()))
        assert stalled()[0].ended is None
    wait_until(lambda: stalled()[0].ended is not None, 20.0)


def test_more_answers_at_once_than_there_may_be(serve: Serve, upstream: Emulator) -> None:
    server = serve("--max-streams", "2")
    upstream.fail("stall", after=1, times=2)
    client = server.client()
    streams = [client.chat.completions.create(model="gpt-4", messages=HELLO, stream=True) for _ in range(2)]
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="gpt-4", messages=HELLO)
    assert raised.value.code == "too_many_streams"
    assert raised.value.response.headers["Retry-After"] == "1"
    assert server.get("/health").status_code == 200
    assert server.get("/v1/models").status_code == 429  # so that slow lists leave the server able to answer
    streams[0].close()
    wait_until(lambda: server.post({"messages": HELLO}).status_code == 200)
    streams[1].close()


@pytest.mark.once
def test_many_answers_at_once_stay_apart(server: Served, upstream: Emulator) -> None:
    def ask(number: int) -> str | None:
        prompt = [{"role": "user", "content": f"this is number {number}"}]
        chunks = server.client().chat.completions.create(model="gpt-4", messages=prompt, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    upstream.configure(pace=0.01)
    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, range(32)))
    assert answers == [f"this is number {number}" for number in range(32)]


def test_a_signal_lets_answers_end() -> None:
    refused, calls = threading.Event(), itertools.count()

    def answer(messages: object) -> Iterator[str]:
        yield "one"
        if next(calls) == 0:  # and not where another one is asked before the signal has come
            refused.wait(SECONDS)
        yield from (" two", " three")

    with Emulator(answer) as service, served(G4F_LITE_BASE_URL=f"{service.url}/v1") as server:
        stream = server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=True)
        pieces = [next(stream).choices[0].delta.content]
        server.child.send_signal(signal.SIGTERM)
        wait_until(lambda: server.post({"messages": HELLO}).status_code == 503)
        refused.set()
        pieces += [chunk.choices[0].delta.content for chunk in stream]
        assert pieces == ["one", " two", " three", None]
        assert server.child.wait(10) == 0


@pytest.mark.once
def test_a_signal_lets_a_client_that_reads_slowly_have_its_answer(serve: Serve, upstream: Emulator) -> None:
    server = serve()
    upstream.answer("x" * 12_000_000)
    body = {"messages": HELLO, "stream": True}
    with requests.post(f"{server.url}/v1/chat/completions", json=body, stream=True, timeout=30) as response:
        wait_until(lambda: ended(upstream))
        server.child.send_signal(signal.SIGTERM)
        time.sleep(7.0)  # waitress itself waits for 5 seconds
        assert response.raw.read().endswith(b"data: [DONE]\n\n")
    assert server.child.wait(10) == 0


def test_a_second_signal_ends_them(serve: Serve, upstream: Emulator) -> None:
    server = serve()
    upstream.fail("stall", after=1)
    stream = server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=True)
    next(stream)
    with ThreadPoolExecutor(1) as threads:
        rest = threads.submit(list, stream)
        server.child.send_signal(signal.SIGINT)
        wait_until(lambda: server.post({"messages": HELLO}).status_code == 503)
        server.child.send_signal(signal.SIGINT)
        error = rest.exception(10)
        # openai passes on what its own library raises: httpx or, in newer versions, httpx2.
        assert isinstance(error, openai.APIError) or type(error).__module__.startswith("httpx"), repr(error)
    assert server.child.wait(10) == 0
    wait_until(lambda: ended(upstream))
