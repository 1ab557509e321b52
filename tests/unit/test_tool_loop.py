"""How functions are called for a model: in which order, how often, and what the caller gets."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite import (
    Attached,
    BaseProvider,
    Client,
    Delta,
    Finish,
    Identity,
    Prompt,
    RateLimitError,
    Reasoning,
    ResponseFormatError,
    StreamInterruptedError,
    Tool,
    ToolCallDelta,
    TurnsExceededError,
    Usage,
)
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")

from g4f_lite.typed.loop import ToolUse
from g4f_lite.typed.tools import Toolbox

from .tool_loops import CLOCK, MESSAGES, ask, call, results, weather


def test_a_model_gets_what_the_function_returns() -> None:
    provider = Scripted([call("weather", city="Oslo"), Finish("tool_calls")], "It is sunny.")
    assert ask(provider, [weather], temperature=0) == "It is sunny."
    first, second = provider.calls
    assert [tool["function"]["name"] for tool in first.options["tools"]] == ["weather"]
    assert second.options == first.options
    assert second.messages == [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c0", "content": "sunny in Oslo"},
    ]


def test_a_stream_shows_the_text_of_every_turn_as_it_comes() -> None:
    log: list[str] = []

    def logged(city: str) -> str:
        log.append(f"called for {city}")
        return "sunny"

    provider = Scripted(["Let me", " see.", call("logged", city="Oslo")], ["It is", " sunny."])
    for piece in Client(provider).stream("weather?", tools=[logged]):
        log.append(str(piece))
    assert log == ["Let me", " see.", "called for Oslo", "\n\n", "It is", " sunny."]


def test_there_is_one_stream_with_everything_in_it() -> None:
    provider = Scripted(
        [Identity(id="1"), Reasoning("Hm. "), "\n", call("weather", city="Oslo"), Usage(10, 2, 12, 5), Finish()],
        [Identity(id="2"), Reasoning("Aha."), "Sunny.", Usage(20, 3, 23, None, 1), Finish("length")],
        model="m",
    )
    stream = Client(provider).stream("weather?", tools=[weather])
    deltas = list(stream.deltas())
    assert [delta for delta in deltas if isinstance(delta, (ToolCallDelta, Finish))] == [Finish("stop")]
    answer = stream.text()
    assert answer == "\nSunny."  # blanks are no text that needs a gap after it
    assert answer.reasoning == "Hm. Aha."
    assert answer.usage == Usage(30, 5, 35, 5, 1)
    assert answer.tool_calls == []
    assert (answer.provider, answer.model) == ("Scripted", "m")
    assert stream.identity == Identity(id="2")


def test_a_stream_has_the_messages_for_a_history() -> None:
    provider = Scripted(["Let me see.", call("weather", city="Oslo")], "Sunny.", "Plain.")
    stream = Client(provider).stream("weather?", tools=[weather])
    stream.text()
    assert stream.messages == MESSAGES[1:]
    plain = Client(provider).stream("x")
    plain.text()
    assert plain.messages == [{"role": "assistant", "content": "Plain."}]


@pytest.mark.parametrize(
    ("turns", "pieces"),
    [
        ([["Let me", " see.", call("weather", city="Oslo")], ['{"a"', ": 1}"]], ['{"a"', ": 1}"]),
        ([["\n", ' {"a"', ": 1}"]], ['\n {"a"', ": 1}"]),
        ([["It is", " sunny."]], ["It is sunny."]),
        ([["Let me see.", call("weather", city="Oslo")], ["Sure: ", '{"a": 1}']], ['Sure: {"a": 1}']),
    ],
)
def test_text_before_a_call_is_no_part_of_json(turns: Any, pieces: list[str]) -> None:
    provider = Scripted(*turns)
    toolbox = Toolbox.of([weather])
    answer = ToolUse(toolbox).around(provider.answer, None, json=True)
    assert list(answer(Prompt.of(None, "x", tools=toolbox.declared))) == pieces


def test_start_waits_for_the_first_delta() -> None:
    provider = Scripted([call("weather", city="Oslo")], "Sunny.")
    with Client(provider).stream("weather?", tools=[weather]).start() as stream:
        assert len(provider.calls) == 2
        assert stream.text() == "Sunny."


def test_nothing_is_sent_before_the_stream_is_read() -> None:
    provider = Scripted([call("weather", city="Oslo")], "Sunny.")
    stream = Client(provider).stream("weather?", tools=[weather])
    assert provider.calls == []
    stream.close()
    with pytest.raises(StreamInterruptedError):
        stream.text()
    assert provider.calls == []


def test_calls_run_one_after_the_other_in_this_thread() -> None:
    log: list[Any] = []

    def note(n: int) -> int:
        log.append((n, threading.current_thread()))
        return n

    provider = Scripted([call("note", 0, n=1), call("note", 1, n=2), call("note", 2, n=3)], "Done.")
    ask(provider, [note], on_tool=lambda call, result: log.append(("result", result)))
    here = threading.current_thread()
    assert log == [(1, here), ("result", 1), (2, here), ("result", 2), (3, here), ("result", 3)]
    assert results(provider) == ["1", "2", "3"]


def test_parallel_calls_run_at_the_same_time_and_see_the_context() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    both = threading.Barrier(2, timeout=10)
    log: list[Any] = []

    def meet(n: int) -> str:
        both.wait()
        assert threading.current_thread() is not here
        seen = variable.get()
        variable.set(f"changed by {n}")
        return f"{n} {seen}"

    def alone(n: int) -> str:
        assert threading.current_thread() is here
        log.append("alone")
        return variable.get()

    here = threading.current_thread()
    provider = Scripted([call("meet", 0, n=1), call("meet", 1, n=2), call("alone", 2, n=3)], "Done.")
    ask(provider, [Tool(meet, parallel=True), alone], on_tool=lambda call, result: log.append(result))
    assert results(provider) == ["1 set", "2 set", "set"]
    assert log == ["1 set", "2 set", "alone", "set"]


def test_an_exception_of_one_parallel_call_is_its_result() -> None:
    def half(n: int) -> int:
        if n % 2:
            raise ValueError(f"{n} is odd")
        return n // 2

    provider = Scripted([call("half", index, n=index) for index in range(3)], "Done.")
    ask(provider, [Tool(half, parallel=True)])
    assert results(provider) == ["0", "ValueError: 1 is odd", "1"]


def test_max_turns_counts_the_answers_of_the_model() -> None:
    ran: list[str] = []

    def note(city: str) -> str:
        ran.append(city)
        return city

    provider = Scripted(*[[f"Turn {n}.", call("note", city=str(n)), Usage(1, 1, 2)] for n in range(1, 6)])
    with pytest.raises(TurnsExceededError, match=r"still called tools in answer 3 of max_turns=3") as caught:
        ask(provider, [note], max_turns=3)
    assert len(provider.calls) == 3
    assert ran == ["1", "2"]
    messages = caught.value.messages
    assert [message["role"] for message in messages] == ["user", *["assistant", "tool"] * 2, "assistant"]
    assert messages[-1]["tool_calls"][0]["function"]["arguments"] == '{"city": "3"}'
    assert caught.value.provider == "Scripted"


def test_the_last_turn_may_answer() -> None:
    provider = Scripted([call("weather", city="Oslo")], "Sunny.")
    assert ask(provider, [weather], max_turns=2) == "Sunny."
    with pytest.raises(TurnsExceededError):
        ask(Scripted([call("weather", city="Oslo")]), [weather], max_turns=1)


def test_a_turn_that_calls_a_tool_given_as_a_dict_returns_before_anything_runs() -> None:
    ran: list[str] = []

    def note(city: str) -> str:
        ran.append(city)
        return "sunny"

    calls = [call("note", 0, city="Rome"), Attached({"a": 1}), call("clock", 1)]
    provider = Scripted([call("note", city="Oslo")], [*calls, Finish("tool_calls")])
    answer = ask(provider, [CLOCK, note])
    assert [tool["function"]["name"] for tool in provider.calls[0].options["tools"]] == ["clock", "note"]
    assert ran == ["Oslo"]
    assert [each.name for each in answer.tool_calls] == ["note", "clock"]
    assert answer.message_fields == {"a": 1}


@pytest.mark.parametrize("tools", [[], [CLOCK], (CLOCK,)])
def test_dicts_alone_need_no_package(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "g4f_lite.typed.signature", None)  # for which a package is needed
    provider = Scripted([call("clock")])
    assert [each.name for each in ask(provider, tools, max_turns=1).tool_calls] == ["clock"]
    assert provider.calls[0].options == {"tools": list(tools)}


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "g4f_lite.typed.signature")
    monkeypatch.setitem(sys.modules, "docstring_parser", None)
    with pytest.raises(ImportError, match=r'docstring_parser: pip install "g4f-lite\[typed\]"'):
        Client(Scripted()).stream("x", tools=[weather])


@pytest.mark.parametrize(
    ("choice", "second"),
    [("required", None), ({"type": "function", "function": {"name": "weather"}}, None), ("auto", "auto")],
)
def test_a_call_is_forced_once(choice: Any, second: Any) -> None:
    provider = Scripted([call("weather", city="Oslo")], "Sunny.")
    ask(provider, [weather], tool_choice=choice)
    assert [call.options.get("tool_choice") for call in provider.calls] == [choice, second]


def test_an_error_of_a_later_turn_has_the_text_so_far() -> None:
    provider = Scripted(["Let me see.", call("weather", city="Oslo")], ["It is", RateLimitError("slow down")])
    with pytest.raises(RateLimitError) as caught:
        ask(provider, [weather])
    assert caught.value.partial == "Let me see.\n\nIt is"


def test_the_older_form_of_a_call_is_answered_in_its_form() -> None:
    provider = Scripted([ToolCallDelta(0, None, "weather", '{"city": "Oslo"}', "function_call")], "Sunny.")
    ask(provider, [weather])
    assert provider.calls[1].messages[1:] == [
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"role": "function", "name": "weather", "content": "sunny in Oslo"},
    ]


def test_calls_that_never_end_are_not_kept_for_ever() -> None:
    class Endless(BaseProvider):
        known_options = frozenset({"tools"})

        def begin(self, prompt: Prompt) -> Iterator[Delta]:
            while True:
                yield ToolCallDelta(0, "1", "weather", "x" * 100_000)

    with pytest.raises(ResponseFormatError, match="calls of tools are longer than an answer may be"):
        Client(Endless()).ask("x", tools=[weather])
