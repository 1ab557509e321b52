"""Typed answers by a JSON schema that the caller wrote, as a dict."""

from __future__ import annotations

import itertools
import re
import sys

import pytest

from g4f_lite import Client, Conversation, MissingDependencyError, OutputError, OutputTruncatedError, RefusalError
from g4f_lite.answers.deltas import Finish, Refusal
from g4f_lite.testing import Scripted
from g4f_lite.typed import check_time, schema_check
from g4f_lite.typed.mismatch import Mismatch
from g4f_lite.typed.output import Output

from .services import Plain
from .test_schema_check import CHOICES, nested
from .typed_providers import Ends, Formats, Reads, Tools, call, sent

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "size": {"type": "number"}}, "required": ["city"]}
NUMBERS = {"type": "array", "items": {"type": "integer"}}
NODE = {"type": "object", "properties": {"in": {"type": "array", "items": {"$ref": "#/$defs/N"}}}, "required": ["in"]}
BY_ANCHOR = {"type": "array", "items": {"$ref": "#n"}, "$defs": {"N": {"$anchor": "n", "type": "integer"}}}
OSLO = {"city": "Oslo"}


def inner(provider: Scripted) -> dict:
    return provider.calls[0].options["response_format"]["json_schema"]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (CITY, '{"city": "Oslo", "size": 1.5}', {"city": "Oslo", "size": 1.5}),
        (CITY, 'It is:\n```json\n{"city": "Oslo"}\n```', OSLO),
        (CITY, '<think>{"city": "Rome"}</think>{"city": "Oslo"}', OSLO),
        (NUMBERS, '{"value": [1, 2]}', [1, 2]),
        (NUMBERS, "[1, 2]", [1, 2]),
        ({"type": ["integer", "null"]}, '{"value": null}', None),
        ({"enum": ["a", 1]}, "a", "a"),
        ({"enum": ["a", 1]}, "1", 1),
        ({"$ref": "#/$defs/N", "$defs": {"N": NODE}}, '{"value": {"in": [{"in": []}]}}', {"in": [{"in": []}]}),
        ({"type": "array", "items": {"$ref": "#"}}, '{"value": [[], [[]]]}', [[], [[]]]),
        ({"type": "array", "items": {"$ref": "#/definitions/N"}, "definitions": {"N": {}}}, "[[1], 2]", [[1], 2]),
        (BY_ANCHOR, "[1, 2]", [1, 2]),
        ({}, '{"any": [1]}', {"any": [1]}),
    ],
)  # fmt: skip
def test_the_value_is_plain_json(schema, text, value):
    assert Client(Plain(text)).ask("x", output=schema) == value


@pytest.mark.parametrize(
    ("schema", "text", "reason"),
    [
        (CITY, '{"city": 1}', "1 is not of type 'string' - at `$.city`"),
        (CITY, '{"city": "Oslo", "size": "5"}', "'5' is not of type 'number' - at `$.size`"),
        (CITY, "In Oslo.", "expected JSON, got 'In Oslo.'"),
        (CITY, '{"city": "Oslo"} or {"city": "Rome"}', "several different ones"),
        (NUMBERS, '{"value": [1, "2"]}', "'2' is not of type 'integer' - at `$[1]`"),
        ({"type": "number"}, "1e999", "not JSON compliant"),
        ({"$ref": "#"}, "{}", "it cannot be checked"),
        ({}, "yes", "expected JSON, got 'yes'"),
    ],
)
def test_what_does_not_match_says_why(schema, text, reason):
    with pytest.raises(Mismatch, match=re.escape(reason)):
        Output.of(schema).convert(text)


def test_an_answer_that_does_not_match_is_asked_for_again():
    provider = Reads('{"city": 1}', '{"city": "Oslo"}')
    conversation = Conversation(provider)
    assert conversation.ask("Where?", output=CITY) == OSLO
    assert sent(provider)[-1].startswith("Your answer is not valid: 1 is not of type 'string' - at `$.city`\n")
    assert [message["content"] for message in conversation.messages] == ["Where?", '{"city": "Oslo"}']
    with pytest.raises(OutputError, match="the answer is not a valid value of the schema: 1 is not") as caught:
        Client(Plain('{"city": 1}')).ask("x", output=CITY, repairs=0)
    assert (caught.value.text, caught.value.attempts) == ('{"city": 1}', 1)
    with pytest.raises(OutputTruncatedError):
        Client(Ends(['{"city": "Os', Finish("length")])).ask("x", output=CITY)
    with pytest.raises(RefusalError):
        Client(Plain([Refusal("No.")])).ask("x", output=CITY)


def test_each_call_that_takes_a_type_takes_a_schema():
    completion = Client(Plain('{"city": 1}', '{"city": "Oslo"}')).chat.completions.parse(
        "x", response_format=CITY, repairs=1
    )
    assert (completion.choices[0].message.parsed, completion.attempts) == (OSLO, 2)
    schema = {**CITY, "required": ["city"]}
    results = Client(Plain('{"city": "Oslo"}')).map(["x"], output=schema, progress=False)
    schema["required"] = ["size"]
    assert results.outputs() == [OSLO]
    assert results._plan.calls.columns == ("city", "size")
    for numbers in (NUMBERS, BY_ANCHOR):
        with Client(Plain('{"value": [1, 2]}')).stream("x", output=numbers) as stream:
            assert list(stream.items()) == [1, 2]
    for items in ({}, {"$ref": "#"}, True):
        with Client(Plain("[[], [[]]]")).stream("x", output={"type": "array", "items": items}) as stream:
            assert list(stream.items()) == [[], [[]]]
    with Client(Plain('{"value": [1, "2"]}')).stream("x", output=NUMBERS) as stream:
        elements = stream.items()
        assert next(elements) == 1
        with pytest.raises(OutputError, match="element 1: '2' is not of type 'integer'"):
            next(elements)
    with Client(Plain('{"city": "Oslo"}')).stream("x", output=CITY) as stream:
        assert stream.output == OSLO
    with pytest.raises(TypeError, match="the schema does not have the type 'array'"):
        next(Client(Plain("[]")).stream("x", output=CITY).items())


def test_a_schema_is_sent_as_it_is_where_a_property_may_be_left_out():
    provider = Reads('{"city": "Oslo"}')
    Client(provider).ask("x", output={**CITY, "title": "A city!"})
    assert inner(provider) == {"name": "A_city_", "schema": {**CITY, "title": "A city!"}, "strict": False}
    provider = Formats('{"city": "Oslo"}')
    Client(provider).ask("x", output=CITY)
    assert '"required": ["city"]' in sent(provider)[0]
    provider = Tools([*call('{"city": "Oslo"}'), Finish("tool_calls")])
    assert Client(provider).ask("x", output=CITY) == OSLO
    assert provider.calls[0].options["tools"][0]["function"]["parameters"] == CITY


def test_a_schema_that_requires_all_is_sent_in_strict_form():
    provider = Reads('{"city": "Oslo", "size": 1}')
    Client(provider).ask("x", output={**CITY, "required": ["size", "city"], "minProperties": 1})
    assert inner(provider) == {
        "name": "answer",
        "schema": {**CITY, "required": ["city", "size"], "additionalProperties": False},
        "strict": True,
    }


@pytest.mark.parametrize(
    "part",
    [
        {"type": ["object", "null"], "properties": {}},
        {"enum": [[1]]},
        {"$ref": "#/definitions/N"},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        True,
    ],
)
def test_a_part_without_a_strict_form_leaves_the_whole_as_it_is(part):
    schema = {"type": "object", "properties": {"a": part}, "required": ["a"], "definitions": {"N": {"type": "null"}}}
    provider = Reads(*["{}"] * 2)
    with pytest.raises(OutputError):
        Client(provider).ask("x", output=schema)
    assert inner(provider) == {"name": "answer", "schema": schema, "strict": False}


@pytest.mark.parametrize(
    ("schema", "error", "message"),
    [
        ({"type": "strin"}, ValueError, r"the JSON schema is invalid: 'strin' is not .* - at `\$.type`"),
        (
            {"city": "string"},
            ValueError,
            "^{'city': 'string'} is not a JSON schema, such as .*: it has no keyword such as 'type'$",
        ),
        ({"type": "json_schema", "json_schema": {"schema": CITY}}, ValueError, "pass the JSON schema itself, such as"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/N"}}}, ValueError, "refers to '#/.defs/N', which is"),
        ({"$ref": "http://127.0.0.1:9/x"}, ValueError, "refers to 'http://127.0.0.1:9/x', which is not in it"),
        ({"city": str}, TypeError, "output.city is the class str, which cannot be sent as JSON"),
    ],
)
def test_a_dict_that_is_no_schema_is_refused_at_the_call(schema, error, message):
    provider = Plain("{}")
    client = Client(provider)
    for ask in (client.ask, client.stream, client.conversation().ask, lambda x, output: client.map([x], output=output)):
        with pytest.raises(error, match=message):
            ask("x", output=schema)
    with pytest.raises(error, match=message):
        client.chat.completions.parse("x", response_format=schema)
    assert provider.calls == []


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.delitem(sys.modules, "g4f_lite.typed.schema_check")
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[typed\]"'):
        Client(Plain("{}")).ask("x", output={"type": "object", "title": "not checked before"})


def test_a_check_that_takes_too_long_is_not_made_for_each_part_of_the_text(monkeypatch):
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    values = []
    first_error = schema_check.SchemaCheck.first_error
    monkeypatch.setattr(
        schema_check.SchemaCheck, "first_error", lambda self, value: values.append(value) or first_error(self, value)
    )
    with pytest.raises(Mismatch, match=r"it cannot be checked: that takes more than 0\.05 s of computing"):
        Output.of(CHOICES).convert(f"{nested(40)} {nested(41)}".replace("'", '"'))
    assert len(values) == 1


def test_all_json_in_a_text_is_checked_within_one_limit(monkeypatch):
    output = Output.of({"type": "object"})
    seconds = itertools.count(step=1.5)  # between two looks at the clock
    monkeypatch.setattr(check_time.time, "thread_time", lambda: next(seconds))
    assert output.convert('{"a": 1}') == {"a": 1}
    with pytest.raises(Mismatch, match=r"it cannot be checked: that takes more than 5 s of computing"):
        output.convert(" and ".join(f'{{"a": {number}}}' for number in range(5)))


def test_a_reference_that_leads_out_of_the_schema_is_an_error_of_the_answer():
    schema = {"$id": "https://schemas.test/a", "properties": {"city": {"$ref": "https://schemas.test/b"}}}
    with pytest.raises(OutputError, match=r"it cannot be checked: Unresolvable: https://schemas\.test/b") as caught:
        Client(Plain('{"city": "Oslo"}')).ask("x", output=schema, repairs=0)
    assert caught.value.partial == '{"city": "Oslo"}'


def test_a_reference_to_an_anchor_is_sent_as_it_is():
    provider = Formats("[1]")
    assert Client(provider).ask("x", output=BY_ANCHOR) == [1]
    assert inner(provider)["schema"]["properties"]["value"] == {"type": "array", "items": {"$ref": "#n"}}
