"""The JSON schema of a type, and OpenAI's strict form of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from pydantic import BaseModel

from g4f_lite.typed.schema import schema_of
from g4f_lite.typed.strict import strict_form

from .typed_types import City, Color, Even, Loose, Node, Person, Pet, Point, Trip

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
PERSON = {
    "title": "Person",
    "type": "object",
    "properties": {"name": STRING, "age": INTEGER},
    "required": ["name", "age"],
}
EVEN = {
    "title": "Even",
    "description": "An even number.",
    "type": "object",
    "properties": {"number": INTEGER},
    "required": ["number"],
}
CITY = {
    "title": "City",
    "type": "object",
    "properties": {
        "name": {"description": "without the country", "type": "string"},
        "people": {"type": "integer", "minimum": 0},
    },
    "required": ["name"],
}
POINT = {
    "title": "Point",
    "type": "object",
    "properties": {"x": INTEGER, "y": {"description": "to the north", "type": "integer"}},
    "required": ["x"],
}
COLOR = {"title": "Color", "enum": ["blue", "red"]}


def wrapped(schema: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    rest = {"$defs": definitions} if definitions else {}
    return {"type": "object", "properties": {"value": schema}, "required": ["value"], **rest}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Person, PERSON),
        (City, CITY),
        (Point, POINT),
        (Even, EVEN),
        (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (int, wrapped(INTEGER)),
        (Annotated[str, "a city"], wrapped({"description": "a city", **STRING})),
        (Annotated[int, msgspec.Meta(ge=1), "a month"], wrapped({"description": "a month", **INTEGER, "minimum": 1})),
        (Literal["a", "b"], wrapped({"enum": ["a", "b"]})),
        (datetime.datetime, wrapped({**STRING, "format": "date-time"})),
        (list[Decimal], wrapped({"type": "array", "items": {"type": "number"}})),
        (
            tuple[int, str],
            wrapped({"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2}),
        ),
        (Color, wrapped(ref("Color"), Color=COLOR)),
        (list[Person], wrapped({"type": "array", "items": ref("Person")}, Person=PERSON)),
        (Person | None, wrapped({"anyOf": [ref("Person"), {"type": "null"}]}, Person=PERSON)),
        (
            list[Person | Even | None],
            wrapped({"type": "array", "items": {"anyOf": [{"anyOf": [PERSON, EVEN]}, {"type": "null"}]}}),
        ),
        (list[Annotated[int, "a year"]], wrapped({"type": "array", "items": {"description": "a year", **INTEGER}})),
    ],
)
def test_the_schema_of_a_type(kind, schema):
    made = schema_of(kind)
    assert made.json == schema
    assert made.wrapped is ("value" in schema.get("properties", {}))


def test_classes_inside_are_definitions_with_their_descriptions():
    schema = schema_of(Trip)
    assert schema.name == "Trip"
    assert schema.json["properties"] == {
        "who": ref("Person"),
        "to": {"type": "array", "items": {"description": "in order", **ref("City")}},
        "color": ref("Color"),
        "at": {"anyOf": [ref("Point"), {"type": "null"}], "default": None},
        "seats": {"enum": ["aisle", "window"], "default": "window"},
        "notes": {"description": "what else to know", "type": "array", "items": STRING},
    }
    assert schema.json["$defs"] == {"Person": PERSON, "City": CITY, "Color": COLOR, "Point": POINT}


def test_a_type_that_contains_itself_keeps_its_definition():
    schema = schema_of(Node).json
    assert schema["properties"]["children"]["items"] == ref("Node")
    assert schema["$defs"]["Node"]["properties"] == schema["properties"]


def test_two_classes_of_one_name_stay_apart():
    class Owner(BaseModel):
        pet: Pet

    schema = schema_of(dict[str, Owner | None]).json
    assert set(schema["$defs"]) == {"Owner_Pet", "Owner_Owner"}
    both = schema_of(tuple[list[Pet], list[Owner]]).json["$defs"]
    assert set(both["Owner_Pet"]["properties"]) == {"name", "age", "owner"}
    assert set(both["Pet_Owner"]["properties"]) == {"name"}


def test_a_pydantic_model_gives_its_own_schema():
    schema = schema_of(Pet).json
    assert schema["properties"]["age"]["minimum"] == 0
    assert schema["properties"]["age"]["description"] == "in years"
    assert schema["properties"]["owner"]["anyOf"][0] == ref("Pet_Owner")
    assert schema["required"] == ["name", "age"]


@pytest.mark.parametrize("kind", [object, complex, 3, "Person", Person("Ada", 36), print, int | str | complex])
def test_what_cannot_be_an_answer_is_refused(kind):
    with pytest.raises(TypeError):
        schema_of(kind)


def test_what_pydantic_cannot_describe_is_refused():
    @pydantic.dataclasses.dataclass
    class Small:
        number: int = pydantic.Field(le=5)

    class Model(pydantic.BaseModel):
        function: Callable[[], int]

    for kind, message in ((Small, "make it a BaseModel"), (Model, "Model has no JSON schema"), (BaseModel, "no JSON")):
        with pytest.raises(TypeError, match=message):
            schema_of(list[kind])


def test_a_limit_that_would_not_be_checked_is_refused():
    from annotated_types import Ge
    from pydantic import Field

    for limit in (Ge(0), Field(ge=0)):
        with pytest.raises(TypeError, match=r"msgspec\.Meta\(ge="):
            schema_of(list[Annotated[int, limit]])


TYPED_COLOR = {"Color": {"enum": ["blue", "red"], "type": "string"}}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Person, closed(name=STRING, age=INTEGER)),
        (City, closed(name={"description": "without the country", **STRING}, people={**INTEGER, "minimum": 0})),
        (Literal["a", 1, None], closed(value={"enum": [None, 1, "a"], "type": ["integer", "null", "string"]})),
        (Color, {**closed(value=ref("Color")), "$defs": TYPED_COLOR}),
        (
            Annotated[Color, "a color"],
            {**closed(value={"description": "a color", "anyOf": [ref("Color")]}), "$defs": TYPED_COLOR},
        ),
        (dict[str, int], None),
        (tuple[int, str], None),
        (Loose, None),
        (list[Any], None),
    ],
)
def test_the_strict_form(kind, form):
    assert strict_form(schema_of(kind).json, limits_of_texts=False) == form


def test_limits_on_the_length_of_texts_are_for_grammars_only():
    schema = schema_of(Annotated[str, msgspec.Meta(min_length=2, max_length=5)]).json
    assert strict_form(schema, limits_of_texts=False) == closed(value=STRING)
    assert strict_form(schema, limits_of_texts=True) == closed(value={**STRING, "minLength": 2, "maxLength": 5})


def test_the_form_keeps_what_is_in_a_pydantic_model():
    form = strict_form(schema_of(Pet).json, limits_of_texts=False)
    assert form is not None
    assert form["required"] == ["name", "age", "owner"]
    assert form["properties"]["age"] == {"type": "integer", "minimum": 0, "description": "in years"}
    assert form["properties"]["owner"] == {"anyOf": [ref("Pet_Owner"), {"type": "null"}]}
    assert form["$defs"]["Pet_Owner"] == closed(name=STRING)
