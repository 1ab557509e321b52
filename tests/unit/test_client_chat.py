"""Chat completions: whole, as chunks, and what is not a text in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from g4f_lite import Client, ImageResponse, RateLimitError, ResponseFormatError, StreamInterruptedError, Usage
from g4f_lite.client.chunks import ChoiceDelta, ChunkChoice, CompletionChunk
from g4f_lite.testing import Scripted

from .services import PIXEL


def test_a_completion_has_openais_attributes():
    completion = Client(Scripted("Hello there", model="m")).chat.completions.create("Hi")
    assert completion.choices[0].message.content == "Hello there"
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.model, completion.provider, completion.usage) == ("m", "Scripted", None)


def test_a_stream_has_started_and_raises_at_the_call():
    provider = Scripted(RateLimitError("slow down"))
    with pytest.raises(RateLimitError):
        Client(provider).chat.completions.create("x", stream=True)


def test_a_stream_is_an_iterator_and_a_context_manager():
    client = Client(Scripted("one two three"))
    with client.chat.completions.create("x", stream=True) as stream:
        assert isinstance(stream, Iterator)
        first = next(stream)
        assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "one")
        rest = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(rest) == " two three"
        assert stream.answer == "one two three"
        assert next(stream, None) is None


def test_a_stream_can_be_left_and_gone_on_with():
    stream = Client(Scripted("one two three")).chat.completions.create("x", stream=True)
    for chunk in stream:
        assert chunk.choices[0].delta.content == "one"
        break
    assert next(stream).choices[0].delta.content == " two"
    assert [chunk.choices[0].delta.content for chunk in stream] == [" three", None]


def test_letting_go_of_a_stream_closes_it():
    closed = []

    class Watched(Scripted):
        def begin(self, prompt):
            try:
                yield from ["one", " two"]
            finally:
                closed.append(True)

    for _ in Client(Watched()).chat.completions.create("x", stream=True):
        break
    assert closed == [True]


def test_a_chunk_of_text_is_made_as_any_other():
    first, second, *_ = Client(Scripted("one two")).chat.completions.create("x", "m", stream=True)
    for chunk, delta in ((first, ChoiceDelta("one", "assistant")), (second, ChoiceDelta(" two"))):
        assert chunk == CompletionChunk(first.id, first.created, "m", "Scripted", [ChunkChoice(delta)])


def test_stream_is_create_with_stream():
    chunks = Client(Scripted("one two")).chat.completions.stream("x", "m")
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["one", " two", None]


def test_leaving_the_block_closes_the_answer():
    client = Client(Scripted("one two three"))
    with client.chat.completions.create("x", stream=True) as stream:
        next(stream)
    with pytest.raises(StreamInterruptedError):
        next(stream)


def test_a_stream_shows_itself(capsys):
    answer = Client(Scripted("one two")).chat.completions.create("x", stream=True).show()
    assert answer == "one two"
    assert capsys.readouterr().out == "one two\n"


def test_no_chunk_is_without_a_choice_unless_usage_is_asked_for():
    answer = ["a", Usage(1, 2, 3)]
    chunks = list(Client(Scripted(answer)).chat.completions.create("x", stream=True))
    assert all(chunk.choices for chunk in chunks)
    chunks = list(
        Client(Scripted(["a"])).chat.completions.create("x", stream=True, stream_options={"include_usage": True})
    )
    assert all(chunk.choices for chunk in chunks)  # the service did not say


def test_a_completion_is_bounded_as_an_answer_is(monkeypatch):
    taken = []

    class Endless(Scripted):
        def begin(self, prompt):
            for number in range(1000):
                taken.append(number)
                yield "x" * 1000

    monkeypatch.setattr("g4f_lite.answers.buffer.MAX_BYTES", 10_000)
    monkeypatch.setattr("g4f_lite.answers.buffer.COMPACT_BYTES", 1000)
    with pytest.raises(ResponseFormatError, match="longer than"):
        Client(Endless()).chat.completions.create("x")
    assert len(taken) < 1000


def test_images_in_an_answer_are_markdown():
    image = ImageResponse("http://127.0.0.1/1.png", "a cat")
    client = Client(Scripted([image], [image], ["Look: ", image, image]))
    content = client.chat.completions.create("x").choices[0].message.content
    assert content == "![a cat](http://127.0.0.1/1.png)"
    assert next(client.chat.completions.create("x", stream=True)).choices[0].delta.content == content
    assert client.chat.completions.create("x").choices[0].message.content == f"Look: {content}{content}"


@pytest.mark.parametrize("name", ["image", "images"])
def test_images_are_shown_to_the_model(name):
    provider = Scripted()
    Client(provider).chat.completions.create("What is this?", **{name: PIXEL})
    assert [part["type"] for part in provider.calls[0].messages[0]["content"]] == ["text", "image_url"]


def test_options_go_to_the_provider_and_none_is_not_sent():
    provider = Scripted()
    Client(provider).chat.completions.create("x", temperature=0, max_tokens=None, top_k=5, n=1)
    assert provider.calls[0].options == {"temperature": 0, "top_k": 5}
