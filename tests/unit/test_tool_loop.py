"""How functions are called for a model: in which order, by whose leave, for how long, and what the model is told."""

from __future__ import annotations

import contextvars
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from g4f_lite import (
    Answer,
    AnswerStream,
    Attached,
    Client,
    Conversation,
    DeadlineExceededError,
    Finish,
    Identity,
    Prompt,
    RateLimitError,
    Reasoning,
    StreamInterruptedError,
    Timeout,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolDenied,
    TurnsExceededError,
    Usage,
)
from g4f_lite.answers.deltas import Delta
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")

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


class Strange(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (KeyError("Oslo"), "KeyError: 'Oslo'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (Strange(), "Strange"),
        (RuntimeError("refused: Bearer abcdef123456"), "RuntimeError: refused: Bearer ***"),
        (RuntimeError("http://x/?api_key=verysecret"), "RuntimeError: http://x/?api_key=***"),
        (RuntimeError("sent my-extra-key-12"), "RuntimeError: sent ***"),
        (RuntimeError("red \x1b[31m"), "RuntimeError: red \ufffd[31m"),
        (RuntimeError("x" * 9_999), "RuntimeError: " + "x" * 1_986),
        (RateLimitError("slow down", provider="Other"), "RateLimitError: Other: slow down"),
        (ToolDenied("only for members"), "ToolDenied: only for members"),
    ],
)
def test_the_model_is_told_the_class_and_the_scrubbed_message_of_an_exception(error: Exception, told: str) -> None:
    def fails(city: str) -> str:
        raise error

    seen: list[Any] = []
    provider = Scripted([call("fails", city="Oslo")], "It failed.")
    options = {"extra_headers": {"X-Key": "my-extra-key-12"}}
    assert ask(provider, [fails], on_tool=lambda call, result: seen.append(result), **options) == "It failed."
    assert results(provider) == [told]
    assert seen == [error]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("parallel", [False, True])
def test_what_ends_a_program_is_no_result(error: BaseException, parallel: bool) -> None:
    def fails(n: int) -> str:
        raise error

    provider = Scripted([call("fails", 0, n=1), call("fails", 1, n=2)], "Never.")
    with pytest.raises(type(error)):
        ask(provider, [Tool(fails, parallel=parallel)])
    assert len(provider.calls) == 1


class Model:
    def model_dump(self) -> dict[str, Any]:
        return {"a": 1}


class Array:
    def tolist(self) -> list[int]:
        return [1, 2]


class Other:
    def __repr__(self) -> str:
        return "another thing"


class Evil:
    def model_dump(self) -> None:
        raise KeyError("no")


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("text", "text"),
        ("", ""),
        (Answer("an answer", provider="x"), "an answer"),
        ("\ud83d", "\ufffd"),
        (None, "null"),
        (3, "3"),
        (1.5, "1.5"),
        ({"a": [1, "å"]}, '{"a":[1,"å"]}'),
        ((1, 2), "[1,2]"),
        ({"a": Model(), "b": Array()}, '{"a":{"a":1},"b":[1,2]}'),
        (ToolCall("a", "f", "{}"), '{"id":"a","name":"f","arguments":"{}","type":"function","extra":{}}'),
        ({"a": Other()}, '{"a":"another thing"}'),
        (2**70, "1180591620717411303424"),
        (ENDLESS, "[[...]]"),
        ((n for n in "ab"), '["a","b"]'),
        (Evil(), "KeyError: 'no'"),
    ],
)  # fmt: skip
def test_a_result_is_told_as_text(result: Any, told: str) -> None:
    provider = Scripted([call("get")], "Done.")
    ask(provider, [Tool(lambda: result, name="get")])
    assert results(provider) == [told]


async def later() -> str:
    return "later"


def test_a_result_that_would_have_to_be_awaited_is_an_error() -> None:
    provider = Scripted([call("get")], "Done.")
    ask(provider, [Tool(lambda: later(), name="get")])
    assert results(provider) == ["TypeError: the tool returned something to await, and tools are called synchronously"]


@pytest.mark.parametrize(
    ("delta", "told", "sent_back"),
    [
        (call("weather"), "ValueError: the argument 'city' is missing", "{}"),
        (call("weather", city=[3]), "ValueError: the argument 'city' does not fit: Expected `str`, got `array`",
         '{"city": [3]}'),
        (call("weather", town="Oslo"), "ValueError: there is no parameter 'town'; the parameters are: city",
         '{"town": "Oslo"}'),
        (call("whether", city="Oslo"), "LookupError: there is no tool 'whether'; the tools are: weather",
         '{"city": "Oslo"}'),
        (ToolCallDelta(0, "c0", "weather", '{"city": "Os'), "NotJsonError: expected arguments in JSON, got", "{}"),
        (ToolCallDelta(0, "c0", "weather", "[1]"), "NotJsonError: expected a JSON object as the arguments", "{}"),
        (ToolCallDelta(0, "c0", "weather", ""), "ValueError: the argument 'city' is missing", "{}"),
        (ToolCallDelta(0, "c0", None, "{}"), "LookupError: there is no tool ''", "{}"),
        (ToolCallDelta(0, "c0", "weather", '"{\\"town\\": 1}"'), "ValueError: there is no parameter", '{"town": 1}'),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_goes_to_the_model_as_an_error(delta: Delta, told: str, sent_back: str) -> None:
    asked: list[ToolCall] = []
    provider = Scripted([delta], [call("weather", city="Oslo")], "Sunny.")
    assert ask(provider, [weather], approve=lambda call: asked.append(call) is None) == "Sunny."
    assert results(provider, 1)[0].startswith(told)
    assert provider.calls[1].messages[1]["tool_calls"][0]["function"]["arguments"] == sent_back
    assert [each.args for each in asked] == [{"city": "Oslo"}]  # nobody is asked about what cannot run


def test_a_call_without_arguments_needs_none() -> None:
    provider = Scripted([ToolCallDelta(0, "c0", "now", "")], "Noon.")
    ask(provider, [Tool(lambda: "12:00", name="now")])
    assert results(provider) == ["12:00"]


@pytest.mark.parametrize("ids", [(None, None), ("", ""), ("same", "same")])
def test_each_call_gets_an_id_of_its_own(ids: tuple[str | None, str | None]) -> None:
    provider = Scripted([call("weather", i, ids[i], city="ab"[i]) for i in (0, 1)], "Sunny.")
    ask(provider, [weather])
    _, message, *told = provider.calls[1].messages
    sent = [each["id"] for each in message["tool_calls"]]
    assert [each["tool_call_id"] for each in told] == sent
    assert len(set(sent)) == 2
    assert all(sent)
    assert [each["content"] for each in told] == ["sunny in a", "sunny in b"]


class TestApprove:
    def test_is_asked_for_each_call_before_any_of_them_runs(self) -> None:
        log: list[str] = []

        def note(n: int) -> None:
            log.append(f"run {n}")

        def approve(call: ToolCall) -> bool:
            log.append(f"may {call.name} {call.args['n']} run?")
            return True

        ask(Scripted([call("note", 0, n=1), call("note", 1, n=2)], "Done."), [note], approve=approve)
        assert log == ["may note 1 run?", "may note 2 run?", "run 1", "run 2"]

    @pytest.mark.parametrize("verdict", [False, None, 1, "yes", [True]])
    def test_nothing_but_true_allows_a_call(self, verdict: Any) -> None:
        ran: list[str] = []
        seen: list[Any] = []
        provider = Scripted([call("weather", 0, city="Oslo"), call("weather", 1, city="Rome")], "Done.")

        def weather(city: str) -> str:
            ran.append(city)
            return "sunny"

        def approve(call: ToolCall) -> Any:
            return call.args["city"] == "Rome" or verdict

        answer = ask(provider, [weather], approve=approve, on_tool=lambda call, result: seen.append(result))
        assert answer == "Done."
        assert ran == ["Rome"]
        assert results(provider) == ["ToolDenied: the user did not allow this call", "sunny"]
        assert isinstance(seen[0], ToolDenied)

    def test_may_say_why_not(self) -> None:
        def approve(call: ToolCall) -> bool:
            raise ToolDenied("ask me again tomorrow")

        provider = Scripted([call("weather", city="Oslo")], "Done.")
        ask(provider, [Tool(weather, parallel=True)], approve=approve)
        assert results(provider) == ["ToolDenied: ask me again tomorrow"]

    def test_an_exception_ends_the_call(self) -> None:
        def approve(call: ToolCall) -> bool:
            raise EOFError

        provider = Scripted([call("weather", city="Oslo")], "Done.")
        with pytest.raises(EOFError):
            ask(provider, [weather], approve=approve)
        assert len(provider.calls) == 1


async def async_approve(call: ToolCall) -> bool:
    return True


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"approve": "yes"}, TypeError, "approve must be a function, not str"),
        ({"approve": async_approve}, TypeError, "approve must not be an async function"),
        ({"on_tool": 3}, TypeError, "on_tool must be a function, not int"),
        ({"max_turns": 0}, ValueError, "max_turns must be at least 1, not 0"),
        ({"max_turns": 1.5}, TypeError, "max_turns must be a whole number, not float"),
        ({"max_turns": True}, TypeError, "max_turns must be a whole number, not bool"),
    ],
)
def test_bad_settings_are_refused_at_the_call(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Client(Scripted()).stream("x", tools=[weather], **options)
    if "on_tool" not in options:
        with pytest.raises(error, match=message):
            Conversation(Scripted(), tools=[weather], **options)


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


CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}


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


class TestTime:
    def test_is_checked_between_tools(self) -> None:
        clock, ran = Clock(), []

        def slow(seconds: float) -> None:
            ran.append(clock.move(seconds))

        provider = Timed([call("slow", i, seconds=6) for i in range(3)], "Never.")
        with pytest.raises(DeadlineExceededError, match="the total time limit of 10 s passed, in which") as caught:
            loop(provider, [slow], clock).text()
        assert ran == [6, 6]
        assert caught.value.limit == "total"
        assert len(provider.calls) == 1

    def test_a_later_turn_gets_what_is_left(self) -> None:
        clock = Clock()
        provider = Timed([call("slow", seconds=4)], [call("slow", seconds=5)], "Done.")
        assert loop(provider, [Tool(clock.move, name="slow")], clock).text() == "Done."
        assert provider.totals == [None, 6, 1]

    def test_without_a_limit_there_is_none(self) -> None:
        clock = Clock()
        provider = Timed([call("slow", seconds=4e9)], "Done.")
        assert loop(provider, [Tool(clock.move, name="slow")], clock, None).text() == "Done."
        assert provider.totals == [None, None]

    def test_waiting_for_leave_does_not_count(self) -> None:
        clock = Clock()

        def approve(call: ToolCall) -> bool:
            return clock.move(3600) > 0

        provider = Timed([call("slow", seconds=4)], "Done.")
        asked = loop(provider, [Tool(clock.move, name="slow")], clock, approve=approve)
        assert asked.text() == "Done."
        assert provider.totals == [None, 6]

    def test_an_error_names_the_limit_of_the_whole(self) -> None:
        clock = Clock()
        late = DeadlineExceededError("the total time limit of 6 s passed", limit="total")
        provider = Timed([call("slow", seconds=4)], late)
        with pytest.raises(DeadlineExceededError, match="the total time limit of 10 s passed"):
            loop(provider, [Tool(clock.move, name="slow")], clock).text()

    def test_the_first_turn_has_the_limits_of_the_call(self) -> None:
        provider = Timed([call("weather", city="Oslo")], "Sunny.")
        Client(provider).ask("x", tools=[weather], timeout=5)
        assert provider.totals[0] == 5
        assert 0 < (provider.totals[1] or 0) <= 5
        Client(provider, timeout=7).stream("x", tools=[weather])


class TestClose:
    def test_from_another_thread_while_a_tool_runs(self) -> None:
        provider = Scripted([call("closes", 0), call("never", 1)], "Never.")
        ran: list[str] = []

        def closes() -> str:
            thread = threading.Thread(target=stream.close)
            thread.start()
            thread.join()
            return "closed"

        stream = Client(provider).stream("x", tools=[closes, Tool(lambda: ran.append("x"), name="never")])
        with pytest.raises(StreamInterruptedError):
            stream.text()
        assert ran == []
        assert len(provider.calls) == 1

    def test_between_two_pieces(self) -> None:
        provider = Scripted(["Let me", " see.", call("weather", city="Oslo")], "Never.")
        stream = Client(provider).stream("x", tools=[weather])
        assert next(stream) == "Let me"
        stream.close()
        assert len(provider.calls) == 1
        with pytest.raises(StreamInterruptedError):
            stream.text()


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

Talk = Callable[[Scripted], Conversation]


@pytest.mark.parametrize(
    "talk",
    [
        lambda provider: Client(provider).conversation(tools=[weather]),
        lambda provider: Conversation(provider, tools=iter([weather])),
    ],
)
class TestConversation:
    def test_one_loop_is_one_turn(self, talk: Talk) -> None:
        provider = Scripted(["Let me see.", call("weather", city="Oslo")], "Sunny.", "Bye.")
        conversation = talk(provider)
        assert conversation.ask("weather?") == "Let me see.\n\nSunny."
        assert conversation.messages == MESSAGES
        assert conversation.ask("Goodbye.") == "Bye."
        assert provider.calls[2].messages == [*MESSAGES, {"role": "user", "content": "Goodbye."}]

    def test_a_turn_that_fails_leaves_the_history_alone(self, talk: Talk) -> None:
        conversation = talk(Scripted(*[["So far.", call("weather", city="Oslo")]] * 2))
        with pytest.raises(TurnsExceededError):
            conversation.ask("weather?", max_turns=2)
        assert conversation.messages == []

    def test_a_turn_may_have_other_tools(self, talk: Talk) -> None:
        provider = Scripted("No tools.", [call("clock", id="a")], "Noon.")
        conversation = talk(provider)
        conversation.ask("x", tools=[])
        conversation.ask("x", tools=[Tool(lambda: "12:00", name="clock")])
        names = [[tool["function"]["name"] for tool in each.options["tools"]] for each in provider.calls]
        assert names == [[], ["clock"], ["clock"]]

    def test_a_file_keeps_the_calls(self, talk: Talk, tmp_path: Any) -> None:
        conversation = talk(Scripted(["Let me see.", call("weather", city="Oslo")], "Sunny."))
        conversation.ask("weather?")
        loaded = Conversation.load(
            conversation.save(tmp_path / "talk.json"), Scripted([call("weather", city="Rome")], "Hm."), tools=[weather]
        )
        assert loaded.messages == MESSAGES
        assert loaded.ask("And Rome?") == "Hm."

    def test_a_call_for_the_caller_ends_the_turn(self, talk: Talk) -> None:
        provider = Scripted([call("weather", city="Oslo")], [call("clock", id="d")], "Noon.")
        conversation = talk(provider)
        assert conversation.ask("x", tools=[weather, CLOCK]).tool_calls == [ToolCall("d", "clock", "{}")]
        assert [message["role"] for message in conversation.messages] == ["user", "assistant", "tool", "assistant"]
        told = [{"role": "tool", "tool_call_id": "d", "content": "12:00"}]
        assert conversation.ask(told) == "Noon."  # type: ignore[arg-type]


def test_a_conversation_asks_for_leave_as_it_was_told() -> None:
    provider = Scripted(*[[call("weather", city="Oslo")], "Done."] * 2)
    conversation = Conversation(provider, tools=[weather], approve=lambda call: False, max_turns=2)
    conversation.ask("x")
    conversation.ask("x", approve=lambda call: True)
    assert results(provider, 3) == ["ToolDenied: the user did not allow this call", "sunny in Oslo"]


def test_a_limit_of_characters_holds_for_the_history_alone() -> None:
    provider = Scripted("One.", [call("weather", city="Oslo")], "Sunny.")
    conversation = Conversation(provider, tools=[weather], max_characters=10)
    conversation.ask("a long question")
    conversation.ask("weather?")
    assert [message["role"] for message in provider.calls[2].messages] == ["user", "assistant", "tool"]
