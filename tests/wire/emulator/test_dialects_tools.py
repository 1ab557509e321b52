"""Dialects of tool calls and of choices: what is streamed, what a whole answer has, what must come back."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .clients import complete
from .test_dialects import TWO_CALLS, choices_of, deltas_of, speak

OSLO, CET = '{"city":"Oslo"}', '{"tz":"CET"}'


def piece(index: int | None, id_: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    """Give a piece of a tool call without what is ``None``."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made: dict[str, Any] = {"function": function}
    if id_ is not None:
        made |= {"id": id_}
    if id_:
        made |= {"type": "function"}
    return made if index is None else made | {"index": index}


PIECES: dict[str, list[dict[str, Any]]] = {
    "tool-calls-one-index": [
        piece(0, "call_0", "weather", ""),
        piece(0, None, None, OSLO),
        piece(0, "call_1", "clock", ""),
        piece(0, None, None, CET),
    ],
    "tool-calls-no-index": [
        piece(None, "call_0", "weather", ""),
        piece(None, None, None, OSLO),
        piece(None, "call_1", "clock", ""),
        piece(None, None, None, CET),
    ],
    "tool-calls-split-index": [
        piece(0, "call_0", "weather", ""),
        piece(0, None, None, OSLO),
        piece(0, "call_1", "clock", ""),
        piece(1, None, None, CET),
    ],
    "tool-calls-empty-strings": [
        piece(0, "call_0", "weather", ""),
        piece(0, "", "", OSLO),
        piece(1, "call_1", "clock", ""),
        piece(1, "", "", CET),
    ],
    "tool-calls-repeated": [
        piece(0, "call_0", "weather", ""),
        piece(0, "call_0", "weather", OSLO),
        piece(1, "call_1", "clock", ""),
        piece(1, "call_1", "clock", CET),
    ],
    "tool-calls-no-id": [
        piece(0, None, "weather", "") | {"type": "function"},
        piece(0, None, None, OSLO),
        piece(1, None, "clock", "") | {"type": "function"},
        piece(1, None, None, CET),
    ],
    "tool-calls-no-function": [
        piece(0, "call_0", "weather", ""),
        piece(0, None, None, OSLO),
        piece(1, "call_1", "clock", ""),
        piece(1, None, None, CET),
        {"index": 1, "type": "function"},
    ],
    "tool-calls-whole": [piece(0, "call_0", "weather", OSLO), piece(1, "call_1", "clock", CET)],
    "tool-calls-objects": [
        piece(0, "call_0", "weather", {"city": "Oslo"}),
        piece(1, "call_1", "clock", {"tz": "CET"}),
    ],
}


@pytest.mark.parametrize(("name", "pieces"), PIECES.items(), ids=list(PIECES))
def test_pieces_of_tool_calls(emulator: Emulator, name: str, pieces: list[dict[str, Any]]) -> None:
    deltas = deltas_of(speak(emulator, name, TWO_CALLS, stream=True))
    assert [piece for delta in deltas for piece in delta["tool_calls"]] == pieces


def test_whole_answers_have_whole_calls(emulator: Emulator) -> None:
    for name in PIECES:
        (choice,) = speak(emulator, name, TWO_CALLS).json()["choices"]
        calls = choice["message"]["tool_calls"]
        assert [call["id"] for call in calls] == ["call_0", "call_1"]
        expected = [{"city": "Oslo"}, {"tz": "CET"}] if name == "tool-calls-objects" else [OSLO, CET]
        assert [call["function"]["arguments"] for call in calls] == expected
        assert choice["finish_reason"] == "tool_calls"


def test_an_object_can_be_empty(emulator: Emulator) -> None:
    answer = [{"tool_calls": [piece(0, "c", "now", "")]}]
    (delta,) = deltas_of(speak(emulator, "tool-calls-objects", answer, stream=True))
    assert delta["tool_calls"][0]["function"]["arguments"] == {}


def test_finish_reason_stop(emulator: Emulator) -> None:
    assert choices_of(speak(emulator, "tool-calls-finish-stop", TWO_CALLS, stream=True))[-1]["finish_reason"] == "stop"
    (choice,) = speak(emulator, "tool-calls-finish-stop", TWO_CALLS).json()["choices"]
    assert choice["finish_reason"] == "stop"


def test_function_call(emulator: Emulator) -> None:
    first, second, *_ = deltas_of(speak(emulator, "function-call", TWO_CALLS, stream=True))
    assert first == {"function_call": {"name": "weather", "arguments": ""}}
    assert second == {"function_call": {"arguments": OSLO}}
    message = speak(emulator, "function-call", TWO_CALLS).json()["choices"][0]["message"]
    assert (message["function_call"], "tool_calls" in message) == ({"name": "weather", "arguments": OSLO}, False)


def test_thought_signatures_must_come_back(emulator: Emulator) -> None:
    signature = {"google": {"thought_signature": "CtYBAcu98P"}}
    first, *_ = deltas_of(speak(emulator, "gemini-thought-signature", TWO_CALLS, stream=True))
    assert first["tool_calls"][0]["extra_content"] == signature
    message = speak(emulator, "gemini-thought-signature", TWO_CALLS).json()["choices"][0]["message"]
    first, second = message["tool_calls"]
    assert (first["extra_content"], "extra_content" in second) == (signature, False)
    turns = [{"role": "user", "content": "weather?"}, message]
    assert complete(emulator, messages=turns).status_code == 200
    del first["extra_content"]
    refused = complete(emulator, messages=turns)
    assert (refused.status_code, refused.json()[0]["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_reasoning_must_come_back_with_tool_calls(emulator: Emulator) -> None:
    answer = [{"reasoning_content": "I need the tool."}, *TWO_CALLS]
    message = speak(emulator, "deepseek-reasoning-content", answer).json()["choices"][0]["message"]
    turns = [{"role": "user", "content": "weather?"}, message]
    assert complete(emulator, messages=turns).status_code == 200
    del message["reasoning_content"]
    refused = complete(emulator, messages=turns)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].endswith("in the assistant message at message index 1.")
    assert complete(emulator, messages=[{"role": "assistant", "content": "Hi"}]).status_code == 200


def test_two_choices(emulator: Emulator) -> None:
    first, second = speak(emulator, "two-choices", ["Let me see.", *TWO_CALLS]).json()["choices"]
    assert first["message"] == {"role": "assistant", "content": "Let me see."}
    assert [call["id"] for call in second["message"]["tool_calls"]] == ["call_0", "call_1"]
    choices = choices_of(speak(emulator, "two-choices", ["Let me see.", *TWO_CALLS], stream=True))
    assert [choice["index"] for choice in choices] == [0, 1, 1, 1, 1, 0, 1]
    (choice,) = speak(emulator, "two-choices", "Hi").json()["choices"]
    assert choice["message"]["content"] == "Hi"


def test_n_choices_come_interleaved(emulator: Emulator) -> None:
    for answer in ("a b", "c d"):
        emulator.answer(answer)
    choices = choices_of(complete(emulator, stream=True, n=2))
    assert [(choice["index"], choice["delta"].get("content")) for choice in choices] == [
        (1, None),
        (0, "a"),
        (1, "c"),
        (0, " b"),
        (1, " d"),
        (0, None),
        (1, None),
    ]
    for answer in ("a b", "c d"):
        emulator.answer(answer)
    whole = complete(emulator, n=2).json()["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in whole] == [(0, "a b"), (1, "c d")]
