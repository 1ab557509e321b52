"""Streams of answers: what they give, how they end, and who may close them."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from g4f_lite import (
    AnswerStream,
    Client,
    DeadlineExceededError,
    EmptyResponseError,
    Finish,
    G4FLiteError,
    Identity,
    ImageResponse,
    Reasoning,
    StreamInterruptedError,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from g4f_lite.store.answers import Kept
from g4f_lite.testing import Echo

from .streams import IMAGE, Source, stream_of


def test_it_is_a_generator_of_pieces() -> None:
    stream, begun = stream_of(Reasoning("hm"), "a", Usage(1, 2, 3), IMAGE, "b", Finish("length"))
    assert isinstance(stream, Generator)
    assert isinstance(stream, Iterator)
    assert begun == []
    assert stream.send(None) == "a"
    assert list(stream) == [IMAGE, "b"]
    assert len(begun) == 1
    assert (stream.usage, stream.finish_reason, stream.reasoning) == (Usage(1, 2, 3), "length", "hm")
    assert (stream.provider, stream.model) == ("Test", "m")


def test_deltas_gives_everything() -> None:
    deltas = [Reasoning("hm"), "a", ToolCallDelta(0, "1", "f"), Usage(1, 2, 3), Finish()]
    assert list(stream_of(*deltas)[0].deltas()) == deltas


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
@pytest.mark.parametrize("started", [False, True])
def test_text_is_whole_wherever_reading_had_come(taken: int, started: bool) -> None:
    stream, begun = stream_of("a", "", "b", "c", Finish())
    if started:
        stream.start()
    for _ in range(taken):
        next(stream)
    assert stream.text() == "abc"
    assert len(begun) == 1


def test_tool_calls_are_put_together() -> None:
    stream, _ = stream_of(
        ToolCallDelta(1, "id-1", "second", "{"),
        ToolCallDelta(0, "id-0", "first"),
        ToolCallDelta(1, arguments='"a": 1}'),
        Finish("tool_calls"),
    )
    answer = stream.text()
    assert answer == ""
    assert answer.tool_calls == [ToolCall("id-0", "first", ""), ToolCall("id-1", "second", '{"a": 1}')]
    assert answer.finish_reason == "tool_calls"


def test_an_image_answers_text_is_its_url_and_beside_text_its_markdown() -> None:
    assert stream_of(IMAGE, Finish())[0].text() == "https://images.test/a.png"
    answer = stream_of("Look: ", IMAGE, Finish())[0].text()
    assert answer == "Look: ![a cat](https://images.test/a.png)"
    assert answer.images == [IMAGE]


@pytest.mark.parametrize("deltas", [[], [Finish()], ["", Finish()], [Usage(1, 0, 1), Finish()]])
@pytest.mark.parametrize("read", [AnswerStream.text, AnswerStream.start, list, lambda s: s.show(io.StringIO())])
def test_nothing_is_an_empty_response(deltas: list[Any], read: Callable[[AnswerStream], Any]) -> None:
    with pytest.raises(EmptyResponseError):
        read(stream_of(*deltas)[0])


@pytest.mark.parametrize("delta", ["a", IMAGE, Reasoning("hm"), ToolCallDelta(0, "1", "f")])
def test_each_of_these_is_something(delta: Any) -> None:
    stream_of(delta, Finish())[0].text()
    with pytest.raises(StreamInterruptedError):
        stream_of(delta)[0].text()


def test_an_end_that_is_none_raises_each_time_and_keeps_the_text() -> None:
    stream, begun = stream_of("a", "b")
    assert [next(stream), next(stream)] == ["a", "b"]
    for read in (lambda: next(stream), stream.text, stream.text):
        with pytest.raises(StreamInterruptedError) as caught:
            read()
        assert caught.value.partial == "ab"
        assert caught.value.provider == "Test"
    assert len(begun) == 1


def test_an_error_of_the_source_gets_the_partial_text() -> None:
    stream, _ = stream_of("a", DeadlineExceededError("late", limit="total"))
    with pytest.raises(DeadlineExceededError) as caught:
        list(stream)
    assert caught.value.partial == "a"
    with pytest.raises(DeadlineExceededError):
        stream.text()


def test_close_before_the_first_piece() -> None:
    stream, begun = stream_of("a", Finish())
    stream.close()
    stream.close()
    with pytest.raises(StreamInterruptedError):
        stream.text()
    assert begun == []


def test_close_while_it_begins() -> None:
    source = Source([AssertionError("it is read")])
    stream: AnswerStream

    def begin() -> Source:
        stream.close()  # as another thread does
        return source

    stream = AnswerStream(begin, provider="Test")
    with pytest.raises(StreamInterruptedError):
        next(stream)
    assert source.closed == 1


@pytest.mark.parametrize("finish", [[], [Finish()]])
def test_a_reader_that_meets_whoever_closes_is_told_so(finish: list[Any]) -> None:
    """A generator that another thread is closing right now raises ValueError."""
    stream, _ = stream_of("a", *finish, ValueError("generator already executing"))
    assert next(stream) == "a"
    for delta in finish:
        assert next(stream.deltas()) == delta
    stream._closed = True
    with pytest.raises(StopIteration if finish else StreamInterruptedError):
        next(stream)


def test_two_readers_at_once_are_told_apart() -> None:
    stream, _ = stream_of("a", ValueError("generator already executing"))
    next(stream)
    with pytest.raises(G4FLiteError, match="another thread is reading this answer"):
        next(stream)


def test_an_error_of_a_source_that_is_no_collision_comes_through() -> None:
    with pytest.raises(ValueError, match="wrong"):
        stream_of(ValueError("wrong"))[0].text()


def test_after_ctrl_c_nothing_more_comes() -> None:
    stream, _ = stream_of(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(StreamInterruptedError):
        next(stream)


def test_close_after_the_end_keeps_the_answer() -> None:
    stream, _ = stream_of("a", Finish())
    assert stream.text() == "a"
    stream.close()
    assert stream.text() == "a"
    assert list(stream) == []


@pytest.mark.parametrize("remake", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_answer_in_progress_is_not_copied(remake: Callable[[Any], object]) -> None:
    stream, begun = stream_of("a", Finish())
    with pytest.raises(TypeError, match="an answer in progress cannot be copied or pickled; read it"):
        remake(stream)
    chunks = Client(Echo()).chat.completions.create("a", stream=True)
    with pytest.raises(TypeError, match="an answer in progress"):
        remake(chunks)
    assert begun == []
    assert stream.text() == "a"


def test_halves_of_a_character_are_joined_in_the_whole_answer() -> None:
    stream, _ = stream_of(Reasoning("\ud83d"), "a \ud83d", "\ude42 b \ud83d", Finish())
    answer = stream.text()
    assert (answer, answer.reasoning) == ("a 🙂 b \ufffd", "\ufffd")


def test_names_and_ids_of_an_answer_can_be_printed() -> None:
    """JSON may have half of a character in any string."""
    stream, _ = stream_of(
        Identity(model="a\ud83d"),
        ImageResponse("http://x/\ud83d"),
        ToolCallDelta(0, "\ud83d", "f\ud83d", "{}"),
        Finish("\ud83d"),
    )
    answer = stream.text()
    call = answer.tool_calls[0]
    texts = (answer.served_model, answer.images[0].urls[0], call.id, call.name, answer.finish_reason)
    assert texts == ("a\ufffd", "http://x/\ufffd", "\ufffd", "f\ufffd", "\ufffd")


def test_leaving_a_with_block_and_being_collected_close_it() -> None:
    stream, begun = stream_of("a", "b", Finish())
    with stream as same:
        assert same is stream
        next(stream)
    assert begun[0].closed == 1
    stream, begun = stream_of("a", "b", Finish())
    next(stream)
    del stream
    assert begun[0].closed == 1


@pytest.mark.parametrize(
    "arguments", [(KeyError("x"),), (KeyError, "x"), (KeyError, KeyError("x")), (KeyError, KeyError("x"), None)]
)
def test_throw_closes_and_raises(arguments: tuple[Any, ...]) -> None:
    stream, begun = stream_of("a", "b", Finish())
    next(stream)
    with pytest.raises(KeyError, match="x"):
        stream.throw(*arguments)
    assert begun[0].closed == 1
    with pytest.raises(KeyError):
        stream.throw(KeyError)


@pytest.mark.parametrize(
    ("deltas", "served"),
    [
        ([Identity(model="m-2024"), "Hello", Finish("stop")], "m-2024"),
        ([Identity("id"), "Hello", Finish("stop")], None),
        ([Identity(model=""), "Hello", Finish("stop")], None),
        (["Hello", Finish("stop")], None),
        ([Identity(model="m-2024"), IMAGE, Finish("stop")], "m-2024"),
    ],
)
def test_an_answer_names_the_requested_model_and_the_one_that_served_it(deltas: list[Any], served: str | None) -> None:
    stream, _ = stream_of(*deltas)
    answer = stream.text()
    assert (answer.model, answer.served_model, answer.to_dict()["served_model"]) == ("m", served, served)
    assert (stream.served_model, stream.seconds) == (served, answer.seconds)
    again = Kept.of(stream).answer()
    assert (again.model, again.served_model) == ("m", served)
