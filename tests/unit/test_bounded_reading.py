"""What the reader of an OpenAI-compatible answer remembers is bounded, whatever a server goes on sending."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import OtherChoice, ResponseFormatError, ToolCallDelta
from g4f_lite.answers.attached import join
from g4f_lite.answers.deltas import MAX_HALVES, checked
from g4f_lite.http.parsing import split_lines
from g4f_lite.providers.openai import chunks, tool_calls
from g4f_lite.providers.openai.chunks import ChunkReader, read_identity
from g4f_lite.providers.openai.tool_calls import ToolCalls

BIG = 10_000  # characters in each chunk
CHUNKS = 200
KEPT_BYTES = 1_000_000


def in_delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def call(number: int, **fields: Any) -> dict[str, Any]:
    return in_delta(tool_calls=[{**fields, "function": {"name": "f", "arguments": f"{number}" + "x" * BIG}}])


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "pieces of one tool call": lambda number: call(0, index=0),
    "tool calls with ids": lambda number: call(number, index=number, id=f"id{number}"),
    "tool calls without ids": lambda number: call(number, index=number),
    "unknown fields before the answer": lambda number: in_delta(own=f"{number}" + "x" * BIG),
    "images": lambda number: in_delta(images=[{"image_url": {"url": f"data:image/png;base64,{number}" + "x" * BIG}}]),
    "finish reasons": lambda number: {"choices": [{"index": number % 99, "delta": {}, "finish_reason": "x" * BIG}]},
    "texts": lambda number: in_delta(content=f"{number}" + "x" * BIG),
}


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_calls, "MAX_KEPT", 200_000)
    monkeypatch.setattr(chunks, "MAX_HELD", 200_000)
    monkeypatch.setattr(chunks, "MAX_COMPARED", 400_000)


@pytest.mark.product
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("several", [False, True])
def test_an_endless_answer(kind: str, several: bool) -> None:
    reader = ChunkReader(several=several)
    tracemalloc.start()
    try:
        for number in range(CHUNKS):
            for _ in reader.read(KINDS[kind](number)):
                pass
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < KEPT_BYTES


def test_tool_calls_beyond_what_is_remembered_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_calls, "MAX_CALLS", 3)
    calls = ToolCalls()
    pieces = [
        {"index": number, "id": f"id{number}", "function": {"name": "f", "arguments": "{"}} for number in range(6)
    ]
    read = [delta for piece in pieces for delta in calls.read([piece])]
    assert read == [ToolCallDelta(number, f"id{number}", "f", "{", "function", {}) for number in range(6)]
    assert [delta.index for delta in calls.read([{"index": 5, "function": {"arguments": "}"}}])] == [5]


def choice(number: int, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": number, "delta": delta}]}


@pytest.mark.parametrize("several", [False, True])
def test_an_answer_has_not_more_choices_than_anybody_asks_for(several: bool) -> None:
    reader = ChunkReader(several=several)
    texts = [delta for number in range(128) for delta in reader.read(choice(number, content="a"))]
    assert texts == ["a", *(OtherChoice(number, "a") for number in range(1, 128))]
    with pytest.raises(ResponseFormatError, match="more than 128 choices"):
        list(reader.read(choice(128, content="a")))
    assert list(reader.read(choice(127, content="b"))) == [OtherChoice(127, "b")]
    with pytest.raises(ResponseFormatError, match="more than 128 choices"):
        list(reader.read({"choices": choice(0, content="a")["choices"] * 129}))


def test_halves_of_characters_under_ever_new_indices_do_not_pile_up() -> None:
    halves = (ToolCallDelta(number, arguments="\ud83d") for number in range(MAX_HALVES + 2))
    read = list(checked(halves, "deltas"))
    first = [ToolCallDelta(number, arguments="") for number in range(MAX_HALVES)]
    lone = [ToolCallDelta(number, arguments="\ufffd") for number in range(MAX_HALVES)]
    assert read[: 2 * MAX_HALVES] == [*first, *lone]


MANY = 2_000
LONG = 300_000  # characters that must not be read, joined or compared again for each of the many
CPU_SECONDS = 2.0  # which some milliseconds for each of the many exceed


def test_a_piece_of_a_long_tool_call_does_not_cost_more_than_one_of_a_short_one() -> None:
    calls = ToolCalls()
    piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a": [' + "1," * (LONG // 2)}}
    again = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1,"}}
    began = time.process_time()
    read = list(calls.read([piece, *[again] * MANY]))
    assert (len(read), {delta.index for delta in read}) == (MANY + 1, {0})
    assert time.process_time() - began < CPU_SECONDS


def seconds_for_more_pieces(calls: int) -> float:
    """Return how long further pieces of the first of some calls take."""
    reader = ToolCalls()
    list(reader.read([{"id": f"id{number}", "function": {"name": "f"}} for number in range(calls)]))
    began = time.process_time()
    list(reader.read([{"id": "id0", "function": {}}] * 20_000))
    return time.process_time() - began


@pytest.mark.once
def test_a_piece_among_many_calls_does_not_cost_more_than_one_among_few() -> None:
    assert min(seconds_for_more_pieces(1_000) for _ in range(2)) < 2.5 * seconds_for_more_pieces(2)


@pytest.mark.parametrize("text", ["x", "y" * 10])
def test_a_message_at_the_end_does_not_cost_more_in_a_long_answer(text: str) -> None:
    reader = ChunkReader()
    whole = "x " * (LONG // 2)
    assert list(reader.read(in_delta(content=whole))) == [whole]
    message = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    began = time.process_time()
    for _ in range(MANY):
        assert list(reader.read({"choices": [message]})) == []
    assert time.process_time() - began < CPU_SECONDS


@pytest.mark.parametrize(
    "piece",
    [
        lambda text: [{"index": 0, "data": text}],
        lambda text: [{"index": 0, "data": text}, {"index": 0, "data": None}],
        lambda text: [{"index": 0, "within": {"data": text}}],
        lambda text: [{"index": 0, "within": [{"index": 0, "data": text}]}],
    ],
    ids=["plain", "nothing between", "in an object", "in a list"],
)
def test_a_text_that_a_service_attaches_is_not_copied_for_each_of_its_pieces(piece: Callable[[str], list[Any]]) -> None:
    fields: dict[str, Any] = {"details": piece("a" * 5_000_000)[:1]}
    began_at = time.process_time()
    join(fields, {"details": piece("b") * 20_000})
    assert time.process_time() - began_at < 2  # in a tenth of that, and 5 to 10 s with copies
    assert fields == {"details": piece("a" * 5_000_000 + "b" * 20_000)[:1]}


@pytest.mark.once
def test_a_line_in_tiny_chunks_takes_little_more_than_its_bytes() -> None:
    text = b"ab" * 20_000
    tracemalloc.start()
    try:
        (line,) = split_lines(text[place : place + 2] for place in range(0, len(text), 2))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert line == text
    assert peak < 5 * len(text)


def test_the_name_of_a_model_has_an_end() -> None:
    identity = read_identity({"id": "i" * BIG, "model": "m" * BIG, "system_fingerprint": "f" * BIG}, {})
    assert [len(name or "") for name in (identity.id, identity.model, identity.system_fingerprint)] == [1_000] * 3
