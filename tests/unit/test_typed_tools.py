"""Typed answers after functions have been called for them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from g4f_lite import Client, Conversation, Finish, OutputError, ServiceError, Tool, ToolCallDelta, Usage
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")

from g4f_lite.typed.loop import Loop

from .tool_loops import Clock, Timed


@dataclass
class Report:
    city: str
    sunny: bool


class Schemas(Scripted):
    """A provider that takes a schema, and tools."""

    known_options = frozenset({"response_format", "tools", "tool_choice"})


LOOK = ["Let me see.", ToolCallDelta(0, "c0", "weather", '{"city": "Oslo"}'), Usage(10, 1, 11)]
FITS = ['{"city": "Oslo", ', '"sunny": true}', Usage(20, 2, 22)]
LACKS = ['{"city": "Oslo"}']
REPORT = Report("Oslo", True)
ROLES = ["user", "assistant", "tool", "assistant"]


def weather(city: str) -> str:
    """Get the weather."""
    return f"sunny in {city}"


@pytest.mark.parametrize("provider", [Scripted, Schemas])
def test_the_functions_run_and_the_last_answer_is_the_value(provider: type[Scripted]) -> None:
    asked = provider(LOOK, FITS)
    assert Client(asked).ask("weather?", tools=[weather], output=Report) == REPORT
    first, second = asked.calls
    assert [tool["function"]["name"] for tool in first.options["tools"]] == ["weather"]
    assert ("response_format" in second.options) == (provider is Schemas)
    assert [message["role"] for message in second.messages if message["role"] != "system"] == ROLES[:3]


def test_text_that_may_be_json_is_not_held_back_without_end() -> None:
    pieces = ["x" * 8192] * 20
    stream = Client(Scripted(pieces)).stream("weather?", tools=[weather], output=Report)
    assert sum(map(len, itertools.islice(stream, 2))) < 8192 * 20  # it comes while the answer is not at its end


def test_a_stream_has_snapshots_of_the_last_answer() -> None:
    with Client(Scripted(LOOK, FITS)).stream("weather?", tools=[weather], output=Report) as stream:
        assert list(stream.partials()) == [{"city": "Oslo"}, {"city": "Oslo", "sunny": True}]
        assert stream.output == REPORT
        assert stream.answer.usage == Usage(30, 3, 33)
        assert stream.answer == '{"city": "Oslo", "sunny": true}'


def test_json_before_a_call_is_not_the_answer() -> None:
    guess = ['{"city": "unknown", "sunny": false}', *LOOK[1:]]
    provider = Scripted(guess, "It is sunny.", FITS)
    assert Client(provider).ask("weather?", tools=[weather], output=Report) == REPORT
    assert [message["content"] for message in provider.calls[2].messages[2:5]] == [
        guess[0],
        "sunny in Oslo",
        "It is sunny.",
    ]
    assert Client(Scripted(guess, FITS)).map(["weather?"], tools=[weather], output=Report).outputs() == [REPORT]
    with Client(Scripted(guess, FITS)).stream("weather?", tools=[weather], output=Report) as stream:
        assert (stream.output, stream.answer, stream.answer.usage) == (REPORT, "".join(FITS[:2]), Usage(30, 3, 33))
    with (
        Client(Scripted(['{"value": [1]}', *LOOK[1:]], '{"value": [2]}')).stream(
            "weather?", tools=[weather], output=list[int]
        ) as numbers,
        pytest.raises(OutputError, match="the list that came first is not the value of the whole"),
    ):
        list(numbers.items())


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_results() -> None:
    provider = Scripted(LOOK, LACKS, FITS)
    assert Client(provider).ask("weather?", tools=[weather], output=Report) == REPORT
    *before, wrong, request = provider.calls[2].messages
    assert [message["role"] for message in before if message["role"] != "system"] == ROLES[:3]
    assert wrong == {"role": "assistant", "content": LACKS[0]}
    assert "missing required field `sunny`" in request["content"]
    with pytest.raises(OutputError, match="missing required field `sunny`"):
        Client(Scripted(LOOK, LACKS)).ask("weather?", tools=[weather], output=Report, repairs=0)


def test_waiting_for_leave_takes_no_time_from_the_answers_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    monkeypatch.setitem(Loop.__init__.__kwdefaults__, "clock", clock)

    def approve(call: Any) -> bool:
        return clock.move(3600) > 0

    provider = Timed(LOOK, LACKS, LOOK, LACKS, FITS)
    client = Client(provider)
    assert client.ask("weather?", tools=[weather], output=Report, approve=approve, timeout=10, repairs=2) == REPORT
    assert provider.totals == [10] * 5


@pytest.mark.parametrize("answers", [[LOOK, FITS], [LOOK, LACKS, FITS], [LOOK, [Finish("stop")], FITS]])
def test_a_conversation_keeps_the_calls(answers: list[Any]) -> None:
    conversation = Conversation(Scripted(*answers), tools=[weather])
    assert conversation.ask("weather?", output=Report) == REPORT
    assert [message["role"] for message in conversation.messages] == ROLES
    assert conversation.messages[-1]["content"] == '{"city": "Oslo", "sunny": true}'


def test_a_stream_of_a_conversation_keeps_them_too() -> None:
    conversation = Conversation(Scripted(LOOK, FITS), tools=[weather])
    assert conversation.stream("weather?", output=Report).output == REPORT
    assert [message["role"] for message in conversation.messages] == ROLES


def test_a_call_may_be_forced_once_and_the_value_comes_after_it() -> None:
    provider = Schemas(LOOK, LACKS, FITS)
    Client(provider).ask("weather?", tools=[weather], tool_choice="required", output=Report)
    assert [call.options.get("tool_choice") for call in provider.calls] == ["required", None, None]


def test_a_function_is_not_called_again_where_a_later_turn_is_asked_in_another_way() -> None:
    ran: list[str] = []

    def weather(city: str) -> str:
        ran.append(city)
        return "sunny"

    refused = ServiceError("response_format is not supported together with tool messages", status=400)
    provider = Schemas(LOOK, refused, LACKS, FITS)
    conversation = Conversation(provider, tools=[weather])
    assert conversation.ask("weather?", output=Report) == REPORT
    assert ran == ["Oslo"]
    assert [message["role"] for message in conversation.messages] == ROLES
    assert ["response_format" in call.options for call in provider.calls] == [True, True, False, False]
    with pytest.raises(OutputError) as caught:
        Client(Schemas(LOOK, refused, LACKS)).ask("weather?", tools=[weather], output=Report, repairs=0)
    assert caught.value.usage == Usage(10, 1, 11)


@pytest.mark.parametrize("callback", ["approve", "on_tool"])
def test_an_error_of_the_callers_is_not_taken_for_a_refusal_of_the_service(callback: str) -> None:
    provider = Schemas(LOOK, FITS)

    def ask_another_model(*_: Any) -> bool:
        raise ServiceError("the schema is too large", status=400)

    with pytest.raises(ServiceError, match="the schema is too large"):
        Client(provider).ask("weather?", tools=[weather], output=Report, **{callback: ask_another_model})
    assert len(provider.calls) == 1


def test_a_value_cannot_be_a_call_for_the_caller() -> None:
    clock = {"type": "function", "function": {"name": "clock"}}
    provider = Scripted(LOOK, [ToolCallDelta(0, "c1", "clock", "{}")])
    with pytest.raises(
        OutputError, match="the model calls 'clock', which is not run here, as the tool is a dict"
    ) as caught:
        Client(provider).ask("x", tools=[clock, weather], output=Report)
    assert len(provider.calls) == 2
    assert caught.value.usage == Usage(10, 1, 11)


class Place(NamedTuple):
    city: str
    country: str = "Norway"


def test_parameters_have_all_types_that_answers_have() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Stay(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        nights: int = pydantic.Field(ge=1)

    def book(place, stay):  # type: ignore[no-untyped-def]
        return f"{place!r}, {stay!r}"

    book.__annotations__ = {"place": Place, "stay": Stay}
    arguments = '{"place": {"city": "Oslo"}, "stay": {"nights": "2"}}'
    wrong = '{"place": {"city": "Oslo"}, "stay": {"nights": 0}}'
    calls = [ToolCallDelta(0, "a", "book", arguments), ToolCallDelta(1, "b", "book", wrong)]
    provider = Scripted([*calls, Finish("tool_calls")], "Booked.")
    Client(provider).ask("x", tools=[book])
    booked, refused = (message["content"] for message in provider.calls[1].messages[2:])
    assert booked == "Place(city='Oslo', country='Norway'), Stay(nights=2)"
    assert refused.startswith(
        "ValueError: the argument 'stay' does not fit: Input should be greater than or equal to 1"
    )
    schema = Tool(book).declaration()["function"]["parameters"]
    assert schema["$defs"]["Place"]["required"] == ["city"]
    assert schema["properties"]["stay"]["properties"]["nights"]["minimum"] == 1
