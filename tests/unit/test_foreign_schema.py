"""Which schemas of a client's are not checked in the server's process."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite.contrib.server.foreign_schema import costly_part

PATTERN, REFERENCES = "a pattern", "references that lead to so many others"
UNEVALUATED = "unevaluatedItems or unevaluatedProperties"


def doubling(levels: int) -> dict[str, Any]:
    references = [[{"$ref": f"#/$defs/{level + 1}"}] * 2 for level in range(levels)]
    definitions: dict[str, Any] = {str(level): {"allOf": both} for level, both in enumerate(references)}
    return {"$ref": "#/$defs/0", "$defs": {**definitions, str(levels): {"type": "object"}}}


PERSON = {"type": "object", "properties": {"boss": {"$ref": "#/$defs/Person"}, "aide": {"$ref": "#/$defs/Person"}}}


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        (None, None),
        ({"type": "object"}, None),
        ({"anyOf": [{"items": {"pattern": "(a+)+$"}}]}, PATTERN),
        ({"patternProperties": {}}, PATTERN),
        ({"properties": {"pattern": {"type": "string"}}}, None),
        ({"properties": {"patternProperties": {"(a+)+$": {}}}, "$ref": "#/properties"}, PATTERN),
        ({"allOf": [{"prefixItems": [{}]}], "unevaluatedItems": False}, UNEVALUATED),
        ({"properties": {"a": {"unevaluatedProperties": {}}}}, UNEVALUATED),
        ({"$ref": "#/$defs/Person", "$defs": {"Person": PERSON}}, None),
        ({"$ref": "#"}, None),
        ({"$ref": "#/nowhere/0"}, None),
        (doubling(8), None),
        (doubling(15), REFERENCES),
        (doubling(200), REFERENCES),
        (doubling(2000), REFERENCES),
        ({"properties": {"a~b/c": doubling(15)["$defs"]["0"]}, "$defs": doubling(15)["$defs"]}, REFERENCES),
        ({"prefixItems": [*({"allOf": [{"$ref": f"#/prefixItems/{n}"}] * 2} for n in range(1, 16)), {}]}, REFERENCES),
        ({"$dynamicRef": "#node"}, REFERENCES),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, None),
    ],
)
def test_what_could_take_for_ever_or_all_memory_is_named(schema: Any, part: str | None) -> None:
    assert costly_part(schema) == part
