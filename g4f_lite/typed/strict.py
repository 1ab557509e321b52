"""The form of a JSON schema that OpenAI's API calls strict."""

from __future__ import annotations

from typing import Any

_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_KEPT = {"type", "description", "enum", "const", "pattern", "minItems", "maxItems", "$ref"}
_KEPT |= {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_LIMITS_OF_TEXTS = {"minLength", "maxLength"}


def strict_form(schema: dict[str, Any], *, limits_of_texts: bool, may_require: bool = True) -> dict[str, Any] | None:
    """Return a schema in strict form: all properties are required, and there are no others.

    Keywords that OpenAI's API rejects are left out.  A dict with any keys, a tuple and ``Any`` have no such form;
    the result is None then.

    :param limits_of_texts: whether to keep the limits on the lengths of texts, which OpenAI's API rejects and
        grammars can express
    :param may_require: whether a property that may be left out can become required; if not, there is no such form
    """
    kept = _KEPT | _LIMITS_OF_TEXTS if limits_of_texts else _KEPT
    try:
        return _form(schema, kept, may_require)
    except _NoStrictFormError:
        return None


class _NoStrictFormError(Exception):
    pass


def _form(schema: Any, kept: set[str], may_require: bool) -> dict[str, Any]:
    if not isinstance(schema, dict) or "prefixItems" in schema:
        raise _NoStrictFormError
    if isinstance(schema.get("type"), list) and {"array", "object"}.intersection(schema["type"]):
        raise _NoStrictFormError
    if not str(schema.get("$ref", "#/$defs/")).startswith("#/$defs/"):
        raise _NoStrictFormError
    form = {name: value for name, value in schema.items() if name in kept}
    if schema.get("format") in _FORMATS:
        form["format"] = schema["format"]
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        if "allOf" in schema and len(choices) > 1:
            raise _NoStrictFormError
        form["anyOf"] = [_form(choice, kept, may_require) for choice in choices]
    elif "$ref" in form and len(form) > 1:  # nothing may be beside a reference
        form["anyOf"] = [{"$ref": form.pop("$ref")}]
    values = [*form.get("enum", []), *([form["const"]] if "const" in form else [])]
    if values and "type" not in form:
        if not all(type(value) in _TYPES for value in values):
            raise _NoStrictFormError
        types = sorted({_TYPES[type(value)] for value in values})
        form["type"] = types[0] if len(types) == 1 else types
    if not form.keys() & {"type", "anyOf", "$ref"}:
        raise _NoStrictFormError
    if form.get("type") == "array":
        form["items"] = _form(schema.get("items"), kept, may_require)
    if form.get("type") == "object":
        if "properties" not in schema or schema.get("additionalProperties"):
            raise _NoStrictFormError
        if not (may_require or schema["properties"].keys() <= {*schema.get("required", ())}):
            raise _NoStrictFormError
        form["properties"] = {name: _form(inner, kept, may_require) for name, inner in schema["properties"].items()}
        form["required"] = list(form["properties"])
        form["additionalProperties"] = False
    if "$defs" in schema:
        form["$defs"] = {name: _form(inner, kept, may_require) for name, inner in schema["$defs"].items()}
    return form
