"""A typed answer in progress: its text, its snapshots, its elements and its value."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from g4f_lite import (
    Client,
    Conversation,
    Finish,
    OutputError,
    OutputTruncatedError,
    Refusal,
    RefusalError,
    ResponseFormatError,
    ServiceError,
    StreamInterruptedError,
    ToolCallDelta,
    TypedStream,
)
from g4f_lite.answers.buffer import MAX_BYTES
from g4f_lite.typed.json_so_far import JsonSoFar

from .services import Plain
from .typed_providers import ADA, REFUSED, TEXT, Ends, Formats, Tools
from .typed_types import Color, Person, Point

BOB = Person("Bob", 1)
TWO = ['{"value": [{"name": ', '"Ada", "age"', ': 36}, {"na', 'me": "Bob", "age": 1', "}", "]}"]


# What a text holds so far.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("Well, ", None),
        ("Well, {", {}),
        ('{"na', {}),
        ('{"name"', {}),
        ('{"name":', {}),
        ('{"name": "', {"name": ""}),
        ('{"name": "Ad', {"name": "Ad"}),
        ('{"name": "Ada\\', {"name": "Ada"}),
        ('{"name": "Ada\\n', {"name": "Ada\n"}),
        ('{"name": "\\u00e', {"name": ""}),
        ('{"name": "\\u00e9', {"name": "é"}),
        ('{"name": "\\ud83d', {"name": ""}),
        ('{"name": "\\ud83d\\ude0', {"name": ""}),
        ('{"name": "\\ud83d\\ude00', {"name": "😀"}),
        ('{"name": "\\\\u12', {"name": "\\u12"}),
        ('{"name": "Ada", "age": 3', {"name": "Ada"}),
        ('{"name": "Ada", "age": 36,', {"name": "Ada", "age": 36}),
        ('{"name": "Ada", "age": 36}', {"name": "Ada", "age": 36}),
        ('{"name": "Ada", "age": 36}\n```', {"name": "Ada", "age": 36}),
        ('{"a": [tru', {"a": []}),
        ('{"a": [true, nul', {"a": [True]}),
        ('[1, {"b": [', [1, {"b": []}]),
        ('["[", "]', ["[", "]"]),
        ("[}", None),
        ("[1 2]", None),
    ],
)
def test_what_a_text_holds_so_far(text, value):
    for size in (1, 3, len(text) or 1):
        so_far = JsonSoFar()
        for start in range(0, len(text), size):
            so_far.feed(text[start : start + size])
        assert so_far.value == value


def test_a_text_that_is_nested_too_deeply_is_not_read_on():
    so_far = JsonSoFar(wrapped=True)
    for _ in range(100_000):
        so_far.feed("[{")
    assert so_far.value is None
    assert so_far.elements == []


@pytest.mark.once
def test_of_a_long_answer_not_each_piece_makes_a_snapshot():
    text = json.dumps([{"name": "Ada", "age": 36}] * 400)
    stream = Client(Plain([text[start : start + 4] for start in range(0, len(text), 4)])).stream(
        "x", output=list[Person]
    )
    snapshots = list(stream.partials())
    assert len(snapshots) < len(text) / 8
    assert snapshots[-1] == json.loads(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.once
@given(st.lists(VALUES, max_size=5), st.booleans(), st.booleans(), st.data())
def test_any_json_cut_anywhere(values, ascii_only, wrapped, data):
    text = json.dumps({"value": values} if wrapped else values, ensure_ascii=ascii_only)
    so_far = JsonSoFar(wrapped=True)
    size = data.draw(st.integers(1, max(1, len(text))))
    for start in range(0, len(text), size):
        so_far.feed(text[start : start + size])
        json.dumps(so_far.value).encode()  # no half of a character
    assert so_far.value == ({"value": values} if wrapped else values)
    assert [json.loads(element) for element in so_far.elements] == values


# A stream.


def test_nothing_is_sent_before_it_is_read():
    provider = Plain(TEXT)
    stream = Client(provider).stream("Who?", output=Person)
    assert isinstance(stream, TypedStream)
    assert provider.calls == []
    assert "".join(stream) == TEXT
    assert stream.output == ADA
    assert list(stream) == []
    assert len(provider.calls) == 1
    assert stream.answer == TEXT


def test_snapshots_grow_and_the_last_is_whole():
    stream = Client(Plain(['{"name": "A', 'da", "a', 'ge": 3', "6", "}"])).stream("Who?", output=Person)
    snapshots = [{"name": "A"}, {"name": "Ada"}, {"name": "Ada", "age": 36}]
    assert list(stream.partials()) == snapshots
    assert stream.output == ADA


def test_snapshots_are_without_the_object_around_a_list():
    stream = Client(Plain(TWO)).stream("Who?", output=list[Person])
    ada, bob = {"name": "Ada", "age": 36}, {"name": "Bob", "age": 1}
    assert list(stream.partials()) == [
        [{}],
        [{"name": "Ada"}],
        [ada, {}],
        [ada, {"name": "Bob"}],
        [ada, bob],
    ]


def test_elements_come_as_soon_as_they_are_complete():
    read = []

    def pieces():
        for piece in TWO:
            read.append(piece)
            yield piece

    stream = Client(Plain(pieces())).stream("Who?", output=list[Person])
    items = stream.items()
    assert next(items) == ADA
    assert read == TWO[:3]
    assert list(items) == [BOB]
    assert stream.output == [ADA, BOB]


@pytest.mark.parametrize(
    ("kind", "text", "items"),
    [
        (list[Person], f"```json\n[{TEXT}]\n```", [ADA]),
        (list[int], '{"value": [1, "2", 3.0]}', [1, 2, 3]),
        (list[Color], '["RED", "blue"]', [Color.RED, Color.BLUE]),
        (list[Point], '[{"x": 1}]', [Point(1)]),
        (list[list[int]], "[[1], [], [2, 3]]", [[1], [], [2, 3]]),
        (list[str], '["a, b", "]"]', ["a, b", "]"]),
        (list[int], '{"value": []}', []),
    ],
)
def test_elements_are_converted(kind, text, items):
    stream = Client(Plain(text)).stream("x", output=kind)
    assert list(stream.items()) == items
    assert stream.output == items


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (list[int], '<think>try [1,2] first</think>{"value":[5,6]}', [5, 6]),
        (list[int], '\n <think>{"value": [1]}</thin</think>\n[5,6]', [5, 6]),
        (list[str], '<think>["x"]</think>["a","b"]', ["a", "b"]),
        (list[int], "<think>[]</think>[5]", [5]),
        (list[int], "<think>[5]", [5]),
        (list[int], "<thin> [5]", [5]),
        (list[int], '{"note":[1,2],"value":[5,6]}', [5, 6]),
        (list[int], '{"value":[5,6],"note":[1,2]}', [5, 6]),
        (list[int], '{"note":{"value":[1]},"value":[5,6]}', [5, 6]),
        (list[int], '{"value' + "e" * 40 + '":[1,2],"value":[5,6]}', [5, 6]),
        (list[int], '{"\\u0076\\u0061\\u006c\\u0075\\u0065":[5,6]}', [5, 6]),
        (list[int], '{"value":[5,6],"value":[5,6]}', [5, 6]),
        (list[str], '["1.50", "[1]", "line\nbreak", "\\"a\\""]', ["1.50", "[1]", "line\nbreak", '"a"']),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_elements_and_snapshots_are_those_of_the_value(kind, text, value, size):
    def stream():
        return Client(Plain([text[at : at + size] for at in range(0, len(text), size)])).stream("x", output=kind)

    assert list(stream().items()) == value
    assert stream().output == value
    assert list(stream().partials())[-1] == value


def test_elements_have_all_digits():
    stream = Client(Plain('{"value": [1.10]}')).stream("x", output=list[Decimal])
    assert list(map(str, stream.items())) == ["1.10"]
    assert list(map(str, stream.output)) == ["1.10"]


@pytest.mark.parametrize(
    ("kind", "text", "given_before", "value"),
    [
        (list[int], '{"value":[1,2],"value":[5,6]}', [1, 2], [5, 6]),
        (list[int], '{"value":[1,2],"value":[1]}', [1, 2], [1]),
        (Annotated[list[int], Meta(max_length=2)], "[1, 2, 3] [1, 2]", [1, 2, 3], [1, 2]),
    ],
)
def test_elements_that_are_not_those_of_the_value_end_in_an_error(kind, text, given_before, value):
    stream = Client(Plain(text)).stream("x", output=kind)
    items = stream.items()
    assert [next(items) for _ in given_before] == given_before
    with pytest.raises(OutputError, match="the list that came first is not the value of the whole"):
        next(items)
    assert stream.output == value


def test_elements_may_be_changed_and_need_not_be_equal_to_others():
    @dataclass(eq=False)
    class City:
        name: str

    names = []
    for city in Client(Plain('[{"name": "Oslo"}, {"name": "Bergen"}]')).stream("x", output=list[City]).items():
        names.append(city.name)
        city.name = "changed"
    assert names == ["Oslo", "Bergen"]


def test_an_element_that_does_not_fit_is_an_error_in_its_place():
    items = Client(Plain('[1, "two", 3]')).stream("x", output=list[int]).items()
    assert next(items) == 1
    with pytest.raises(OutputError, match="element 1: Expected `int`, got `str`") as caught:
        next(items)
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    ("text", "error"), [("none", OutputError), ([Refusal("No.")], RefusalError), (['{"value": [1, 2'], OutputError)]
)
def test_a_list_that_is_no_list_is_an_error_at_its_end(text, error):
    with pytest.raises(error):
        list(Client(Plain(text)).stream("x", output=list[int]).items())


def test_elements_are_those_of_a_list():
    with pytest.raises(TypeError, match=r"pass output=list\[…\]"):
        Client(Plain(TEXT)).stream("x", output=Person).items()  # type: ignore[misc]


def test_text_that_was_read_first_is_not_lost():
    stream = Client(Plain(TWO)).stream("Who?", output=list[Person])
    next(stream)
    next(stream)
    assert list(stream.items()) == [ADA, BOB]
    stream = Client(Plain(TWO)).stream("Who?", output=list[Person])
    assert next(stream.items()) == ADA
    assert list(stream.partials())[-1] == [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 1}]


def test_an_answer_that_does_not_fit_is_not_asked_for_again():
    provider = Plain("no", TEXT)
    stream = Client(provider).stream("Who?", output=Person)
    assert list(stream) == ["no"]
    for _ in range(2):
        with pytest.raises(OutputError, match="expected JSON, got 'no'") as caught:
            stream.output  # noqa: B018
        assert (caught.value.text, caught.value.attempts) == ("no", 1)
    assert len(provider.calls) == 1


@pytest.mark.parametrize("read", [list, lambda stream: list(stream.partials()), lambda stream: stream.output])
def test_an_answer_without_end_is_not_kept(read):
    stream = Client(Plain([*["x" * (MAX_BYTES // 4)] * 5, "never read"])).stream("who?", output=Person)
    with pytest.raises(ResponseFormatError, match="longer than the 4,194,304 characters"):
        read(stream)
    assert sum(map(len, stream._pieces)) <= MAX_BYTES


def test_an_answer_that_was_cut_says_so():
    stream = Client(Ends(['{"name": "A', Finish("length")])).stream("Who?", output=Person)
    with pytest.raises(OutputTruncatedError):
        stream.output  # noqa: B018


def test_a_way_that_is_refused_is_replaced_before_the_first_piece():
    provider = Formats(REFUSED, [ToolCallDelta(0, "1", "Person", TEXT)])
    stream = Client(provider).stream("Who?", output=Person)
    assert list(stream) == [TEXT]
    assert stream.output == ADA
    with pytest.raises(ServiceError):
        Client(Formats(ServiceError("no", status=400))).stream("Who?", output=Person).start()


def test_the_arguments_of_a_tool_are_the_text():
    stream = Client(Tools(["I will. ", *(ToolCallDelta(0, None, None, each) for each in TWO)])).stream(
        "Who?", output=list[Person]
    )
    assert list(stream) == TWO


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stream_cannot_be_copied(copied):
    with pytest.raises(TypeError, match="an answer in progress cannot be copied"):
        copied(Client(Plain(TEXT)).stream("Who?", output=Person))


def test_a_stream_can_be_closed():
    with Client(Plain(TWO)).stream("Who?", output=list[Person]) as stream:
        next(stream)
    with pytest.raises(StreamInterruptedError):
        stream.output  # noqa: B018


def test_a_conversation_keeps_a_turn_that_fits():
    conversation = Conversation(Plain(TEXT, "no", TEXT, TEXT))
    assert conversation.stream("Who?", output=Person).output == ADA
    turn = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": TEXT}]
    assert conversation.messages == turn
    list(conversation.stream("And now?", output=Person))
    conversation.stream("Not read", output=Person).close()
    assert conversation.messages == turn
    list(conversation.stream("Who?", output=Person))
    assert conversation.messages == [*turn, *turn]
