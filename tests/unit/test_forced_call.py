"""How a model that knows no tools is made to call one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Local
from g4f_lite.answers.deltas import Finish, Reasoning, ToolCallDelta
from g4f_lite.prompt import Prompt
from g4f_lite.providers.local.forced_call import as_call

from .gguf_files import SMOLLM2, gguf

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file that says that it is SmolLM2, for an engine that need not be installed."""
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)
    file = tmp_path / "copy.gguf"
    file.write_bytes(gguf(SMOLLM2))
    return file


def sent(path: Path, **options: Any) -> dict[str, Any]:
    return Local(path).request(Prompt.of(None, HELLO, **options), "").json  # type: ignore[return-value]


def function(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


TEXT = {"type": "string"}
SPOT = {"$ref": "#/$defs/Spot"}
WEATHER, BOOK = function("weather", city=TEXT), function("book", spot=SPOT)
BOOK["function"]["parameters"]["$defs"] = {"Spot": {"type": "object", "properties": {"next": SPOT}}}


def call_of(name: str, **properties: Any) -> dict[str, Any]:
    """Write the schema of a call."""
    arguments = {"type": "object", "properties": properties}
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


BOOKED = call_of("book", spot={"$ref": "#/$defs/book.Spot"})
NAMED = {"type": "function", "function": {"name": "weather"}}
BOOK_SPOT = {"book.Spot": {"type": "object", "properties": {"next": {"$ref": "#/$defs/book.Spot"}}}}


@pytest.mark.parametrize(
    ("choice", "schema"),
    [
        ("required", {"anyOf": [call_of("weather", city=TEXT), BOOKED], "$defs": BOOK_SPOT}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"anyOf": [call_of("weather", city=TEXT)], "$defs": {}},
        ),
    ],
)
def test_a_model_without_tools_gets_a_schema(path: Path, choice: Any, schema: Any) -> None:
    format_ = {"type": "json_object"}
    body = sent(path, tools=[WEATHER, BOOK], tool_choice=choice, response_format=format_, seed=1)
    assert body["json_schema"] == schema
    assert body.keys().isdisjoint({"tools", "tool_choice", "response_format"})
    assert body["seed"] == 1
    system, *rest = body["messages"]
    assert rest == HELLO
    assert json.loads(system["content"].splitlines()[1]) == WEATHER["function"]


def test_the_arguments_of_a_function_without_parameters_are_an_object(path: Path) -> None:
    body = sent(path, tools=[{"type": "function", "function": {"name": "now"}}], tool_choice="required")
    (call,) = body["json_schema"]["anyOf"]
    assert call["properties"] == {"name": {"const": "now"}, "arguments": {"type": "object"}}


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_call_that_is_not_required_is_the_models_affair(path: Path, choice: Any) -> None:
    body = sent(path, tools=[WEATHER], tool_choice=choice)
    assert body["tools"] == [WEATHER]
    assert "json_schema" not in body


def test_a_model_with_tools_is_told_of_them(path: Path) -> None:
    path.write_bytes(gguf({**SMOLLM2, "tokenizer.chat_template": "{% if tools %}{% endif %}"}))
    body = sent(path, tools=[WEATHER], tool_choice="required")
    assert (body["tools"], body["tool_choice"]) == ([WEATHER], "required")


def test_the_answer_becomes_a_call() -> None:
    *before, call, end = as_call(
        iter([Reasoning("hm"), '{"name": "weather", ', '"arguments": {"city": "Å"}}', Finish()])
    )
    assert before == [Reasoning("hm")]
    assert isinstance(call, ToolCallDelta)
    assert (call.index, call.name, call.arguments) == (0, "weather", '{"city": "Å"}')
    assert call.id
    assert end == Finish("tool_calls")


@pytest.mark.parametrize("pieces", [['{"name": "wea', Finish("length")], [Finish("stop")]])
def test_what_was_cut_stays_text(pieces: list[Any]) -> None:
    assert list(as_call(iter(pieces))) == pieces
