"""The ways to make a model answer with JSON: the best that a provider has comes first."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary

from ..answers.buffer import MAX_BYTES
from ..answers.deltas import Delta, Finish, ToolCallDelta
from ..errors import (
    AllProvidersFailedError,
    ContextLengthExceededError,
    G4FLiteError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
)
from ..messages import Messages, with_system_text
from ..prompt import Prompt
from .schema import Schema
from .strict import strict_form

Way = Literal["json_schema", "tool", "prompt"]


class Provider(Protocol):
    """The facts about a provider on which the way depends.

    :ivar reads_schema: whether its service shows the schema in ``response_format`` to the model, and takes OpenAI's
        strict form only
    """

    @property
    def known_options(self) -> frozenset[str] | None: ...

    @property
    def reads_schema(self) -> bool: ...


# For each provider, the ways that its service refused, for a model and the name of a schema: another one it may take.
_Refused = set[tuple[Way, str | None, str]]
_refused: WeakKeyDictionary[Provider, _Refused] = WeakKeyDictionary()

# What is in a refusal of a way, as against one of the prompt.
_NAMED: dict[Way, str] = {
    "json_schema": r"(?i)response.?format|json.?schema|json.?mode|structured.?output|guided|grammar|schema",
    "tool": r"(?i)\btools?\b|tool.?choice|tool.?use|function",
}
_STATUSES = (None, 400, 404, 422, 501)


def ways_of(provider: Provider, prompt: Prompt, schema: Schema) -> list[Way]:
    """List the ways that a provider has for a prompt, from the surest on."""
    known = provider.known_options or frozenset()  # None: any option is accepted, and perhaps ignored
    refused = _refused_by(provider)
    ways: list[Way] = []
    if "response_format" in known:
        ways.append("json_schema")
    if {"tools", "tool_choice"} <= known and not prompt.options.keys() & {"tools", "functions", "tool_choice"}:
        ways.append("tool")
    return [*(way for way in ways if (way, prompt.model, schema.name) not in refused), "prompt"]


def is_refusal(error: G4FLiteError, way: Way) -> bool:
    """Return whether a service refused the way in which it was asked, and not the prompt."""
    if isinstance(error, AllProvidersFailedError):
        return any(is_refusal(each, way) for each in error.errors)
    if way not in _NAMED or not isinstance(error, (ResponseStatusError, ServiceError)):
        return False
    if error.status not in _STATUSES or isinstance(error, ContextLengthExceededError):  # which counts tools as well
        return False
    return bool(re.search(_NAMED[way], f"{error.message} {error.body}"))


def remember(provider: Provider, prompt: Prompt, way: Way, schema: Schema) -> None:
    """Remember that a service refused a way."""
    _refused_by(provider).add((way, prompt.model, schema.name))


def _refused_by(provider: Provider) -> _Refused:
    try:
        return _refused.setdefault(provider, set())
    except TypeError:  # a provider that cannot be hashed, such as a dataclass
        return set()


def asked(prompt: Prompt, way: Way, schema: Schema, provider: Provider) -> Prompt:
    """Return the prompt that asks for JSON in one way."""
    options = dict(prompt.options)
    if way == "json_schema":
        strict = strict_form(schema.json, limits_of_texts=not provider.reads_schema, may_require=not schema.is_own)
        inner = {"name": schema.name, "schema": schema.json if strict is None else strict, "strict": strict is not None}
        options["response_format"] = {"type": "json_schema", "json_schema": inner}
    elif way == "tool":
        function = {"name": schema.name, "description": "Give the answer.", "parameters": schema.json}
        options["tools"] = [{"type": "function", "function": function}]
        options["tool_choice"] = {"type": "function", "function": {"name": schema.name}}
    prompt = replace(prompt, options=options)
    if not in_prompt(way, provider):
        return prompt
    return replace(prompt, messages=with_system_text(prompt.messages, _instruction(schema.json)))


def in_prompt(way: Way, provider: Provider) -> bool:
    """Return whether the schema is in the prompt: where the service does not show it to the model."""
    return way == "prompt" or (way == "json_schema" and not provider.reads_schema)


def asked_again(messages: Messages, text: str, wrong: str, schema: Schema | None) -> Messages:
    """Return the messages that ask for another answer.

    :param text: the answer that does not fit
    :param wrong: why it does not
    :param schema: the schema, if the messages do not have it
    """
    answer = [{"role": "assistant", "content": text}] if text.strip() else []
    how = "Answer again, with valid JSON." if schema is None else _instruction(schema.json)
    request = f"Your answer is not valid: {wrong}\n{how}"
    return [*messages, *answer, {"role": "user", "content": request}]


def _instruction(schema: Mapping[str, Any]) -> str:
    return (
        "Answer with JSON and nothing else: no explanation, no code fence. It must match this JSON schema:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )


def arguments_as_text(deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
    """Turn the arguments of the tool call into the text of the answer: a stage of its stream.

    Text is held back, as models also introduce their call; it is the answer if no call comes.

    :raises ResponseFormatError: if there is more text than is kept of an answer
    """
    held: list[str] = []
    room = MAX_BYTES
    index: int | None = None
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            index = delta.index if index is None else index
            if delta.index == index and delta.arguments:
                yield delta.arguments
        elif isinstance(delta, str):
            held.append(delta)
            room -= len(delta)
            if room < 0:
                deltas.close()
                raise ResponseFormatError(f"the text before the call of a tool is longer than {MAX_BYTES:,} characters")
        elif isinstance(delta, Finish):
            if index is None and held:
                yield "".join(held)
            yield Finish("stop") if delta.reason in ("tool_calls", "function_call") else delta
        else:
            yield delta
