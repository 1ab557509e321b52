"""Answers and their streams, from sources without a wire."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import (
    Answer,
    AnswerStream,
    Client,
    DeadlineExceededError,
    EmptyResponseError,
    Finish,
    G4FLiteError,
    ImageResponse,
    Reasoning,
    ResponseFormatError,
    StreamInterruptedError,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from g4f_lite.testing import Echo

IMAGE = ImageResponse(["https://images.test/a.png"], alt="a cat")


class Source:
    """A source of deltas that notes what happens to it."""

    def __init__(self, deltas: Iterable[Any]) -> None:
        self.deltas = iter(deltas)
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        for delta in self.deltas:
            if isinstance(delta, BaseException):
                raise delta
            yield delta

    def close(self) -> None:
        self.closed += 1
        self.deltas = iter(())


def _stream(*deltas: Any) -> tuple[AnswerStream, list[Source]]:
    begun: list[Source] = []

    def begin() -> Source:
        begun.append(Source(deltas))
        return begun[-1]

    return AnswerStream(begin, provider="Test", model="m"), begun


def test_it_is_a_generator_of_pieces() -> None:
    stream, begun = _stream(Reasoning("hm"), "a", Usage(1, 2, 3), IMAGE, "b", Finish("length"))
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
    assert list(_stream(*deltas)[0].deltas()) == deltas


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
@pytest.mark.parametrize("started", [False, True])
def test_text_is_whole_wherever_reading_had_come(taken: int, started: bool) -> None:
    stream, begun = _stream("a", "", "b", "c", Finish())
    if started:
        stream.start()
    for _ in range(taken):
        next(stream)
    assert stream.text() == "abc"
    assert len(begun) == 1


def test_tool_calls_are_put_together() -> None:
    stream, _ = _stream(
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
    assert _stream(IMAGE, Finish())[0].text() == "https://images.test/a.png"
    answer = _stream("Look: ", IMAGE, Finish())[0].text()
    assert answer == "Look: ![a cat](https://images.test/a.png)"
    assert answer.images == [IMAGE]


@pytest.mark.parametrize("deltas", [[], [Finish()], ["", Finish()], [Usage(1, 0, 1), Finish()]])
@pytest.mark.parametrize("read", [AnswerStream.text, AnswerStream.start, list, lambda s: s.show(io.StringIO())])
def test_nothing_is_an_empty_response(deltas: list[Any], read: Callable[[AnswerStream], Any]) -> None:
    with pytest.raises(EmptyResponseError):
        read(_stream(*deltas)[0])


@pytest.mark.parametrize("delta", ["a", IMAGE, Reasoning("hm"), ToolCallDelta(0, "1", "f")])
def test_each_of_these_is_something(delta: Any) -> None:
    _stream(delta, Finish())[0].text()
    with pytest.raises(StreamInterruptedError):
        _stream(delta)[0].text()


def test_an_end_that_is_none_raises_each_time_and_keeps_the_text() -> None:
    stream, begun = _stream("a", "b")
    assert [next(stream), next(stream)] == ["a", "b"]
    for read in (lambda: next(stream), stream.text, stream.text):
        with pytest.raises(StreamInterruptedError) as caught:
            read()
        assert caught.value.partial == "ab"
        assert caught.value.provider == "Test"
    assert len(begun) == 1


def test_an_error_of_the_source_gets_the_partial_text() -> None:
    stream, _ = _stream("a", DeadlineExceededError("late", limit="total"))
    with pytest.raises(DeadlineExceededError) as caught:
        list(stream)
    assert caught.value.partial == "a"
    with pytest.raises(DeadlineExceededError):
        stream.text()


def test_close_before_the_first_piece() -> None:
    stream, begun = _stream("a", Finish())
    stream.close()
    stream.close()
    with pytest.raises(StreamInterruptedError):
        stream.text()
    assert begun == []


def test_close_while_it_begins() -> None:
    source = Source(["a", Finish()])
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
    stream, _ = _stream("a", *finish, ValueError("generator already executing"))
    assert next(stream) == "a"
    for delta in finish:
        assert next(stream.deltas()) == delta
    stream._closed = True
    with pytest.raises(StopIteration if finish else StreamInterruptedError):
        next(stream)


def test_two_readers_at_once_are_told_apart() -> None:
    stream, _ = _stream("a", ValueError("generator already executing"))
    next(stream)
    with pytest.raises(G4FLiteError, match="another thread is reading this answer"):
        next(stream)


def test_an_error_of_a_source_that_is_no_collision_comes_through() -> None:
    with pytest.raises(ValueError, match="wrong"):
        _stream(ValueError("wrong"))[0].text()


def test_after_ctrl_c_nothing_more_comes() -> None:
    stream, _ = _stream(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(StreamInterruptedError):
        next(stream)


def test_close_after_the_end_keeps_the_answer() -> None:
    stream, _ = _stream("a", Finish())
    assert stream.text() == "a"
    stream.close()
    assert stream.text() == "a"
    assert list(stream) == []


@pytest.mark.parametrize("remake", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_answer_in_progress_is_not_copied(remake: Callable[[Any], object]) -> None:
    stream, begun = _stream("a", Finish())
    with pytest.raises(TypeError, match="an answer in progress cannot be copied or pickled; read it"):
        remake(stream)
    chunks = Client(Echo()).chat.completions.create("a", stream=True)
    with pytest.raises(TypeError, match="an answer in progress"):
        remake(chunks)
    assert begun == []
    assert stream.text() == "a"


def test_halves_of_a_character_are_joined_in_the_whole_answer() -> None:
    stream, _ = _stream(Reasoning("\ud83d"), "a \ud83d", "\ude42 b \ud83d", Finish())
    answer = stream.text()
    assert (answer, answer.reasoning) == ("a 🙂 b \ufffd", "\ufffd")


def test_leaving_a_with_block_and_being_collected_close_it() -> None:
    stream, begun = _stream("a", "b", Finish())
    with stream as same:
        assert same is stream
        next(stream)
    assert begun[0].closed == 1
    stream, begun = _stream("a", "b", Finish())
    next(stream)
    del stream
    assert begun[0].closed == 1


@pytest.mark.parametrize(
    "arguments", [(KeyError("x"),), (KeyError, "x"), (KeyError, KeyError("x")), (KeyError, KeyError("x"), None)]
)
def test_throw_closes_and_raises(arguments: tuple[Any, ...]) -> None:
    stream, begun = _stream("a", "b", Finish())
    next(stream)
    with pytest.raises(KeyError, match="x"):
        stream.throw(*arguments)
    assert begun[0].closed == 1
    with pytest.raises(KeyError):
        stream.throw(KeyError)


def test_show_prints_each_piece_at_once_and_gives_the_answer() -> None:
    flushed: list[str] = []

    class Out(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    out = Out()
    answer = _stream("a", Reasoning("not shown"), "b", Finish())[0].show(out)
    assert out.getvalue() == "ab\n"
    assert flushed[:2] == ["a", "ab"]
    assert type(answer) is Answer
    assert answer == "ab"


def test_show_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    _stream("a", Finish())[0].show()
    assert capsys.readouterr().out == "a\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


OBEYED = "a\x1b]0;title\x07\x1b[2J\x9b31m\rb\x7f\x00\tc\n"


@pytest.mark.parametrize(
    ("out", "written"),
    [(Terminal(), "a\ufffd]0;title\ufffd\ufffd[2J\ufffd31mb\ufffd\ufffd\tc\n\n"), (io.StringIO(), OBEYED + "\n")],
    ids=["terminal", "file"],
)
def test_a_terminal_gets_nothing_that_it_obeys(out: io.StringIO, written: str) -> None:
    assert _stream(*OBEYED, Finish())[0].show(out) == OBEYED
    assert out.getvalue() == written


@pytest.mark.parametrize(
    ("encoding", "errors", "written"),
    [
        ("cp1252", "strict", b"\xfc ? ?\n"),
        ("cp1252", "xmlcharrefreplace", b"\xfc &#960; &#128578;\n"),
        ("ascii", "strict", b"? ? ?\n"),
        ("utf-8", "strict", "ü π 🙂\n".encode()),
    ],
)
def test_show_writes_what_the_file_has_characters_for(encoding: str, errors: str, written: bytes) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding, errors, newline="")
    assert _stream("ü π", " 🙂", Finish())[0].show(out) == "ü π 🙂"
    assert out.buffer.getvalue() == written  # type: ignore[attr-defined]


def test_half_a_character_does_not_stop_show() -> None:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    assert _stream("a \ud83d", "\ude42", Finish())[0].show(out) == "a 🙂"
    assert out.buffer.getvalue() == b"a ??\n"  # type: ignore[attr-defined]


def test_an_object_that_can_be_written_to_is_file_enough() -> None:
    written: list[str] = []
    out: Any = SimpleNamespace(write=written.append, flush=lambda: None)
    _stream("a", "\x1b[2J", Finish())[0].show(out)
    assert written == ["a", "\x1b[2J", "\n"]


def test_show_without_standard_output_gives_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert _stream("a", Finish())[0].show() == "a"


ANSWER = Answer(
    "text",
    usage=Usage(1, 2, 3),
    finish_reason="stop",
    model="m",
    provider="Test",
    seconds=1.25,
    reasoning="hm",
    tool_calls=[ToolCall("1", "f", "{}")],
    images=[IMAGE],
)


@pytest.mark.parametrize("remake", [copy.copy, copy.deepcopy, lambda answer: pickle.loads(pickle.dumps(answer))])
def test_an_answer_is_a_str_that_keeps_what_it_knows(remake: Callable[[Answer], Answer]) -> None:
    again = remake(ANSWER)
    assert type(again) is Answer
    assert again == "text" == ANSWER
    assert {**vars(again), "images": 0} == {**vars(ANSWER), "images": 0}
    assert again.images[0].urls == IMAGE.urls


def test_an_answer_as_json_types() -> None:
    assert ANSWER.to_dict()["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert ANSWER.to_dict()["images"] == IMAGE.urls
    assert ANSWER._repr_markdown_() == "<details><summary>Thoughts</summary>hm</details>\n\ntext"


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n'])
def test_json_is_read_also_in_a_fence(text: str) -> None:
    assert Answer(text).json() == {"a": 1}


def test_no_json_is_an_error_of_ours_and_a_value_error() -> None:
    with pytest.raises(ResponseFormatError, match="Test: expected an answer in JSON, got 'prose': Expecting") as caught:
        Answer("prose", provider="Test").json()
    assert isinstance(caught.value, ValueError)
    assert caught.value.partial == "prose"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
