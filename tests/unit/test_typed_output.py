"""How the text of an answer becomes a value: as it is, or leniently."""

from __future__ import annotations

import datetime
import json
import traceback
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from g4f_lite.typed import lenient
from g4f_lite.typed.mismatch import Mismatch
from g4f_lite.typed.output import Output

from .typed_types import Car, City, Color, Even, Node, Owner, Person, Pet, Pets, Point, Trip

ADA = Person("Ada", 36)
TRIP = """{"who": {"name": "Ada", "age": 36}, "to": [{"name": "Oslo"}], "color": "red", "at": {"x": 1},
"seats": "aisle", "notes": []}"""


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Person, '{"name": "Ada", "age": 36}', ADA),
        (City, '{"name": "Oslo", "people": 3}', {"name": "Oslo", "people": 3}),
        (Color, '{"value": "red"}', Color.RED),
        (Literal["a", "b"], '{"value": "b"}', "b"),
        (list[Person], '{"value": [{"name": "Ada", "age": 36}]}', [ADA]),
        (Person | None, '{"value": null}', None),
        (Person | None, '{"value": {"name": "Ada", "age": 36}}', ADA),
        (str, '{"value": "x"}', "x"),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Decimal, '{"value": 1.50}', Decimal("1.50")),
        (datetime.datetime, '{"value": "2026-01-02T03:04:05"}', datetime.datetime(2026, 1, 2, 3, 4, 5)),
        (Node, '{"name": "a", "children": [{"name": "b"}]}', Node("a", [Node("b")])),
        (Pet, '{"name": "Rex", "age": 3}', Pet(name="Rex", age=3)),
        (list[Pet], '{"value": [{"name": "Rex", "age": 3}]}', [Pet(name="Rex", age=3)]),
        (Person | Even, '{"value": {"number": 2}}', Even(2)),
        (Owner | Pet, '{"value": {"name": "Rex", "age": 3}}', Pet(name="Rex", age=3)),
        (Owner | Pet, '{"value": {"name": "Rex"}}', Owner(name="Rex")),
        (list[Person | Pet | int | None], '{"value": [{"name": "a", "age": 1}, 3, null]}', [Person("a", 1), 3, None]),
        (dict[str, City | Point], '{"a": {"x": 1}, "b": {"name": "Oslo"}}', {"a": Point(1), "b": {"name": "Oslo"}}),
    ],
)
def test_json_that_fits_needs_no_leniency(kind, text, value):
    assert Output.of(kind).strictly(text) == value


DIGITS = "0.1234567890123456789"  # more than a float has


class Open(msgspec.Struct, tag=True):
    color: str = ""


class Painted(msgspec.Struct, tag=True):
    color: Color


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Person, '```json\n{"name": "Ada", "age": 36}\n```', ADA),
        (Person, 'Sure! Here it is: {"name": "Ada", "age": 36}. Anything else?', ADA),
        (Person, 'An {example}: {"name": "Ada", "age": 36}', ADA),
        (Person, '{"name": "Ada", "age": "36"}', ADA),
        (Person, '{"name": "Ada", "age": 36.0}', ADA),
        (Person, '{"name": "Ada\nLovelace", "age": 36}', Person("Ada\nLovelace", 36)),
        (Person, '{"name": 7, "age": 36}', Person("7", 36)),
        (Point, '{"y": 2, "x": "1"}', Point(1, 2)),
        (Point, '{"x": 1}', Point(1, 0)),
        (Trip, TRIP, Trip(ADA, [{"name": "Oslo"}], Color.RED, Point(1), "aisle")),
        (Color, '{"value": "Red"}', Color.RED),
        (Color, "BLUE.", Color.BLUE),
        (Literal["a", "b"], "B", "b"),
        (list[Color], '["RED", "Blue"]', [Color.RED, Color.BLUE]),
        (list[Literal["Yes", "No", "no"]], '["yes", "no", "NO "]', ["Yes", "no", "no"]),
        (dict[int, str], 'Here: {"1": "a"}', {1: "a"}),
        (list[int], "The numbers are [1, 2].", [1, 2]),
        (int | None, "null", None),
        (list[int | str], "[3]", [3]),
        (Person, json.dumps('{"name": "Ada", "age": 36}'), ADA),
        (Person, '{"name": "A\\ud800", "age": "36"}', Person("A\ufffd", 36)),
        (int, "42", 42),
        (float, '"2.5"', 2.5),
        (bool, "True", True),
        (str, "just text", "just text"),
        (str, "Wait...", "Wait..."),
        (str, "`a` or `b`", "`a` or `b`"),
        (str, "'a' and \"b\"", "'a' and \"b\""),
        (str, "'just text'", "just text"),
        (Color, "`blue`.", Color.BLUE),
        (Color, "```\nblue\n```", Color.BLUE),
        (Color, "```blue```", Color.BLUE),
        (Color, '"Blue."', Color.BLUE),
        (int, "36.", 36),
        (Decimal, ".85", Decimal("0.85")),
        (Decimal, DIGITS, Decimal(DIGITS)),
        (Decimal, f'It is {{"value": {DIGITS}}}.', Decimal(DIGITS)),
        (list[Decimal], f"[{DIGITS}]", [Decimal(DIGITS)]),
        (list[Open | Painted], '[{"type": "painted", "color": "RED"}]', [Painted(Color.RED)]),
        (Painted, '{"color": "RED"}', Painted(Color.RED)),
        (Open | Painted, 'It is {"type": "Painted", "color": "Red"}', Painted(Color.RED)),
        (str, "see [1] and {2}", "see [1] and {2}"),
        (str, "[a] " * 60 + "and so on", "[a] " * 60 + "and so on"),
        (Point, '[a note] {{"x": 2}} [another]', Point(2)),
        (Point, '[1, {"x": 1},] is a list, and {"x": 2} the answer', Point(2)),
        (tuple[Point, str], '[{"x": 1}, 2]', (Point(1), "2")),
        (dict[str, Point], '{"a": {"x": 1}}', {"a": Point(1)}),
        (Point, '<think>Perhaps {"x": 1}?</think> {"x": 2}', Point(2)),
        (Point, 'It is {"x": 2}, so {"x": 2}.', Point(2)),
        (Pet, 'It is {"name": "Rex", "age": "3"}', Pet(name="Rex", age=3)),
        (Person | None, '{"name": "Ada", "age": "36"}', ADA),
        (None | Car, '{"color": "RED"}', Car(Color.RED)),
        (int | Car, '{"color": "RED"}', Car(Color.RED)),
        (int | Point, '{"x": 1}', Point(1)),
        (list[float | str], 'Here: ["Nan", "3", 1.5]', ["Nan", "3", 1.5]),
    ],
)
def test_text_that_nearly_fits_is_converted_leniently(kind, text, value):
    output: Output[Any] = Output.of(kind)
    with pytest.raises(Mismatch):
        output.strictly(text)
    converted = output.convert(text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Person, "", "there is no text"),
        (Person, "no JSON", "expected JSON, got 'no JSON'"),
        (Person, '{"name": "Ada"}', "Object missing required field `age`"),
        (Person, '{"name": "Ada", "age": "old"}', r"Expected `int`, got `str` - at `\$\.age`"),
        (Person, "[1]", "Expected `object`, got `array`"),
        (Point, '{"y": 1}', "Object missing required field `x`"),
        (Color, '{"value": "green"}', "Invalid enum value 'green'"),
        (Color, "perhaps red", "expected JSON, got 'perhaps red'"),
        (list[int], '[1, "two"]', r"Expected `int`, got `str` - at `\$\[1\]`"),
        (Even, '{"number": 3}', "the number must be even"),
        (Even, '{"number": 0}', "the number must not be zero"),
        (list[Even], '[{"number": 2}, {"number": 1}]', r"the number must be even - at `\$\[1\]`"),
        (
            Pet,
            '{"name": "rex", "age": -1}',
            "a name has a capital - at `name`; .*or equal to 0 - at `age`",
        ),
        (Person | Even, '{"value": {"number": 3}}', "the number must be even"),
        (Owner | Pet, '{"value": 3}', "valid dictionary|model"),
        (list[Pet], '[{"name": "Rex"}]', r"Field required - at `age` - at `\$\[0\]`"),
        (Node, '{"name": "a", "children": ' + "[" * 20000, "expected JSON"),
        (int, "9" * 5000, "expected JSON|Expected `int`"),
        (Point, 'For example {"x": 1}. The answer: {"x": 2}', "expected one value, got several different ones"),
        (list[Point], f'{[{"x": 1}] * 60}. No: [{{"x": 2}}]'.replace("'", '"'), "got several different ones"),
        (Point, '{"x": 1}' * 51, "expected JSON and nothing else, got a text with many brackets"),
        (Node, '{"name": "a", "children": [{"name": "b"}],}', 'expected JSON, got \'{"name": "a"'),
        (Node, '{"name": "a", "children": [{"name": "b"}]', "expected JSON, got"),
        (Node, '{"name": "a" "children": [{"name": "b"}]}', "expected JSON, got"),
        (Node, '{ // a comment\n"name": "a", "children": [{"name": "b"}]}', "expected JSON, got"),
        (Node, "{'name': 'a', 'children': [{\"name\": \"b\"}]}", "expected JSON, got"),
        (Node, '{"name": "]}", "children": [{"name": "b"}],}', "expected JSON, got"),
        (Node, '{"name": "a", "children": NaN, "parent": {"name": "b"}}', "expected JSON, got"),
        (dict[str, int], '{"a": 1, "b": {"c": 2},}', "expected JSON, got"),
        (list[str], '{"value": ["a", ["c"],]}', "expected JSON, got"),
        (float, ".85", "expected JSON, got '.85'"),
        (int, "'.85'", "expected JSON"),
        (list[str | float], "[1e999]", "Expected a finite number, got inf"),
        (float, "1e999", "Expected a finite number, got inf"),
        (Decimal, 'Either {"value": "sNaN"} or {"value": 4}', "expected one value, got several different ones"),
        (list[float], '["NaN"]', "Expected a finite number, got 'NaN'"),
    ],
)
def test_what_does_not_fit_says_why(kind, text, reason):
    with pytest.raises(Mismatch, match=reason):
        Output.of(kind).convert(text)


@pytest.mark.parametrize(
    ("kind", "value", "end"),
    [
        (list[Pet], [{"name": "rex", "age": -1}], " - at `age` - at `$[0]`"),
        (Pets, {"pets": [{}] * 5}, "; Field required - at `pets.4.age`"),
        (Pets, {"pets": [{}] * 500}, "; Field required - at `pets.4.age`; and 990 more"),
        (Pets, {"pets": [{}] * 501}, "1002 mistakes"),
        (Pets, {"pets": [], "x\ny": 1}, "Extra inputs are not permitted - at `x y`"),
        (Pets, {"pets": [], "x" * 2_000: 1}, f"Extra inputs are not permitted - at `{'x' * 963}…"),
        (Color, "z" * 2_000, f"Invalid enum value '{'z' * 980}…"),
    ],
)
def test_what_does_not_fit_says_why_in_a_few_words(kind, value, end):
    with pytest.raises(Mismatch) as caught:
        Output.of(kind).value_of(value)
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize(("count", "kept"), [(5, True), (6, False), (501, False)])
def test_an_error_of_pydantic_is_kept_if_it_is_not_much_longer_than_the_reason(count, kept):
    with pytest.raises(Mismatch) as caught:
        Output.of(Pets).value_of({"pets": [{}] * count})
    shown = "".join(traceback.format_exception(caught.value))
    assert ("pydantic_core._pydantic_core.ValidationError" in shown) is kept
    assert len(shown) < 12_000


def test_a_text_full_of_brackets_takes_no_longer_than_others():
    with pytest.raises(Mismatch):
        Output.of(Owner).convert("[{" * 100_000)


def test_a_text_is_not_read_again_from_each_bracket_to_its_end(monkeypatch):
    read = []

    class Counting(json.JSONDecoder):
        def raw_decode(self, text, idx=0):
            read.append(idx)
            return super().raw_decode(text, idx)

    monkeypatch.setattr(lenient, "_READER", Counting(strict=False))
    monkeypatch.setattr(lenient, "_MAX_READ", 1024 * 1024)
    with pytest.raises(Mismatch):
        Output.of(list[int]).convert("[" * 40 + "1e5," * (128 * 1024) + "x")
    assert len(read) <= 4  # as whole, and three times from a bracket, each half of that


def test_the_words_of_an_enumeration_are_listed_once():
    lenient._words.cache_clear()
    assert Output.of(list[Color]).convert('["RED", "Blue", "red"]') == [Color.RED, Color.BLUE, Color.RED]
    assert lenient._words.cache_info().misses == 1


def test_the_output_of_a_type_is_made_once():
    assert Output.of(list[Person]) is Output.of(list[Person])
    assert Output.of(Person) is not Output.of(Point)


def test_a_hint_that_cannot_be_resolved_is_told():
    class Here:
        pass

    from dataclasses import dataclass

    @dataclass
    class Beside:
        here: Here

    with pytest.raises(TypeError, match="'Here' is not defined"):
        Output.of(Beside)
