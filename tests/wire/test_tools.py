"""Functions that a model calls, over the wire: in each dialect of tool calls, and those of a site with AI Engine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4f_lite import AiEngine, Answer, Client, OpenAICompatible, StreamInterruptedError
from g4f_lite.emulator import Emulator

from .conftest import Provide
from .openai_answers import STOP, piece, streamed
from .raw_server import Connection, RawServer

pytest.importorskip("msgspec", reason="the extra typed is not installed")


def weather(city: str) -> str:
    """Get the weather of a city."""
    return f"sunny in {city}"


def clock(tz: str = "UTC") -> str:
    """Get the time."""
    return f"noon in {tz}"


def called(index: int, name: str, arguments: str) -> list[dict[str, Any]]:
    """Write the two pieces of a call."""
    head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
    return [
        {"tool_calls": [head]},
        {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]},
    ]


TWO_CALLS = ["Let me", " see.", *called(0, "weather", '{"city":"Oslo"}'), *called(1, "clock", '{"tz":"CET"}')]
DIALECTS = [
    "tool-calls-one-index",
    "tool-calls-no-index",
    "tool-calls-split-index",
    "tool-calls-empty-strings",
    "tool-calls-repeated",
    "tool-calls-no-id",
    "tool-calls-no-function",
    "tool-calls-whole",
    "tool-calls-objects",
    "tool-calls-finish-stop",
    "gemini-thought-signature",
    "deepseek-reasoning-content",
    "two-choices",
]


def prompts(emulator: Emulator) -> list[dict[str, Any]]:
    return [request.json() for request in emulator.requests if request.step == "prompt"]


def ask(emulator: Emulator, **options: Any) -> Answer:
    with OpenAICompatible(f"{emulator.url}/v1", model="m", retry=None) as provider:
        return Client(provider).ask("weather?", tools=[weather, clock], **options)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_functions_are_called_in_each_dialect(emulator: Emulator, dialect: str) -> None:
    emulator.dialect(dialect)
    emulator.answer([{"reasoning_content": "I need both."}, *TWO_CALLS])
    emulator.answer([*called(0, "clock", "{}"), {"reasoning_content": "Once more."}])
    emulator.answer(["It is", " sunny."])
    answer = ask(emulator)
    assert answer == "Let me see.\n\nIt is sunny."
    first, second, third = prompts(emulator)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["weather", "clock"]
    _, message, *told = second["messages"]
    assert message["content"] == "Let me see."
    assert [
        (each["type"], each["function"]["name"], json.loads(each["function"]["arguments"]))
        for each in message["tool_calls"]
    ] == [("function", "weather", {"city": "Oslo"}), ("function", "clock", {"tz": "CET"})]
    ids = [each["id"] for each in message["tool_calls"]]
    assert all(ids)
    assert told == [
        {"role": "tool", "tool_call_id": ids[0], "content": "sunny in Oslo"},
        {"role": "tool", "tool_call_id": ids[1], "content": "noon in CET"},
    ]
    assert [each["role"] for each in third["messages"]] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert third["messages"][-1]["content"] == "noon in UTC"


def test_the_older_form_calls_one_function_at_a_time(emulator: Emulator) -> None:
    emulator.dialect("function-call")
    emulator.answer(called(0, "weather", '{"city":"Oslo"}'))
    emulator.answer("It is sunny.")
    assert ask(emulator) == "It is sunny."
    assert prompts(emulator)[1]["messages"][1:] == [
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
        {"role": "function", "name": "weather", "content": "sunny in Oslo"},
    ]


def test_an_answer_that_is_not_streamed_calls_functions_too(emulator: Emulator) -> None:
    emulator.answer(TWO_CALLS)
    emulator.answer("It is sunny.")
    assert ask(emulator, stream=False) == "Let me see.\n\nIt is sunny."
    assert ["stream" in body for body in prompts(emulator)] == [False, False]


def test_the_usage_of_all_turns_adds_up(emulator: Emulator) -> None:
    emulator.answer(TWO_CALLS)
    emulator.answer("It is sunny.")
    usage = ask(emulator).usage
    alone = []
    for body in prompts(emulator):
        emulator.answer("x")
        with OpenAICompatible(f"{emulator.url}/v1", model="m", retry=None) as provider:
            alone.append(provider.create(messages=body["messages"]).usage)
    assert usage is not None
    assert None not in alone
    assert usage.prompt_tokens == sum(each.prompt_tokens for each in alone if each)


def test_the_turns_share_one_connection(emulator: Emulator) -> None:
    emulator.answer(TWO_CALLS)
    emulator.answer("It is sunny.")
    ask(emulator)
    assert {request.connection for request in emulator.requests} == {1}


def test_a_function_of_a_site_is_run_here(site: AiEngine, emulator: Emulator) -> None:
    emulator.answer(called(0, "weather", '{"city": "Oslo"}'))
    emulator.answer(called(0, "clock", "{}"))
    emulator.answer("It is sunny.")
    conversation = Client(site).conversation(system="Be brief.", tools=[weather, clock])
    assert conversation.ask("How is the weather in Oslo?") == "It is sunny."
    first, second, third = prompts(emulator)
    assert {each["newMessage"] for each in (first, second, third)} == {"How is the weather in Oslo?"}
    assert "tools" not in first
    assert second["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": 'weather({"city": "Oslo"}) returned: sunny in Oslo'},
    ]
    assert third["messages"][2:] == [{"role": "user", "content": "clock({}) returned: noon in UTC"}]
    assert len({each["chatId"] for each in (first, second, third)}) == 1
    emulator.answer("Bye.")
    conversation.ask("Goodbye.")
    assert [each["content"] for each in prompts(emulator)[3]["messages"][1:]] == [
        "How is the weather in Oslo?",
        'weather({"city": "Oslo"}) returned: sunny in Oslo',
        "clock({}) returned: noon in UTC",
        "It is sunny.",
    ]


def test_a_stream_that_is_cut_in_a_later_turn_keeps_its_text(emulator: Emulator) -> None:
    emulator.answer(TWO_CALLS)
    emulator.answer(["It is", " sunny."])
    emulator.fail("cut", after=1, nth=2)
    with pytest.raises(StreamInterruptedError, match="cut") as caught:
        ask(emulator)
    assert caught.value.partial == "Let me see.\n\nIt is"


def test_closing_wakes_a_later_turn(provide: Provide) -> None:
    def answers(connection: Connection) -> None:
        turns = 0
        while connection.request() is not None:
            turns += 1
            if turns == 1:
                connection.send(streamed(*map(piece, called(0, "weather", '{"city":"Oslo"}')), STOP))
            else:
                stream.close()

    with RawServer(answers) as server:
        stream = Client(provide(server)).stream("weather?", tools=[weather])
        with pytest.raises(Exception, match="closed"):
            stream.text()
