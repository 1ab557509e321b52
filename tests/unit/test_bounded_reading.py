"""What the reader of an OpenAI-compatible answer remembers is bounded, whatever a server goes on sending."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import ToolCallDelta
from g4f_lite.providers.openai import chunks, tool_calls
from g4f_lite.providers.openai.chunks import ChunkReader
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
    "finish reasons": lambda number: {"choices": [{"index": number, "delta": {}, "finish_reason": "x" * BIG}]},
}


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_calls, "MAX_KEPT", 200_000)
    monkeypatch.setattr(chunks, "MAX_HELD", 200_000)


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
