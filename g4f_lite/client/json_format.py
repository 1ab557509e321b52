"""``response_format`` for services that do not support it: requested in the prompt, and checked in the answer."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ..answers.buffer import MAX_BYTES
from ..answers.deltas import Delta, Finish
from ..answers.json_text import read_json, without_fence
from ..errors import ResponseFormatError
from ..messages import Messages, with_system_text

if TYPE_CHECKING:
    from ..typed.schema_check import SchemaCheck


class JsonFormat:
    """The JSON format of an answer, with or without a schema.

    :param response_format: as in OpenAI's API: ``{"type": "json_object"}``, or ``{"type": "json_schema",
        "json_schema": {"name": …, "schema": {…}}}``
    :raises MissingDependencyError: if there is a schema, and the package jsonschema is not installed
    :raises TypeError: if it is not a dict
    :raises ValueError: if it has another type, or an invalid schema
    """

    def __init__(self, response_format: Any) -> None:
        self.schema = _schema_of(response_format)
        self._check = None if self.schema is None else _check_of(self.schema)

    def add_to(self, messages: Messages) -> Messages:
        """Return the messages with a system message that requests the format."""
        text = "Answer with one JSON object and nothing else: no explanation, no code fence."
        if self.schema is not None:
            text = (
                "Answer with JSON and nothing else: no explanation, no code fence. "
                f"It must match this JSON schema:\n{json.dumps(self.schema, ensure_ascii=False)}"
            )
        return with_system_text(messages, text)

    def hold(self, deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        """Hold back the text until it is complete and checked: a stage of an answer's stream."""
        pieces: list[str] = []
        room = MAX_BYTES
        for delta in deltas:
            if isinstance(delta, str):
                pieces.append(delta)
                room -= len(delta)
                if room < 0:
                    deltas.close()
                    raise ResponseFormatError(
                        f"the answer is longer than the {MAX_BYTES:,} characters that response_format allows"
                    )
                continue
            if isinstance(delta, Finish) and pieces:
                yield self.check("".join(pieces))
            yield delta

    def check(self, text: str) -> str:
        """Return the JSON in an answer, without the code fence around it.

        :raises ResponseFormatError: if it is not JSON, or does not match the schema; ``partial`` is the text
        """
        stripped = without_fence(text)
        try:
            value = read_json(stripped)
        except (ValueError, RecursionError) as error:
            raise _mismatch(f"expected JSON, as response_format requires: {error}", text) from error
        if self.schema is None and not isinstance(value, dict):
            raise _mismatch("expected a JSON object, as response_format requires, got other JSON", text)
        try:
            wrong = self._check.first_error(value) if self._check is not None else None
        except Exception as error:  # a $ref in the schema leads nowhere, or round in a circle, or it takes too long
            raise _mismatch(f"the schema in response_format cannot be checked: {error!s:.200}", text) from error
        if wrong is not None:
            raise _mismatch(
                f"the answer does not match the schema in response_format, at {wrong.path}: {wrong.message}",
                text,
            )
        return stripped


def _mismatch(message: str, text: str) -> ResponseFormatError:
    return ResponseFormatError(message, step="stream", partial=text)


def _schema_of(response_format: Any) -> dict[str, Any] | None:
    if not isinstance(response_format, dict):
        raise TypeError(
            f"response_format must be a dict such as {{'type': 'json_object'}}, not {type(response_format).__name__}"
        )
    kind = response_format.get("type")
    if kind == "json_object":
        return None
    if kind != "json_schema":
        raise ValueError(f"response_format has the type {kind!r}; it must be 'text', 'json_object' or 'json_schema'")
    schema = (response_format.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise ValueError("response_format has no schema; write {'type': 'json_schema', 'json_schema': {'schema': {…}}}")
    return schema


def _check_of(schema: dict[str, Any]) -> SchemaCheck:
    from ..typed.schema_check import SchemaCheck  # which needs jsonschema

    return SchemaCheck(schema)
