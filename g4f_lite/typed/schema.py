"""The JSON schema of a Python type."""

from __future__ import annotations

import datetime
import operator
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, Literal, Union

import msgspec
import msgspec.inspect as shapes

from .choice import choice_of, members_of

_REFERENCE = "#/$defs/"
# What msgspec accepts, and does not write in a schema.
_SCHEMAS = {
    datetime.datetime: msgspec.Meta(extra_json_schema={"format": "date-time"}),
    datetime.time: msgspec.Meta(extra_json_schema={"format": "time"}),
}
_WITH_FIELDS = (shapes.DataclassType, shapes.NamedTupleType, shapes.StructType, shapes.TypedDictType)


@dataclass(frozen=True)
class Schema:
    """A JSON schema whose root is an object, as servers require.

    :param name: a name that OpenAI's API accepts for it
    :param json: the schema
    :param wrapped: whether the type is not an object, so that the schema is that of ``{"value": …}``
    :param is_own: whether the caller wrote it, so that what may be left out is not to be required
    """

    name: str
    json: dict[str, Any]
    wrapped: bool
    is_own: bool = False


def schema_of(kind: Any) -> Schema:
    """Return the schema of a type.

    :param kind: the type; texts in its ``Annotated`` hints are descriptions
    :raises TypeError: if there is none
    """
    kind = described(kind)
    classes = {shape.cls: shape for shape in _shapes_with_fields(shapes.type_info(kind))}
    for cls in classes:
        if hasattr(cls, "__pydantic_validator__"):
            raise TypeError(f"{cls.__name__} is a dataclass of pydantic's; make it a BaseModel, or a plain dataclass")
    fields = [
        (cls, field.encode_name, hint)
        for cls, shape in classes.items()
        for field, hint in _hinted(shape)
        if isinstance(shape, shapes.NamedTupleType) or described(hint) is not hint
    ]
    (root, *more), definitions = msgspec.json.schema_components(
        [kind, *classes, *(described(hint) for _, _, hint in fields)],
        schema_hook=_schema_of_model,
        ref_template=f"{_REFERENCE}{{name}}",
    )
    names = {cls: _referred(reference) for cls, reference in zip(classes, more, strict=False)}
    for cls, shape in classes.items():
        if isinstance(shape, shapes.NamedTupleType):  # which msgspec writes as an array
            required = [field.encode_name for field in shape.fields if field.required]
            definitions[names[cls]] = {"title": cls.__name__, "type": "object", "properties": {}, "required": required}
    for (cls, name, _), schema in zip(fields, more[len(classes) :], strict=True):
        properties = definitions[names[cls]]["properties"]
        default = {"default": properties[name]["default"]} if "default" in properties.get(name, {}) else {}
        properties[name] = {**schema, **default}
    for schema in [root, *definitions.values()]:
        for inner in list(_inside(schema)):
            definitions.update(inner.pop("$defs", {}))
            if inner.get("items") is False:  # of a tuple, whose length is limited as well; llama.cpp rejects it
                del inner["items"]
            if inner.get("format") == "decimal":  # it may be either, and models write numbers better
                del inner["format"]
                inner["type"] = "number"
    name = api_name(_name_of(kind))
    if root.keys() == {"$ref"} and definitions[_referred(root)].get("type") == "object":
        root = definitions[_referred(root)]
    wrapped = root.get("type") != "object"
    if wrapped:
        root = {"type": "object", "properties": {"value": root}, "required": ["value"]}
    used = {each: definitions[each] for each in _used(root, definitions)}
    return Schema(name, {**root, "$defs": used} if used else root, wrapped)


def api_name(text: str) -> str:
    """Return a name that OpenAI's API accepts for a schema."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII)[:64] or "answer"


def written(kind: Any) -> str:
    """Return a type as one writes it, such as ``list[City]``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return written(arguments[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(map(written, arguments))
    if arguments:
        return f"{written(origin)}[{', '.join(map(written, arguments))}]"
    if kind is ... or kind is type(None):
        return "..." if kind is ... else "None"
    return str(getattr(kind, "__name__", kind))


def _name_of(kind: Any) -> str:
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return str(getattr(kind, "__name__", "answer"))


def described(hint: Any) -> Any:
    """Return a type hint in which each text in an ``Annotated`` is a description, as msgspec wants it.

    :raises TypeError: if a limit is one of another package's, which would not be checked
    """
    if isinstance(hint, type) and hint in _SCHEMAS:
        return Annotated[hint, _SCHEMAS[hint]]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if not arguments or origin is Literal:
        return hint
    if origin is Annotated:
        inner, *metadata = arguments
        known = [msgspec.Meta(description=each) if isinstance(each, str) else _checked(each) for each in metadata]
        changed = described(inner)
        parts = (changed, *known)
        return hint if changed is inner and known == metadata else origin[parts]
    changed = tuple(map(described, arguments))
    is_union = origin in (Union, types.UnionType)
    members = tuple(each for each in changed if each is not type(None))
    if is_union and (choice := choice_of(members)) is not None:
        return choice if len(members) == len(changed) else choice | None
    if all(new is old for new, old in zip(changed, arguments, strict=True)):
        return hint
    return reduce(operator.or_, changed) if is_union else origin[changed]


def _checked(metadata: Any) -> Any:
    package = type(metadata).__module__.partition(".")[0]
    if package in ("annotated_types", "pydantic"):
        raise TypeError(
            f"{metadata!r:.80} is read in pydantic models only; write msgspec.Meta(ge=…, min_length=…) for a limit, "
            "and a text for a description"
        )
    return metadata


def _shapes_with_fields(shape: Any) -> list[Any]:
    """List the classes with fields in a type, as msgspec describes them."""
    found: dict[int, Any] = {}
    seen: dict[int, Any] = {}
    left = [shape]
    while left:
        each = left.pop()
        if isinstance(each, tuple):
            left += reversed(each)
        elif isinstance(each, (shapes.Type, shapes.Field)) and id(each) not in seen:
            seen[id(each)] = each
            left += [getattr(each, name) for name in reversed(each.__struct_fields__)]
            if isinstance(each, _WITH_FIELDS) and isinstance(each.cls, type):
                found.setdefault(id(each.cls), each)
    return list(found.values())


def _hinted(shape: Any) -> Iterator[tuple[Any, Any]]:
    """Iterate the fields of a class, each with its type hint."""
    hints = typing.get_type_hints(shape.cls, include_extras=True)
    for field in shape.fields:
        hint = hints.get(field.name, Any)
        while str(typing.get_origin(hint)).endswith(("Required", "ReadOnly")):  # of a TypedDict's keys
            (hint,) = typing.get_args(hint)
        yield field, hint


def _schema_of_model(kind: type) -> dict[str, Any]:
    """Return the schema of a pydantic model, of any class that has one, or of a choice.

    :raises TypeError: if it has none
    """
    if members := members_of(kind):
        return {"anyOf": [_alone(schema_of(member)) for member in members]}
    if not hasattr(kind, "model_json_schema"):
        raise TypeError(
            f"{written(kind)} cannot be the type of an answer: it may be a dataclass, TypedDict, NamedTuple, Enum, "
            "pydantic model, or made of these with list, dict, Literal, Annotated and |"
        )
    try:  # with names of its own for what is inside, which may have the same name in two models
        schema: dict[str, Any] = kind.model_json_schema(ref_template=f"{_REFERENCE}{kind.__name__}_{{model}}")
    except Exception as error:  # pydantic has several, and none of them is a TypeError
        raise TypeError(f"{kind.__name__} has no JSON schema: {error}") from error
    definitions = schema.pop("$defs", {})
    return {**schema, "$defs": {f"{kind.__name__}_{name}": inner for name, inner in definitions.items()}}


def _alone(schema: Schema) -> dict[str, Any]:
    return (
        {**schema.json["properties"]["value"], "$defs": schema.json.get("$defs", {})} if schema.wrapped else schema.json
    )


def _referred(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).removeprefix(_REFERENCE)


def _used(root: Any, definitions: Mapping[str, Any]) -> list[str]:
    """List the definitions that a schema refers to, directly or not."""
    found: dict[str, None] = {}
    left = [root]
    while left:
        for inner in _inside(left.pop()):
            name = _referred(inner) if isinstance(inner.get("$ref"), str) else ""
            if name and name not in found:
                found[name] = None
                left.append(definitions[name])
    return list(found)


def _inside(schema: Any) -> Iterator[dict[str, Any]]:
    """Iterate the objects in a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list) else ():
        yield from _inside(inner)
