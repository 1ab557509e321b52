"""``response_format`` for services that do not know it: asked for in the prompt, and checked before it is given."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from ..answers.buffer import MAX_BYTES
from ..answers.deltas import Delta, Finish
from ..answers.json_text import without_fence
from ..errors import ResponseFormatError
from ..messages import Messages


class JsonFormat:
    """What an answer must be: JSON, of a schema where there is one.

    :param response_format: as in OpenAI's API: ``{"type": "json_object"}``, or ``{"type": "json_schema",
        "json_schema": {"name": …, "schema": {…}}}``
    :raises TypeError: it is no dict;  :raises ValueError: another type, or an invalid schema
    """

    def __init__(self, response_format: Any) -> None:
        self.schema = _schema_of(response_format)
        self._validator = None if self.schema is None else _validator_for(self.schema)

    def add_to(self, messages: Messages) -> Messages:
        """Give the messages with a system text that asks for the format."""
        text = "Answer with one JSON object and nothing else: no explanation, no code fence."
        if self.schema is not None:
            text = (
                "Answer with JSON and nothing else: no explanation, no code fence. "
                f"It must fit this JSON schema:\n{json.dumps(self.schema, ensure_ascii=False)}"
            )
        first = messages[0]
        if first["role"] in ("system", "developer") and isinstance(first["content"], str):
            return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]
        return [{"role": "system", "content": text}, *messages]

    def hold(self, deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
        """Hold the text back to its end, so that nothing is given that does not fit: a stage of an answer's stream."""
        pieces: list[str] = []
        room = MAX_BYTES
        for delta in deltas:
            if isinstance(delta, str):
                pieces.append(delta)
                room -= len(delta)
                if room < 0:
                    deltas.close()
                    raise ResponseFormatError(
                        f"the answer is longer than the {MAX_BYTES:,} characters that are held back of one"
                    )
                continue
            if isinstance(delta, Finish) and pieces:
                yield self.check("".join(pieces))
            yield delta

    def check(self, text: str) -> str:
        """Give the JSON in an answer, without a code fence around it.

        :raises ResponseFormatError: it is no JSON, or does not fit; ``partial`` is the text
        """
        stripped = without_fence(text)
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError) as error:
            raise _mismatch(f"the answer is not the JSON that response_format asks for: {error}", text) from error
        if self.schema is None and not isinstance(value, dict):
            raise _mismatch("the answer is JSON, but not the object that response_format asks for", text)
        wrong = next(self._validator.iter_errors(value), None) if self._validator is not None else None
        if wrong is not None:
            raise _mismatch(
                f"the answer does not fit the schema in response_format, at {wrong.json_path}: {wrong.message:.200}",
                text,
            ) from wrong
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
        raise ValueError(f"response_format has the type {kind!r}; it may be 'text', 'json_object' or 'json_schema'")
    schema = (response_format.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise ValueError("response_format has no schema in it: {'type': 'json_schema', 'json_schema': {'schema': {…}}}")
    return schema


def _validator_for(schema: dict[str, Any]) -> Any:
    """Make what checks a value; None without the package jsonschema, and then only the syntax is checked.

    :raises ValueError: the schema is invalid
    """
    try:
        import jsonschema
    except ImportError:
        return None
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"response_format holds no valid JSON schema: {error.message}") from error
    return kind(schema)
