"""Function tools: who allows a call, for how long they may run, and what a conversation keeps of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import (
    AnswerStream,
    Client,
    Conversation,
    DeadlineExceededError,
    Prompt,
    StreamInterruptedError,
    Tool,
    ToolCall,
    ToolDenied,
    TurnsExceededError,
)
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")


from g4f_lite.typed.turn import MAX_THREADS

from .tool_loops import CLOCK, MESSAGES, Clock, Timed, ask, call, loop, results, weather


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

    def test_is_checked_before_a_parallel_call_that_would_wait_for_a_thread(self) -> None:
        clock, ran = Clock(), []

        def slow(n: int) -> None:
            ran.append(n)
            clock.now = 200.0

        provider = Timed([call("slow", n, n=n) for n in range(MAX_THREADS + 1)], "Never.")
        with pytest.raises(DeadlineExceededError):
            loop(provider, [Tool(slow, parallel=True)], clock).text()
        assert sorted(ran) == list(range(MAX_THREADS))

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

    @pytest.mark.parametrize("output", [None, str])
    def test_between_two_turns(self, output: Any) -> None:
        class Closes(Scripted):
            def answer(self, prompt: Prompt) -> AnswerStream:
                if self.calls:
                    stream.close()
                return super().answer(prompt)

        provider = Closes([call("weather", city="Oslo")], "Never.")
        stream = Client(provider).stream("x", tools=[weather], output=output)
        with pytest.raises(StreamInterruptedError):
            list(stream)
        assert len(provider.calls) == 1

    def test_between_two_pieces(self) -> None:
        provider = Scripted(["Let me", " see.", call("weather", city="Oslo")], "Never.")
        stream = Client(provider).stream("x", tools=[weather])
        assert next(stream) == "Let me"
        stream.close()
        assert len(provider.calls) == 1
        with pytest.raises(StreamInterruptedError):
            stream.text()


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


def test_results_of_calls_that_the_caller_runs_are_sent_with_the_calls() -> None:
    provider = Scripted("One.", [call("clock")], "Noon.")
    conversation = Conversation(provider, tools=[CLOCK], max_characters=10)
    conversation.ask("an older question")
    conversation.ask("a long question about the time")
    conversation.ask([{"role": "tool", "tool_call_id": "c0", "content": "12:00"}])
    assert [message["role"] for message in provider.calls[2].messages] == ["user", "assistant", "tool"]
