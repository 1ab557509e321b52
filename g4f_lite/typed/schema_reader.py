"""How JSON becomes plain values, checked against a JSON schema that the caller wrote."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from ..messages import json_copy
from .lenient import plain_json
from .mismatch import Mismatch
from .schema import Schema, api_name

_DEFINITIONS = ("$defs", "definitions")
_OF_A_ROOT = ("$id", "$schema")
_SUCH_AS = "such as {'type': 'object', 'properties': {…}}"
_NO_TYPE = ("$ref", "anyOf", "oneOf", "allOf", "enum", "const")  # beside which a root may be of any type


class SchemaReader:
    """Checks JSON, and gives it as it is: no text becomes a number.

    :param schema: the schema
    :raises ValueError: if it is not valid
    :raises MissingDependencyError: if the package jsonschema is not installed
    """

    name = "value of the schema"

    def __init__(self, schema: dict[str, Any]) -> None:
        from .schema_check import SchemaCheck  # which needs jsonschema

        if schema.get("type") in ("json_schema", "json_object"):
            raise ValueError(f"pass the JSON schema itself, {_SUCH_AS}, and not OpenAI's format with it in json_schema")
        self._check = SchemaCheck(schema)
        if schema and not schema.keys() & self._check.keywords:
            raise ValueError(f"{schema!r:.80} is not a JSON schema, {_SUCH_AS}: it has no keyword such as 'type'")
        if missing := self._check.missing_references():
            raise ValueError(f"the JSON schema refers to {missing[0]!r:.80}, which is not in it")
        self._own = schema
        is_object = schema["type"] == "object" if "type" in schema else not schema.keys() & _NO_TYPE
        sent = schema if is_object else _wrapped(schema)
        self.schema = Schema(api_name(str(schema.get("title", ""))), sent, not is_object, is_own=True)

    def strictly(self, text: str) -> Any:
        """Read a text that is JSON, as it is asked for.

        :raises Mismatch: if it does not match the schema
        """
        value = plain_json(text)
        if self.schema.wrapped:
            if not isinstance(value, dict) or value.keys() != {"value"}:
                raise Mismatch('expected an object with nothing but "value"')
            value = value["value"]
        return self.value_of(value)

    def value_of(self, value: Any) -> Any:
        """Return a value that matches the schema.

        :raises Mismatch: if it does not
        :raises TimeoutError: if that takes too long to tell
        """
        try:
            json.dumps(value, allow_nan=False)  # a number too large to be one is infinite
            wrong = self._check.first_error(value)
        except TimeoutError:
            raise
        except Exception as error:  # a $ref of the schema goes round in a circle
            raise Mismatch(f"it cannot be checked: {error!s:.200}") from error
        if wrong is not None:
            raise Mismatch(f"{wrong.message} - at `{wrong.path}`")
        return value

    def element(self) -> dict[str, Any]:
        """Return the schema of the elements of a list.

        :raises TypeError: if the schema is not one of lists
        """
        if self._own.get("type") != "array":
            raise TypeError("items() gives the elements of a list, and the schema does not have the type 'array'")
        if "prefixItems" in self._own or not isinstance(self._own.get("items"), dict):
            return {}  # the whole is checked at the end
        definitions, schema = _moved(self._own, "#/list")
        return {"$ref": "#/list/items", "list": schema, **definitions}


def reader_of(schema: dict[str, Any]) -> SchemaReader:
    """Return the reader for a schema; the same one for the same schema, as checking one takes some milliseconds.

    :raises TypeError: if it cannot be written as JSON
    :raises ValueError: if it is not valid
    """
    return _cached(json.dumps(json_copy(schema, "output")))


@lru_cache(maxsize=128)
def _cached(schema: str) -> SchemaReader:
    return SchemaReader(json.loads(schema))


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of ``{"value": …}``, as services require an object."""
    definitions, inner = _moved(schema, "#/properties/value")
    return {"type": "object", "properties": {"value": inner}, "required": ["value"], **definitions}


def _moved(schema: dict[str, Any], pointer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the definitions of a schema, and the rest with its references as they are where a pointer leads.

    A reference to the name of an ``$anchor`` stays: it means the same anywhere.
    """
    text = re.sub(r'(?<="\$ref": ")#(?=[/"])(?!/(?:\$defs|definitions)/)', pointer, json.dumps(schema))
    moved = {name: part for name, part in json.loads(text).items() if name not in _OF_A_ROOT}
    return {name: moved.pop(name) for name in _DEFINITIONS if name in moved}, moved
