"""Calls of functions by the embedded model, which knows no tools: a schema leaves it no other answer."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from g4f_lite import Client, Local

pytestmark = pytest.mark.once
pytest.importorskip("msgspec", reason="the extra typed is not installed")


def get_weather(city: Literal["Oslo", "Rome"], days: int = 1) -> str:
    """Get the weather of a city."""
    return "It is sunny, 21 degrees."


def test_it_calls_a_function_and_answers(local: Local) -> None:
    calls: list[tuple[dict[str, Any], Any]] = []
    conversation = Client(local).conversation(tools=[get_weather])
    answer = conversation.ask(
        "What is the weather in Oslo?",
        tool_choice="required",
        on_tool=lambda call, result: calls.append((call.args, result)),
        temperature=0,
        max_tokens=32,
    )
    assert answer
    assert [(args["city"], result) for args, result in calls] == [("Oslo", "It is sunny, 21 degrees.")]
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "tool", "assistant"]
    assert answer.usage is not None
