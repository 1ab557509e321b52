"""The ways to ask for a value, and which one a service gets."""

from __future__ import annotations

import pytest

from g4f_lite import (
    Client,
    DeadlineExceededError,
    Fallback,
    Finish,
    OutputTruncatedError,
    RateLimitError,
    ServiceError,
    StreamInterruptedError,
    Timeout,
)
from g4f_lite.testing import Scripted

from .services import Plain
from .typed_providers import ADA, REFUSED, TEXT, EndsCalls, Formats, Reads, Tools, call, sent
from .typed_types import Even, Person


def test_a_service_that_shows_the_schema_gets_it_once():
    provider = Reads(TEXT)
    assert Client(provider).ask("Who?", output=Person) == ADA
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    inner = {"name": "Person", "schema": schema, "strict": True}
    assert provider.calls[0].options == {"response_format": {"type": "json_schema", "json_schema": inner}}
    assert sent(provider) == ["Who?"]


def test_other_services_get_the_schema_in_the_prompt_too():
    provider = Formats(TEXT)
    assert Client(provider).ask("Who?", output=Person, system="Be brief.") == ADA
    system, user = sent(provider)
    assert system.startswith("Be brief.\n\nAnswer with JSON")
    assert '"required": ["name", "age"]' in system
    assert user == "Who?"
    assert provider.calls[0].options["response_format"]["json_schema"]["strict"] is True


def test_a_schema_without_a_strict_form_is_sent_as_it_is():
    provider = Reads('{"a": 1}')
    assert Client(provider).ask("x", output=dict[str, int]) == {"a": 1}
    inner = provider.calls[0].options["response_format"]["json_schema"]
    assert inner == {
        "name": "dict",
        "schema": {"type": "object", "additionalProperties": {"type": "integer"}},
        "strict": False,
    }


def test_a_service_with_tools_only_calls_one():
    provider = Tools(["Let me see. ", *call('{"name": "Ada",', ' "age": 36}'), Finish("tool_calls")])
    completion = Client(provider).chat.completions.parse("Who?", response_format=Person)
    choice = completion.choices[0]
    assert choice.message.parsed == ADA
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == (TEXT, None, "stop")
    options = provider.calls[0].options
    assert options["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    assert options["tools"][0]["function"]["parameters"]["required"] == ["name", "age"]
    assert sent(provider) == ["Who?"]


def test_a_call_that_is_cut_says_so():
    provider = EndsCalls([*call('{"name": "Ad'), Finish("length")], [*call(TEXT), Finish("tool_calls")])
    with pytest.raises(OutputTruncatedError):
        Client(provider).ask("Who?", output=Person)
    completion = Client(provider).chat.completions.parse("Who?", response_format=Person)
    assert completion.choices[0].finish_reason == "stop"


def test_a_model_that_writes_in_place_of_a_call_is_read_as_well():
    assert Client(Tools(f"It is {TEXT}.")).ask("Who?", output=Person) == ADA


def test_a_callers_own_tools_leave_no_place_for_another():
    provider = Tools(TEXT)
    tool = {"type": "function", "function": {"name": "f"}}
    assert Client(provider).ask("Who?", output=Person, tools=[tool]) == ADA
    assert provider.calls[0].options == {"tools": [tool]}
    assert "JSON schema" in sent(provider)[0]


@pytest.mark.parametrize("kind", [Plain, Scripted])
def test_without_either_the_schema_is_in_the_prompt(kind):
    provider = kind(TEXT)
    assert Client(provider).ask("Who?", output=Person) == ADA
    assert provider.calls[0].options == {}
    assert "JSON schema" in sent(provider)[0]


REFUSED_TOOLS = ServiceError("this model does not support tools", status=400)


def test_what_a_service_refuses_is_asked_for_in_the_next_way_and_remembered():
    provider = Formats(REFUSED, REFUSED_TOOLS, TEXT, TEXT, TEXT)
    client = Client(provider)
    assert client.ask("Who?", output=Person) == ADA
    assert client.ask("Who?", output=Person) == ADA
    ways = [{"response_format"}, {"tools", "tool_choice"}, set(), set()]
    assert [set(call.options) for call in provider.calls] == ways
    assert client.ask("Who?", output=Person, model="another") == ADA
    assert set(provider.calls[-1].options) == {"response_format"}
    fresh = Formats(TEXT)
    assert Client(fresh).ask("Who?", output=Person) == ADA
    assert set(fresh.calls[0].options) == {"response_format"}


def test_the_limit_of_a_call_holds_for_all_ways_of_asking(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    limits = []

    class Slow(Formats):
        def begin(self, prompt):
            limits.append(prompt.timeout.total)
            now[0] += 40
            return super().begin(prompt)

    late = DeadlineExceededError("the total time limit of 20 s passed", limit="total")
    with pytest.raises(DeadlineExceededError, match=r"limit of 100 s passed .* had refused another way of asking"):
        Client(Slow(REFUSED, REFUSED_TOOLS, late), timeout=Timeout(total=100)).ask("Who?", output=Person)
    with pytest.raises(ServiceError):
        Client(Slow(REFUSED, TEXT), timeout=Timeout(total=40)).ask("Who?", output=Person)
    assert limits == [100, 60, 20, 40]


def test_a_stream_that_is_closed_is_not_asked_in_the_next_way():
    class Closes(Formats):
        def answer(self, prompt):
            if self.calls:
                stream.close()
            return super().answer(prompt)

    provider = Closes(REFUSED, TEXT)
    stream = Client(provider).stream("Who?", output=Person)
    with pytest.raises(StreamInterruptedError):
        stream.start()
    assert len(provider.calls) == 1


def test_a_schema_that_is_refused_says_nothing_of_another():
    refused = ServiceError("Invalid schema for response_format 'Person': 'pattern' is not permitted", status=400)
    provider = Formats(refused, call(TEXT), call(TEXT), '{"number": 2}')
    client = Client(provider)
    assert client.ask("Who?", output=Person) == ADA
    assert client.ask("Who?", output=Person) == ADA
    assert client.ask("Which?", output=Even).number == 2
    ways = [each.options.keys() & {"response_format", "tools"} for each in provider.calls]
    assert ways == [{"response_format"}, {"tools"}, {"tools"}, {"response_format"}]


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("the prompt is too long", status=400),
        RateLimitError("no more response_format today", status=429),
        ServiceError("response_format failed", status=500),
    ],
)
def test_other_errors_are_raised(error):
    provider = Formats(error, TEXT)
    with pytest.raises(type(error)):
        Client(provider).ask("Who?", output=Person)
    assert len(provider.calls) == 1


def test_a_chain_in_which_all_refuse_is_asked_in_the_next_way():
    first, second = Formats(REFUSED, call(TEXT)), Formats(REFUSED)
    assert Client(Fallback([first, second])).ask("Who?", output=Person) == ADA
    assert [len(first.calls), len(second.calls)] == [2, 1]


def test_a_chain_is_shown_the_schema_unless_all_of_its_members_read_it():
    for members, shown in (([Reads(TEXT), Reads()], False), ([Reads(TEXT), Formats()], True)):
        chain = Fallback(members)
        assert Client(chain).ask("Who?", output=Person) == ADA
        assert ("JSON schema" in sent(members[0])[0]) is shown
        members[0].queue(TEXT)
        assert Client(chain).conversation().ask("Who?", output=Person) == ADA
        assert ("JSON schema" in sent(members[0])[0]) is shown


def test_a_provider_that_cannot_be_hashed_can_be_asked():
    class Equal(Formats):
        __hash__ = None

    provider = Equal(REFUSED, call(TEXT))
    assert Client(provider).ask("Who?", output=Person) == ADA


def test_an_option_that_is_not_known_is_told_at_the_call():
    with pytest.raises(TypeError, match="temperature"):
        Client(Plain(TEXT)).stream("x", output=Person, temperature=0)
