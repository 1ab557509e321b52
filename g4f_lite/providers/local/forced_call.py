"""Calls of tools by models that know none: where a call is required, a schema makes the answer one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...answers.deltas import Delta, Finish, ToolCallDelta
from ...answers.json_text import read_json
from ...messages import get_random_string, with_system_text
from ...prompt import Prompt
from .gguf import Metadata

_OTHER_FORMATS = ("grammar", "json_schema", "parallel_tool_calls", "response_format", "tool_choice", "tools")


def is_forced(prompt: Prompt, metadata: Metadata) -> bool:
    """Return whether a prompt requires a call, and the model's template says nothing of tools."""
    options = prompt.options
    required = options.get("tool_choice") not in (None, "auto", "none")
    return bool(required and options.get("tools") and "tools" not in metadata.chat_template)


def with_schema(prompt: Prompt) -> Prompt:
    """Return a prompt that describes the tools in its system message, and whose answer is a call as JSON."""
    choice = prompt.options["tool_choice"]
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    functions = [tool["function"] for tool in prompt.options["tools"]]
    functions = [function for function in functions if named in (None, function["name"])]
    definitions: dict[str, Any] = {}
    calls = [_call_schema(function, definitions) for function in functions]
    options = {name: value for name, value in prompt.options.items() if name not in _OTHER_FORMATS}
    options["json_schema"] = {"anyOf": calls, "$defs": definitions}
    described = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    text = f"Answer with a call of one of these functions, with arguments from the user's message:\n{described}"
    return replace(prompt, messages=with_system_text(prompt.messages, text), options=options)


def _call_schema(function: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Write the schema of a call.

    :param definitions: gets what the schema of the parameters refers to, under names that begin with the function's
    """
    name = function["name"]
    parameters = json.dumps(function.get("parameters") or {"type": "object"})
    arguments = json.loads(parameters.replace('"#/$defs/', f'"#/$defs/{name}.'))
    definitions |= {f"{name}.{inner}": schema for inner, schema in arguments.pop("$defs", {}).items()}
    properties = {"name": {"const": name}, "arguments": arguments}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def as_call(deltas: Iterator[Delta]) -> Iterator[Delta]:
    """Turn an answer that is a call as JSON into a call; one that was cut stays text."""
    text = ""
    for delta in deltas:
        if isinstance(delta, str):
            text += delta
            continue
        if isinstance(delta, Finish) and text:
            try:
                call = read_json(text)
            except ValueError:
                yield text
            else:
                arguments = json.dumps(call["arguments"], ensure_ascii=False)
                yield ToolCallDelta(0, f"call_{get_random_string()}", call["name"], arguments)
                delta = Finish("tool_calls")
        yield delta
