"""Asking for a value: the repairs, the errors, and what a conversation keeps."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from typing import Annotated, Literal, Optional

import pytest

import g4f_lite
from g4f_lite import (
    Client,
    Conversation,
    DeadlineExceededError,
    EmptyResponseError,
    Finish,
    MissingDependencyError,
    OutputError,
    OutputTruncatedError,
    Reasoning,
    Refusal,
    RefusalError,
    ResponseFormatError,
    Timeout,
    Usage,
)
from g4f_lite.providers import selection
from g4f_lite.testing import Scripted

from .services import Plain
from .typed_providers import ADA, TEXT, WRONG, Ends, Reads, Tools, call, sent
from .typed_types import Color, Even, Person, Pet

# Repairs.


def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_was_wrong():
    provider = Reads(WRONG, TEXT)
    assert Client(provider).ask("Who?", output=Person) == ADA
    question, answer, again = sent(provider)
    assert (question, answer) == ("Who?", WRONG)
    assert again.startswith("Your answer is not valid: Object missing required field `age`")
    assert '"required": ["name", "age"]' in again
    assert [message["role"] for message in provider.calls[1].messages] == ["user", "assistant", "user"]


def test_the_schema_is_not_said_twice():
    provider = Plain(WRONG, TEXT)
    assert Client(provider).ask("Who?", output=Person) == ADA
    assert sum("JSON schema:" in text for text in sent(provider)) == 1


@pytest.mark.parametrize(("repairs", "asked"), [(0, 1), (1, 2), (3, 4)])
def test_the_last_answer_that_does_not_fit_is_an_error_with_the_text(repairs, asked):
    usage = Usage(10, 5, 15, cached_tokens=2)
    provider = Plain(*([text, usage] for text in ["no", "no", "no", WRONG][-asked:]))
    with pytest.raises(OutputError, match="the answer is not a valid Person: Object missing required") as caught:
        Client(provider).ask("Who?", output=Person, repairs=repairs)
    error = caught.value
    assert len(provider.calls) == asked == error.attempts
    assert error.text == error.partial == WRONG
    assert error.usage == Usage(10 * asked, 5 * asked, 15 * asked, cached_tokens=2 * asked)
    assert error.provider == "Plain"
    assert isinstance(error, (ResponseFormatError, ValueError))
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.text, copied.attempts, copied.usage) == (error.text, error.attempts, error.usage)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (list[Person], "list[Person]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (Annotated[tuple[int, ...], "numbers"], "tuple[int, ...]"),
        (list[int | None], "list[int | None]"),
        (list[Optional[Person]], "list[Person | None]"),  # noqa: UP045
        (Literal["a.b", 3], "Literal['a.b', 3]"),
    ],
)
def test_an_answer_that_does_not_fit_names_the_type_as_it_is_written(kind, name):
    with pytest.raises(OutputError) as caught:
        Client(Plain("nothing")).ask("x", output=kind, repairs=0)
    assert f"the answer is not a valid {name}: " in str(caught.value)


def test_an_error_of_the_types_own_checks_goes_to_the_model():
    provider = Plain('{"number": 3}', '{"number": 4}')
    assert Client(provider).ask("x", output=Even).number == 4
    assert "the number must be even" in sent(provider)[-1]
    provider = Plain('{"name": "rex", "age": 1}', '{"name": "Rex", "age": 1}')
    assert Client(provider).ask("x", output=Pet).name == "Rex"
    assert "a name has a capital - at `name`" in sent(provider)[-1]


def test_an_answer_without_text_is_not_sent_back():
    provider = Plain([Reasoning("hm")], TEXT)
    assert Client(provider).ask("Who?", output=Person) == ADA
    assert [message["role"] for message in provider.calls[1].messages] == ["system", "user", "user"]


EMPTY = [Usage(10, 0, 10), Finish("stop")]


def test_an_empty_answer_is_asked_for_again_and_paid_for():
    provider = Reads(EMPTY, [TEXT, Usage(20, 5, 25)])
    client = Client(provider)
    assert client.ask("Who?", output=Person) == ADA
    question, again = sent(provider)
    assert question == "Who?"
    assert again.startswith("Your answer is not valid: there is no text\n")
    assert (client.usage.prompt_tokens, client.usage.completion_tokens) == (30, 5)


@pytest.mark.parametrize(("repairs", "prompt_tokens"), [(0, 10), (2, 30)])
def test_an_answer_that_stays_empty_is_an_error_with_what_all_took(repairs, prompt_tokens):
    with pytest.raises(EmptyResponseError) as caught:
        Client(Reads(EMPTY, EMPTY, EMPTY, TEXT)).ask("Who?", output=Person, repairs=repairs)
    assert caught.value.usage.prompt_tokens == prompt_tokens


def test_an_empty_answer_that_the_service_did_not_end_is_not_asked_for_again():
    provider = Reads(EmptyResponseError("the answer was cut"), TEXT)
    with pytest.raises(EmptyResponseError, match="was cut"):
        Client(provider).ask("Who?", output=Person)


@pytest.mark.parametrize(("repairs", "error"), [(-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_a_number_of_repairs_that_makes_no_sense_is_refused(repairs, error):
    provider = Plain(TEXT)
    with pytest.raises(error, match="repairs must be"):
        Client(provider).ask("x", output=Person, repairs=repairs)
    assert provider.calls == []


@pytest.mark.parametrize(
    ("own", "client", "call", "expected"),
    [
        (600, {"timeout": Timeout(total=100)}, {}, [100, 60, 20]),
        (600, {}, {"timeout": 100}, [100, 60, 20]),
        (100, {}, {}, [None, 60, 20]),
        (100, {}, {"timeout": (3, 3)}, [None, 60, 20]),
        (None, {}, {}, [None, None, None]),
    ],
)
def test_the_limit_of_a_call_holds_for_all_of_its_answers(own, client, call, expected, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("g4f_lite.typed.ask.time.monotonic", lambda: now[0])
    limits: list[float | None] = []

    class Slow(Plain):
        def begin(self, prompt):
            limits.append(getattr(prompt.timeout, "total", None))
            now[0] += 40
            return super().begin(prompt)

    provider = Slow("no", "no", "no", "no")
    provider.timeout = Timeout(total=own)
    with pytest.raises(OutputError) as caught:
        Client(provider, **client).ask("x", output=Person, repairs=2 if own is None else 9, **call)
    assert limits == expected
    assert caught.value.attempts == 3


def test_a_limit_that_passes_while_an_answer_is_repaired_is_the_callers():
    class SlowTwice(Plain):
        def begin(self, prompt):
            if len(self.calls) == 1:
                raise DeadlineExceededError("the total time limit of 19.9 s passed", limit="total")
            return super().begin(prompt)

    with pytest.raises(DeadlineExceededError, match=r"limit of 20 s passed while answer 2 was asked for"):
        Client(SlowTwice("no"), timeout=20).ask("x", output=Person)


# What cannot be repaired.


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_cut_is_not_asked_for_again(reason):
    provider = Ends(['{"name": "Ad', Usage(1, 2, 3), Finish(reason)], "never")
    with pytest.raises(OutputTruncatedError, match=f"finish_reason '{reason}'") as caught:
        Client(provider).ask("x", output=Person, repairs=3)
    error = caught.value
    assert (error.text, error.finish_reason, error.attempts, error.usage) == ('{"name": "Ad', reason, 1, Usage(1, 2, 3))
    assert len(provider.calls) == 1


def test_a_text_is_not_taken_for_whole_when_it_was_cut():
    with pytest.raises(OutputTruncatedError):
        Client(Ends(["The sky is bl", Finish("length")])).ask("x", output=str)
    assert Client(Ends([TEXT, Finish("length")])).ask("x", output=Person) == ADA


def test_a_model_that_was_cut_while_it_thought_was_cut():
    provider = Ends([Usage(1, 2, 3), Finish("length")], [Reasoning("hm"), Finish("length")])
    for _ in range(2):
        with pytest.raises(OutputTruncatedError, match="larger max_tokens"):
            Client(provider).ask("x", output=Person)
    with pytest.raises(OutputTruncatedError) as caught:
        Client(Ends([Finish("length")])).ask("x", output=Person)
    assert caught.value.usage is None
    with pytest.raises(EmptyResponseError):
        Client(Plain([Finish("stop")])).ask("x", output=Person, repairs=0)


def test_a_refusal_is_an_error_of_its_own():
    provider = Plain([Refusal("I cannot"), Refusal(" help."), Usage(1, 2, 3)])
    with pytest.raises(RefusalError, match=r"refuses to answer: I cannot help\.") as caught:
        Client(provider).ask("x", output=Person, repairs=3)
    assert (caught.value.partial, caught.value.usage) == ("I cannot help.", Usage(1, 2, 3))
    assert not isinstance(caught.value, OutputError)
    assert len(provider.calls) == 1


# Arguments.


def test_output_and_response_format_exclude_each_other():
    provider = Scripted(TEXT)
    for ask in (Client(provider).ask, Client(provider).stream, Conversation(provider).ask):
        with pytest.raises(TypeError, match="output= and response_format="):
            ask("x", output=Person, response_format={"type": "json_object"})
    assert provider.calls == []


@pytest.mark.parametrize("kind", [3, "Person", object, ADA, ()])
def test_what_is_no_type_is_refused_at_the_call(kind):
    provider = Plain(TEXT)
    for ask in (Client(provider).ask, Client(provider).stream, Conversation(provider).stream):
        with pytest.raises(TypeError):
            ask("x", output=kind)
    assert provider.calls == []


def test_what_another_library_takes_instead_of_a_type_is_told():
    with pytest.raises(TypeError, match=r"^output= takes a type, such as a dataclass or .* and not 'name, age int'$"):
        Client(Plain(TEXT)).ask("x", output="name, age int")


def test_a_class_in_an_option_is_sent_to_output():
    with pytest.raises(TypeError, match=r"the option response_model is the class Person.*; .* write output=Person$"):
        Client(Plain(TEXT)).ask("x", response_model=Person)


def test_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("g4f_lite.typed")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[typed\]"'):
        Client(Plain(TEXT)).ask("x", output=Person)


def test_the_functions_take_a_type_too(monkeypatch):
    provider = Plain('{"value": "red"}', "blue")
    monkeypatch.setattr(selection, "replacement", provider)
    assert g4f_lite.ask("x", output=Color) is Color.RED
    assert g4f_lite.stream("x", output=Literal["red", "blue"]).output == "blue"


# Conversations.


@pytest.mark.parametrize("through_client", [False, True])
def test_a_conversation_keeps_the_turn_without_what_was_asked_again(through_client):
    provider = Plain(WRONG, TEXT, "Thank you.")
    conversation = Client(provider).conversation(system="Be brief.") if through_client else None
    conversation = conversation or Conversation(provider, system="Be brief.")
    assert conversation.ask("Who?", output=Person) == ADA
    assert conversation.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": TEXT},
    ]
    conversation.ask("Good.")
    assert [message["content"] for message in provider.calls[-1].messages] == ["Be brief.", "Who?", TEXT, "Good."]


def test_a_tool_call_is_kept_as_text():
    conversation = Conversation(Tools(call(TEXT)))
    assert conversation.ask("Who?", output=Person) == ADA
    assert conversation.messages[1:] == [{"role": "assistant", "content": TEXT}]


def test_a_turn_without_a_value_is_not_kept():
    conversation = Conversation(Plain("no", "no"))
    with pytest.raises(OutputError):
        conversation.ask("Who?", output=Person)
    assert conversation.messages == []


# Completions.


def test_a_completion_has_the_value_and_what_it_took():
    provider = Plain([WRONG, Usage(1, 2, 3)], [TEXT, Usage(10, 20, 30)])
    completion = Client(provider).chat.completions.parse("Who?", "m", response_format=Person, repairs=1)
    message = completion.choices[0].message
    assert message.parsed == ADA
    assert message.content == TEXT
    assert (completion.attempts, completion.model) == (2, "m")
    assert completion.usage is not None
    assert completion.usage.total_tokens == 33
    assert [each["role"] for each in completion.messages] == ["user", "assistant", "user"]
    written = completion.to_dict()
    assert written["choices"][0]["message"] == {"role": "assistant", "content": TEXT, "refusal": None}
    assert "attempts" not in written
    assert Client(Plain("ok")).ask([*completion.messages, message]) == "ok"
    assert pickle.loads(pickle.dumps(completion)) == completion


def test_a_completion_is_not_repaired_unless_wanted():
    with pytest.raises(OutputError):
        Client(Plain(WRONG, TEXT)).chat.completions.parse("Who?", response_format=Person)


def test_a_completion_of_a_refusal_has_no_value():
    completion = Client(Plain([Refusal("No.")])).chat.completions.parse("Who?", response_format=Person)
    message = completion.choices[0].message
    assert (message.parsed, message.refusal, message.content) == (None, "No.", None)


def test_what_create_takes_is_not_for_parse():
    for kind, error in ((None, TypeError), ({"type": "json_object"}, ValueError)):
        with pytest.raises(error, match="JSON schema"):
            Client(Plain(TEXT)).chat.completions.parse("Who?", response_format=kind)
    with pytest.raises(TypeError, match="n=2"):
        Client(Plain(TEXT)).chat.completions.parse("Who?", response_format=Person, n=2)


# Who does not use it.


@pytest.mark.once
def test_a_plain_call_loads_nothing_of_it():
    script = """
import sys
from g4f_lite import Client
from g4f_lite.testing import Scripted
client = Client(Scripted())
client.ask("x"), client.stream("x").text(), client.conversation().ask("x"), client.chat.completions.create("x")
print(*(name for name in sys.modules if name.startswith("g4f_lite.typed") or name == "msgspec"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def locals_of(error: BaseException | None) -> str:
    """Give the variables of the frames of this library that an error, its causes and its contexts keep."""
    if error is None:
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_globals["__name__"] != __name__]
    return "".join(repr(frame.f_locals) for frame in frames) + locals_of(error.__cause__) + locals_of(error.__context__)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.ask("Who?", output=list[Even]),
        lambda client: client.chat.completions.parse("Who?", response_format=list[Even]),
        lambda client: client.map(["Who?"], output=list[Even], progress=False)[0].error,
        lambda client: client.stream("Who?", output=list[Even]).output,
        lambda client: list(client.stream("Who?", output=list[Even]).items()),
    ],
    ids=["ask", "parse", "map", "output", "items"],
)
def test_an_error_does_not_keep_the_answer_in_the_variables_of_its_frames(ask):
    try:
        error = ask(Client(Scripted(*['{"value": ["mellon"]}'] * 2)))
    except OutputError as raised:
        error = raised
    assert "mellon" in error.partial
    assert "mellon" not in locals_of(error)
