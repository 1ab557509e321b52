"""Whether an answer matches a schema, and how long that may take."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from g4f_lite import ResponseFormatError
from g4f_lite.client.json_format import JsonFormat
from g4f_lite.typed import check_time
from g4f_lite.typed.mismatch import Mismatch
from g4f_lite.typed.schema_check import SchemaCheck
from g4f_lite.typed.schema_reader import reader_of

UNIQUE = {"type": "array", "uniqueItems": True}
BRANCH = {"type": "object", "properties": {"a": {"$ref": "#/$defs/N"}}}
CHOICES: dict[str, Any] = {
    "$defs": {"N": {"anyOf": [{**BRANCH, "required": ["b"]}, {**BRANCH, "required": ["c"]}]}},
    "$ref": "#/$defs/N",
}
DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("items", "are_unique"),
    [
        ([], True),
        ([1, 2, "1", True, False, 0, None, "null", [1], {"a": 1}, {"a": 2}, {}], True),
        ([{"a": 1, "b": [2]}, {"b": [2], "a": 1}], False),
        ([1, 1.0], False),
        ([[{"a": 1.0}], [{"a": 1}]], False),
        ([1.5, 1.5], False),
        ([[], []], False),
        (["a", "b", "a"], False),
        ("aa", None),
    ],
)
@pytest.mark.parametrize("dialect", [{}, {"$schema": "http://json-schema.org/draft-07/schema#"}])
def test_unique_items(items: Any, are_unique: bool | None, dialect: dict[str, str]) -> None:
    wrong = SchemaCheck({**UNIQUE, **dialect}).first_error(items)
    messages = {True: None, False: f"{items!r} has non-unique elements", None: "'aa' is not of type 'array'"}
    assert (wrong and wrong.message) == messages[are_unique]
    assert SchemaCheck({"uniqueItems": False}).first_error(items) is None


def test_unique_items_are_not_all_compared_with_each_other() -> None:
    began = time.thread_time()
    assert SchemaCheck(UNIQUE).first_error([{"a": number} for number in range(5_000)]) is None
    assert time.thread_time() - began < 5  # hundredths of one; all pairs would take 20


def test_unique_items_are_looked_at_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    check = SchemaCheck(UNIQUE)
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    with pytest.raises(TimeoutError, match=r"more than 0\.05 s of computing"):
        check.first_error(list(range(300_000)))


@pytest.mark.parametrize("schema", [CHOICES, {**DIALECT, **CHOICES}, {**DIALECT, "anyOf": [BRANCH], **CHOICES}])
def test_a_check_that_takes_too_long_ends(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    check = SchemaCheck(schema)
    assert "not valid under any of" in check.first_error(nested(2)).message
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    with pytest.raises(TimeoutError, match=r"more than 0\.05 s of computing"):
        check.first_error(nested(40))


def test_a_dialect_that_a_reference_leads_back_to_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    branch = {**DIALECT, "type": "object", "properties": {"a": {"$ref": "#"}}}
    schema = {**DIALECT, "anyOf": [{**branch, "required": ["b"]}, {**branch, "required": ["c"]}]}
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        SchemaCheck(schema).first_error(nested(40))


UNEVALUATED_ITEMS = {"items": {}, "unevaluatedItems": False}
UNEVALUATED_PROPERTIES = {"additionalProperties": True, "unevaluatedProperties": False}


@pytest.mark.product
@pytest.mark.parametrize("dialect", [{}, {"$schema": "https://json-schema.org/draft/2019-09/schema"}])
@pytest.mark.parametrize(
    ("schema", "parts"), [(UNEVALUATED_ITEMS, list), (UNEVALUATED_PROPERTIES, dict.fromkeys)], ids=["items", "fields"]
)
def test_a_keyword_that_takes_too_long_ends(
    schema: Any, parts: Any, dialect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = SchemaCheck({**dialect, **schema})
    assert check.first_error(parts(map(str, range(100)))) is None
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        check.first_error(parts(map(str, range(30_000))))


def test_an_answer_that_takes_too_long_to_check_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    json_format = JsonFormat({"type": "json_schema", "json_schema": {"name": "x", "schema": CHOICES}})
    with pytest.raises(ResponseFormatError, match="the schema in response_format cannot be checked: that takes more"):
        json_format.check(json.dumps(nested(40)))


def test_an_error_keeps_nothing_of_a_long_answer() -> None:
    json_format = JsonFormat({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "integer"}}})
    long = "x" * 100_000
    with pytest.raises(Mismatch) as of_output:
        reader_of({"type": "integer"}).value_of(long)
    with pytest.raises(ResponseFormatError) as of_format:
        json_format.check(json.dumps(long))
    for error in (of_output.value, of_format.value):
        assert 200 < len(str(error)) < 400
        assert error.__cause__ is None  # jsonschema's error would print the whole value


DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
DEEP: dict[str, Any] = {}
for _ in range(500):
    DEEP = {"properties": {"a": DEEP}}


def test_the_objects_of_a_schema_are_not_all_compared_with_each_other() -> None:
    began = time.thread_time()
    SchemaCheck({**DRAFT_4, "enum": [{"a": number} for number in range(5_000)]})
    assert time.thread_time() - began < 5  # hundredths of one; all pairs would take 20


@pytest.mark.parametrize("dialect", [{}, DIALECT, DRAFT_4])
def test_a_schema_that_takes_too_long_to_check_is_refused(
    dialect: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {**dialect, "properties": {str(number): {} for number in range(10_000)}}
    monkeypatch.setattr(check_time, "MAX_SECONDS", 0.05)
    with pytest.raises(ValueError, match=r"too large to be checked: that takes more than 0\.05 s of computing"):
        SchemaCheck(schema)


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        SchemaCheck(DEEP)


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12"])
def test_an_invalid_schema_of_each_dialect(draft: str) -> None:
    for scheme, end in (("http", "#"), ("https", "")):
        dialect = {"$schema": f"{scheme}://json-schema.org/{draft}/schema{end}"}
        assert SchemaCheck({**dialect, "items": {"type": "integer"}}).first_error([1, "a"]).path == "$[1]"
        with pytest.raises(ValueError, match="the JSON schema is invalid"):
            SchemaCheck({**dialect, "items": {"type": "int"}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": 5},
        {"$schema": ["a"]},
        {"$schema": {"a": 1}},
        {"$schema": "http://["},
        {"type": "string", "pattern": "a{99999999999999999999}"},
        {"patternProperties": {"a{99999999999999999999}": {}}},
        {"$ref": "#/a/b", "a": 5},
    ],
)
def test_an_odd_schema_is_a_value_error_whatever_is_raised_for_it(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the JSON schema cannot be checked; look at its \$schema"):
        SchemaCheck(schema).missing_references()


NODE = {"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}}


@pytest.mark.parametrize(
    ("schema", "missing"),
    [
        ({"items": {"$dynamicRef": "#node"}}, ["#node"]),
        ({"$schema": "https://json-schema.org/draft/2019-09/schema", "items": {"$recursiveRef": "#"}}, []),
        ({"$ref": "#/$defs/a", "$defs": {"a": NODE}}, []),
        ({"$id": "https://schemas.test/a", "$ref": "b"}, []),
    ],
)
def test_references_that_lead_nowhere_are_listed(schema: dict[str, Any], missing: list[str]) -> None:
    assert SchemaCheck(schema).missing_references() == missing
