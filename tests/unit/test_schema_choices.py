"""What the check of an answer against a schema keeps in memory, and that jsonschema would judge in the same way."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import validator_for

from g4f_lite.typed.schema_check import SchemaCheck

DRAFTS = ["draft-03", "draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12"]
BRANCHES = [{"type": "integer", "minimum": number} for number in range(50)]
DRAFT_3 = {"$schema": "http://json-schema.org/draft-03/schema#"}
STRINGS = {"type": "array", "items": {"type": "string"}}
LONG = "x" * 100_000
NUMBERS = [1] * 20_000


def peak_of(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"anyOf": BRANCHES}, LONG),
        ({"oneOf": BRANCHES}, LONG),
        ({"anyOf": [{"oneOf": BRANCHES}] * 5}, LONG),
        ({**DRAFT_3, "type": BRANCHES}, LONG),
        ({"anyOf": [STRINGS, {"type": "null"}]}, NUMBERS),
        ({"oneOf": [STRINGS, {"type": "null"}]}, NUMBERS),
        ({**DRAFT_3, "type": [STRINGS, "null"]}, NUMBERS),
        ({"unevaluatedProperties": STRINGS}, {LONG[:10_000]: NUMBERS[:500]}),
    ],
)
def test_the_memory_of_a_check_is_a_small_multiple_of_the_value(schema: dict[str, Any], value: Any) -> None:
    check = SchemaCheck(schema)
    check.first_error(value)  # what jsonschema caches
    assert peak_of(lambda: check.first_error(value)) < 5 * len(json.dumps(value)) + 20_000


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"anyOf": [{"type": "integer"}, {"minLength": 2}]}, "a", "'a' is not valid under any of the given schemas"),
        ({"oneOf": [{"type": "integer"}, False]}, "a", "'a' is not valid under any of the given schemas"),
        ({"oneOf": [{}, False, True]}, "a", "'a' is valid under each of True, {}"),
        ({"type": ["integer", "null"]}, "a", "'a' is not of type 'integer', 'null'"),
        ({**DRAFT_3, "type": ["null", {"minimum": 2}]}, 1, "1 is not of type 'null', {'minimum': 2}"),
        ({**DRAFT_3, "type": [{"name": "large", "minimum": 2}]}, 1, "1 is not of type 'large'"),
        ({**DRAFT_3, "type": ["null", {"minimum": 2}]}, 3, None),
    ],
)
def test_an_error_says_what_was_expected(schema: dict[str, Any], value: Any, message: str | None) -> None:
    wrong = SchemaCheck(schema).first_error(value)
    assert (wrong and wrong.message) == message


def test_the_error_of_an_unknown_type_does_not_print_the_value() -> None:
    with pytest.raises(Exception, match=r"^Type 'city' is unknown to this type checker$"):
        SchemaCheck({**DRAFT_3, "type": "city"}).first_error(NUMBERS)


VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 1.5, "", "a", "ab"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from("ab"), values, max_size=2),
    max_leaves=5,
)
TYPES = st.sampled_from(["string", "integer", "number", "null", "boolean", "array", "object"])
SCHEMAS = st.recursive(
    st.builds(lambda types: {"type": types}, TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True))
    | st.sampled_from([{}, {"enum": [1, "a"]}, {"minItems": 2}, {"maxLength": 1}, {"uniqueItems": True}]),
    lambda schemas: st.fixed_dictionaries(
        {},
        optional={
            "anyOf": st.lists(schemas, min_size=1, max_size=3),
            "oneOf": st.lists(schemas, min_size=1, max_size=3),
            "not": schemas,
            "items": schemas,
            "properties": st.dictionaries(st.sampled_from("ab"), schemas, max_size=2),
        },
    ),
    max_leaves=6,
)


@pytest.mark.once
@given(SCHEMAS, VALUES, st.sampled_from(DRAFTS))
def test_a_value_is_judged_as_jsonschema_does(schema: dict[str, Any], value: Any, draft: str) -> None:
    scheme, end = ("https", "") if "/" in draft else ("http", "#")
    schema = {**schema, "$schema": f"{scheme}://json-schema.org/{draft}/schema{end}"}
    error = next(validator_for(schema)(schema).iter_errors(value), None)
    expected = None if error is None else (error.message[:200], error.json_path)
    assert SchemaCheck(schema).first_error(value) == expected
