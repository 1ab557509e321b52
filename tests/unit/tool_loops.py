"""What the tests of function tools share: a function, a model that calls it, and a clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from g4f_lite import (
    Answer,
    AnswerStream,
    Client,
    Prompt,
    Timeout,
    ToolCallDelta,
)
from g4f_lite.answers.deltas import Delta
from g4f_lite.testing import Scripted
from g4f_lite.typed.loop import Loop, ToolUse
from g4f_lite.typed.tools import Toolbox


def call(name: str, index: int = 0, id: str | None = "", **arguments: Any) -> ToolCallDelta:
    return ToolCallDelta(index, f"c{index}" if id == "" else id, name, json.dumps(arguments))


def results(provider: Scripted, turn: int = -1) -> list[str]:
    """List the results that the model was told with the last prompt."""
    return [message["content"] for message in provider.calls[turn].messages if message["role"] == "tool"]


def weather(city: str) -> str:
    """Get the weather."""
    return f"sunny in {city}"


def ask(provider: Scripted, tools: Any, **options: Any) -> Answer:
    return Client(provider).ask("weather?", tools=tools, **options)


class Clock:
    """A clock that stands still unless it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> float:
        self.now += seconds
        return seconds


def loop(provider: Scripted, tools: list[Any], clock: Clock, total: float | None = 10, **settings: Any) -> AnswerStream:
    toolbox = Toolbox.of(tools)
    prompt = Prompt.of(None, "x", tools=toolbox.declared)
    loop = Loop(provider.answer, prompt, ToolUse(toolbox, **settings), timeout=Timeout(total=total), clock=clock)
    return AnswerStream(lambda: loop, provider="Timed")


class Timed(Scripted):
    """Remember the total limit of each call."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.totals: list[float | None] = []

    def begin(self, prompt: Prompt) -> Iterator[Delta]:  # type: ignore[override]
        self.totals.append(None if prompt.timeout is None else Timeout.of(prompt.timeout).total)
        return super().begin(prompt)


CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
MESSAGES = [
    {"role": "user", "content": "weather?"},
    {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [
            {"id": "c0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c0", "content": "sunny in Oslo"},
    {"role": "assistant", "content": "Sunny."},
]
