"""What is kept of an answer: all of a usual one, the beginning of an endless one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import (
    AnswerStream,
    Finish,
    HookError,
    ImageResponse,
    Reasoning,
    ResponseFormatError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.answers import buffer
from g4f_lite.answers.attached import TEXT_BYTES
from g4f_lite.answers.buffer import COMPACT_BYTES, MAX_ATTACHED_BYTES, MAX_BYTES, Buffer
from g4f_lite.answers.deltas import Attached, Delta, Identity, OtherChoice, Revision

words = st.text(max_size=5)
DELTAS = st.lists(
    st.one_of(
        words,
        st.builds(Reasoning, words),
        st.builds(Revision, words),
        st.builds(ToolCallDelta, st.integers(0, 2), st.none() | words, st.none() | words, words),
        st.just(ImageResponse(["https://images.test/a.png"], alt="a cat")),
        st.just(Usage(1, 2, 3)),
        st.just(Finish()),
    )
)
PIECE = "x" * 1000
PIECES = MAX_BYTES // len(PIECE) + 2 * COMPACT_BYTES // len(PIECE)


def kept_of(collected: Buffer) -> tuple[Any, ...]:
    return (
        collected.text,
        collected.reasoning,
        collected.tool_calls,
        collected.images,
        collected.revision,
        collected.has_content,
        collected.usage,
        collected.finish_reason,
    )


@given(DELTAS, st.integers(1, 4))
def test_joining_neighbours_changes_nothing(deltas: list[Delta], every: int) -> None:
    joined, plain = Buffer(), Buffer()
    for number, delta in enumerate(deltas):
        plain.add(delta)
        joined.add(delta)
        if joined.recent and number % every == 0:
            joined.compact()
    assert kept_of(joined) == kept_of(plain)


@pytest.mark.parametrize("delta", ["x", Reasoning("x"), ToolCallDelta(0, "id", "name", "x")])
def test_many_small_deltas_become_few(delta: Delta) -> None:
    collected = Buffer()
    for _ in range(3 * COMPACT_BYTES // 65):
        collected.add(delta)
    assert len(list(collected.kept)) < COMPACT_BYTES // 65 + 5


def test_neighbours_are_joined_beside_deltas_of_another_kind() -> None:
    collected = Buffer()
    for number in range(10):
        collected.add(f"{number}")
    collected.add(Reasoning("r"))
    collected.compact()
    assert list(collected.kept) == ["0123456789", Reasoning("r")]


def endless(delta: Delta, sent: list[int]) -> Generator[Delta, None, None]:
    for number in range(PIECES):
        sent.append(number)
        yield delta
    yield Finish()


def stream_of(delta: Delta, sent: list[int]) -> AnswerStream:
    return AnswerStream(lambda: endless(delta, sent), provider="Test", model="m")


def test_an_answer_of_any_length_can_be_iterated() -> None:
    stream = stream_of(PIECE, [])
    assert sum(map(len, stream)) == PIECES * len(PIECE)
    assert stream.finish_reason == "stop"
    with pytest.raises(ResponseFormatError, match=r"Test, stream: the answer is longer than the 4,194,304 characters"):
        stream.text()


@pytest.mark.parametrize(
    ("delta", "of"),
    [
        (PIECE, lambda stream: stream.answer),
        (Reasoning(PIECE), lambda stream: stream.reasoning),
        (ToolCallDelta(0, "id", "name", PIECE), lambda stream: stream.tool_calls),
        (OtherChoice(1, PIECE), lambda stream: stream.other_choices),
    ],
)
def test_what_was_not_kept_is_not_passed_off_as_whole(delta: Delta, of: Callable[[AnswerStream], Any]) -> None:
    stream = stream_of(delta, [])
    for _ in stream.deltas():
        pass
    with pytest.raises(ResponseFormatError) as caught:
        of(stream)
    assert set(caught.value.partial) <= {"x"}


def test_text_reads_no_further_than_what_is_kept() -> None:
    sent: list[int] = []
    with pytest.raises(ResponseFormatError) as caught:
        stream_of(PIECE, sent).text()
    assert 0 < len(caught.value.partial) <= MAX_BYTES
    assert len(sent) < PIECES


def test_of_one_piece_that_is_too_long_the_beginning_is_kept() -> None:
    huge = "x" * (MAX_BYTES + 1)
    stream = AnswerStream(lambda: iterate(huge, Finish()), provider="Test")
    assert "".join(map(str, stream.start())) == huge
    with pytest.raises(ResponseFormatError) as caught:
        stream.text()
    assert caught.value.partial == huge[: len(caught.value.partial)] != ""


def iterate(*deltas: Delta) -> Generator[Delta, None, None]:
    yield from deltas


def test_pieces_of_no_length_are_not_looked_at_again_and_again() -> None:
    looks = 0

    class Empty(str):
        def __bool__(self) -> bool:
            nonlocal looks
            looks += 1
            return False

    stream = AnswerStream(lambda: iterate(*[Empty()] * 1000, "a", Finish()), provider="Test")
    assert next(stream.start()) == "a"
    assert looks <= 3000


@pytest.mark.parametrize(
    ("deltas", "has_content", "has_answer"),
    [
        ([], False, False),
        (["", Usage(1, 2, 3), Finish(), Identity("1"), Revision("x"), Attached({"notes": [1]})], False, False),
        ([Reasoning("x")], True, False),
        ([Reasoning("x"), "", Finish("length")], True, False),
        ([Reasoning("x"), "y"], True, True),
        ([ToolCallDelta(0)], True, True),
        ([Attached({"audio": {}})], True, True),
        ([OtherChoice(1, "x")], True, True),
        ([ImageResponse("https://images.test/a.png")], True, True),
    ],
)
def test_content_and_what_of_it_is_the_answer(deltas: list[Delta], has_content: bool, has_answer: bool) -> None:
    collected = Buffer()
    for delta in deltas:
        collected.add(delta)
    assert (collected.has_content, collected.has_answer) == (has_content, has_answer)


@pytest.mark.parametrize("delta", [None, b"x", 3])
def test_what_a_stage_yields_is_a_delta(delta: Any) -> None:
    def stage(deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        yield from deltas
        yield delta

    with pytest.raises(HookError, match="yielded"):
        AnswerStream(lambda: iterate("a", Finish()), provider="Test").through(stage).text()


@pytest.mark.parametrize("delta", [ToolCallDelta(0, name="x" * 1000), ToolCallDelta(0, id="x" * 1000)])
def test_names_and_ids_count(delta: Delta) -> None:
    collected = Buffer()
    for _ in range(COMPACT_BYTES // 1000):
        collected.add(delta)
    assert list(collected.kept) == [delta, *collected.recent]


@pytest.mark.parametrize("rest", [0, 1, 3, 20])
@pytest.mark.parametrize("kind", [str, Reasoning])
def test_what_is_kept_has_no_hole(kind: Callable[[str], Delta], rest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MAX_BYTES", 20_000)
    monkeypatch.setattr(buffer, "COMPACT_BYTES", 6_000)
    collected = Buffer()
    pieces = [f"{number:06}" for number in range(6_000 + rest)]
    for piece in pieces:
        collected.add(kind(piece))
    kept = collected.text or collected.reasoning
    assert len(kept) > 10_000
    assert "".join(pieces).startswith(kept)
    assert collected.deltas
    assert (collected.text or collected.reasoning) == kept


@pytest.mark.once
def test_tool_calls_without_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MAX_BYTES", 1_000_000)
    collected = Buffer()
    for index in range(1_000_000 // 64 + 1000):
        collected.add(ToolCallDelta(index))
    assert collected.too_long


@pytest.mark.parametrize("nothing", [[], {}, "", "a"])
def test_lists_of_nothing_are_bounded_too(nothing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MAX_ATTACHED_BYTES", 1_000_000)
    collected = Buffer()
    for _ in range(40):
        collected.add(Attached({"notes": [nothing for _ in range(1000)]}))
    assert collected.too_long
    assert len(collected.attached["notes"]) <= 1_000_000 // TEXT_BYTES


def test_other_choices_are_bounded_together() -> None:
    collected = Buffer()
    for number in range(40):
        collected.add(OtherChoice(1 + number % 20, "x" * 2_000_000))
    assert collected.too_long
    assert sum(len(other.text) for other in collected.others.values()) <= MAX_ATTACHED_BYTES
