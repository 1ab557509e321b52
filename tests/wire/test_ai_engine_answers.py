"""What AiEngine reads in answers of every form."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from g4f_lite import AiEngine, ImageResponse, ResponseFormatError, Revision, Usage
from g4f_lite.emulator import Emulator

from .ai_engine_site import (
    OLD_SESSION,
    PNG,
    SESSION,
    SUBMIT,
    end,
    event,
    whole,
)
from .conftest import Ask, Serve
from .raw_server import Connection, RawServer, chunked, length


@pytest.mark.product
@pytest.mark.parametrize("version", ["2.4.3", "2.4.4", "2.6.3", "2.8.3", "2.8.5", "3.6.2"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_an_answer_of_each_version(version: str, newline: str, framing: Any, ask: Ask) -> None:
    pieces = ["Caf\u00e9 ", "\u4f60\u597d", " \U0001f600", "  \n", "line two ", "0", "", ' </b>&amp; "q" \\ end']
    with Emulator(plugin_version=version, newline=newline, framing=framing, write_size=7) as emulator:
        emulator.answer(pieces)
        with AiEngine(emulator.url, retry=None) as site:
            answer = ask(site)
        assert answer == "".join(pieces)
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
        assert (answer.finish_reason, answer.provider) == ("stop", "AiEngine")


def test_pieces_come_as_they_were_sent(site: AiEngine, emulator: Emulator) -> None:
    emulator.answer(["0", "", " a", "\n"])
    assert list(site.create_generator(messages="Hello")) == ["0", "", " a", "\n"]


SUBTYPES = ("status", "thinking", "debug", "tool_call", "heartbeat", "error", "never heard of")


def test_the_sites_event_log_is_not_text(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.configure(status_events=SUBTYPES)
    assert ask(site) == "Hello"
    emulator.configure(status_events=(*SUBTYPES, "content"))
    assert ask(site) == "Hello"


def test_unknown_events_are_ignored(serve: Serve, ask: Ask) -> None:
    site = serve(chunked(event("hello", {"a": 1}), event("live", "Hi"), b"data: {}\n\n", end("Hi")))
    assert ask(site) == "Hi"


def test_json_in_place_of_a_stream(serve: Serve, ask: Ask) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16, "price": None}
    answer = ask(serve(whole({"success": True, "reply": "Hi", "images": None, "usage": usage, "blocks": []})))
    assert (answer, answer.usage, answer.finish_reason) == ("Hi", Usage(11, 5, 16), "stop")


def test_words_in_place_of_an_answer_are_shown(serve: Serve) -> None:
    with pytest.raises(ResponseFormatError, match="expected JSON or events, got 'Just a blog"):
        serve(length(b"Just a blog.")).create(messages="Hello")


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=UTF-8", "text/event-stream", ""])
def test_the_body_decides_and_not_the_content_type(serve: Serve, kind: str) -> None:
    fields = [f"Content-Type: {kind}"] if kind else []
    whole_answer = length(json.dumps({"success": True, "reply": "Hi"}).encode(), *fields)
    for answer in (chunked(event("live", "Hi"), end("Hi"), fields=fields), whole_answer):
        assert serve(answer).create(messages="Hello") == "Hi"


@pytest.mark.parametrize(
    ("pieces", "reply", "text"),
    [
        ([], "Hello world", ["Hello world"]),
        (["Hello"], "Hello world", ["Hello", " world"]),
        ([" Hello"], "Hello world", [" Hello", " world"]),
        (["Hello", " world", " \n"], "Hello world", ["Hello", " world", " \n"]),
        (["\n", "Hello "], "Hello", ["\nHello "]),
        (["Hello"], "", ["Hello"]),
        (["Hello"], None, ["Hello"]),
    ],
)
def test_the_reply_completes_what_was_streamed(
    serve: Serve, pieces: list[str], reply: str | None, text: list[str]
) -> None:
    stream = serve(chunked(*[event("live", piece) for piece in pieces], end(reply))).create_generator(messages="Hello")
    assert list(stream) == text
    assert stream.text().revision is None


def test_another_reply_than_was_streamed_is_kept_apart(serve: Serve) -> None:
    site = serve(chunked(event("live", "Hello damn world"), end("Hello **** world")))
    answer = site.create(messages="Hello")
    assert answer == "Hello damn world"
    assert answer.revision == "Hello **** world"
    deltas = list(site.create_generator(messages="Hello").deltas())
    assert Revision("Hello **** world") in deltas
    assert list(site.create_generator(messages="Hello")) == ["Hello damn world"]


def test_end_may_hold_its_object_unwrapped(serve: Serve, ask: Ask) -> None:
    assert ask(serve(chunked(event("end", {"success": True, "reply": "Hi"})))) == "Hi"


@pytest.mark.parametrize("streamed", [True, False])
def test_a_picture_is_fetched_when_it_is_wanted(streamed: bool) -> None:
    def answer(connection: Connection) -> None:
        url = connection.server.url + "/wp-content/uploads/cat.png"
        reply = {"success": True, "reply": url, "images": [url]}
        while (request := connection.request()) is not None:
            if SESSION in request.line:
                connection.send(whole(OLD_SESSION))
            elif SUBMIT in request.line:
                connection.send(chunked(event("end", json.dumps(reply))) if streamed else whole(reply))
            else:
                connection.send(length(PNG, "Content-Type: image/png"))

    with RawServer(answer) as server, AiEngine(server.url, retry=None) as site:
        (image,) = list(site.create_generator(messages="A cat"))
        assert isinstance(image, ImageResponse)
        url = server.url + "/wp-content/uploads/cat.png"
        assert (image.urls, image.alt) == ([url], "A cat")
        assert len(server.requests) == 2
        assert image.bytes() == image.bytes() == PNG
        assert len(server.requests) == 3
        assert site.create(messages="A cat") == url


def test_a_picture_is_fetched_through_the_proxy_of_its_call(emulator: Emulator) -> None:
    url = "http://blog.example/images/1.png"
    with AiEngine("http://blog.example", retry=None) as site:
        emulator.fail("status", body=json.dumps({"success": True, "reply": url, "images": [url]}), status=200)
        (image,) = site.create(messages="A cat", proxy=emulator.url).images
        emulator.fail("status", step="image", path="*", body=PNG, status=200)
        assert image.bytes() == PNG
    assert emulator.requests[-1].headers["Host"] == "blog.example"


def test_pictures_beside_text(serve: Serve) -> None:
    site = serve(
        whole({"success": True, "reply": "Here: ", "images": ["https://x.example/1.png", "https://x.example/2.png"]})
    )
    text, image = list(site.create_generator(messages="Two cats"))
    assert text == "Here: "
    assert isinstance(image, ImageResponse)
    assert image.urls == ["https://x.example/1.png", "https://x.example/2.png"]


@pytest.mark.once
def test_an_endless_answer_takes_little_memory(serve: Serve) -> None:
    """The reply at the end, which is compared with what was streamed, cannot be longer than a line."""
    piece = event("live", "x" * 1000)
    end = event("end", json.dumps({"success": True, "reply": "x"}))
    site = serve(chunked(*[piece * 100] * 80, end), timeout=60)  # a trace of memory takes time
    tracemalloc.start()
    try:
        stream = site.create_generator(messages="Hello")
        assert sum(map(len, map(str, stream))) == 8_000_000
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 6_000_000
    assert stream.finish_reason == "stop"
