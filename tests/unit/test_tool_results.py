"""What a model is told about its calls: results, exceptions, and arguments that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite import (
    Answer,
    RateLimitError,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolDenied,
)
from g4f_lite.answers.deltas import Delta
from g4f_lite.testing import Scripted

pytest.importorskip("msgspec", reason="the extra typed is not installed")


from .tool_loops import ask, call, results, weather


class Strange(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (KeyError("Oslo"), "KeyError: 'Oslo'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (Strange(), "Strange"),
        (RuntimeError("refused: Bearer abcdef123456"), "RuntimeError: refused: Bearer ***"),
        (RuntimeError("http://x/?api_key=verysecret"), "RuntimeError: http://x/?api_key=***"),
        (RuntimeError("sent my-extra-key-12"), "RuntimeError: sent ***"),
        (RuntimeError("red \x1b[31m"), "RuntimeError: red \ufffd[31m"),
        (RuntimeError("x" * 9_999), "RuntimeError: " + "x" * 1_986),
        (RateLimitError("slow down", provider="Other"), "RateLimitError: Other: slow down"),
        (ToolDenied("only for members"), "ToolDenied: only for members"),
    ],
)
def test_the_model_is_told_the_class_and_the_scrubbed_message_of_an_exception(error: Exception, told: str) -> None:
    def fails(city: str) -> str:
        raise error

    seen: list[Any] = []
    provider = Scripted([call("fails", city="Oslo")], "It failed.")
    options = {"extra_headers": {"X-Key": "my-extra-key-12"}}
    assert ask(provider, [fails], on_tool=lambda call, result: seen.append(result), **options) == "It failed."
    assert results(provider) == [told]
    assert seen == [error]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("parallel", [False, True])
def test_what_ends_a_program_is_no_result(error: BaseException, parallel: bool) -> None:
    def fails(n: int) -> str:
        raise error

    provider = Scripted([call("fails", 0, n=1), call("fails", 1, n=2)], "Never.")
    with pytest.raises(type(error)):
        ask(provider, [Tool(fails, parallel=parallel)])
    assert len(provider.calls) == 1


class Model:
    def model_dump(self) -> dict[str, Any]:
        return {"a": 1}


class Array:
    def tolist(self) -> list[int]:
        return [1, 2]


class Other:
    def __repr__(self) -> str:
        return "another thing"


class Evil:
    def model_dump(self) -> None:
        raise KeyError("no")


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("text", "text"),
        ("", ""),
        (Answer("an answer", provider="x"), "an answer"),
        ("\ud83d", "\ufffd"),
        (None, "null"),
        (3, "3"),
        (1.5, "1.5"),
        ({"a": [1, "å"]}, '{"a":[1,"å"]}'),
        ((1, 2), "[1,2]"),
        ({"a": Model(), "b": Array()}, '{"a":{"a":1},"b":[1,2]}'),
        (ToolCall("a", "f", "{}"), '{"id":"a","name":"f","arguments":"{}","type":"function","extra":{}}'),
        ({"a": Other()}, '{"a":"another thing"}'),
        (2**70, "1180591620717411303424"),
        (ENDLESS, "[[...]]"),
        ((n for n in "ab"), '["a","b"]'),
        (Evil(), "KeyError: 'no'"),
    ],
)  # fmt: skip
def test_a_result_is_told_as_text(result: Any, told: str) -> None:
    provider = Scripted([call("get")], "Done.")
    ask(provider, [Tool(lambda: result, name="get")])
    assert results(provider) == [told]


async def later() -> str:
    return "later"


def test_a_result_that_would_have_to_be_awaited_is_an_error() -> None:
    provider = Scripted([call("get")], "Done.")
    ask(provider, [Tool(lambda: later(), name="get")])
    assert results(provider) == ["TypeError: the tool returned something to await, and tools are called synchronously"]


@pytest.mark.parametrize(
    ("delta", "told", "sent_back"),
    [
        (call("weather"), "ValueError: the argument 'city' is missing", "{}"),
        (call("weather", city=[3]), "ValueError: the argument 'city' does not fit: Expected `str`, got `array`",
         '{"city": [3]}'),
        (call("weather", town="Oslo"), "ValueError: there is no parameter 'town'; the parameters are: city",
         '{"town": "Oslo"}'),
        (call("whether", city="Oslo"), "LookupError: there is no tool 'whether'; the tools are: weather",
         '{"city": "Oslo"}'),
        (ToolCallDelta(0, "c0", "weather", '{"city": "Os'),
         "NotJsonError: expected arguments in JSON: Unterminated string", "{}"),
        (ToolCallDelta(0, "c0", "weather", "[1]"), "NotJsonError: expected a JSON object as the arguments", "{}"),
        (ToolCallDelta(0, "c0", "weather", ""), "ValueError: the argument 'city' is missing", "{}"),
        (ToolCallDelta(0, "c0", None, "{}"), "LookupError: there is no tool ''", "{}"),
        (ToolCallDelta(0, "c0", "weather", '"{\\"town\\": 1}"'), "ValueError: there is no parameter", '{"town": 1}'),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_goes_to_the_model_as_an_error(delta: Delta, told: str, sent_back: str) -> None:
    asked: list[ToolCall] = []
    provider = Scripted([delta], [call("weather", city="Oslo")], "Sunny.")
    assert ask(provider, [weather], approve=lambda call: asked.append(call) is None) == "Sunny."
    assert results(provider, 1)[0].startswith(told)
    assert provider.calls[1].messages[1]["tool_calls"][0]["function"]["arguments"] == sent_back
    assert [each.args for each in asked] == [{"city": "Oslo"}]  # nobody is asked about what cannot run


def test_a_call_without_arguments_needs_none() -> None:
    provider = Scripted([ToolCallDelta(0, "c0", "now", "")], "Noon.")
    ask(provider, [Tool(lambda: "12:00", name="now")])
    assert results(provider) == ["12:00"]


@pytest.mark.parametrize("ids", [(None, None), ("", ""), ("same", "same")])
def test_each_call_gets_an_id_of_its_own(ids: tuple[str | None, str | None]) -> None:
    provider = Scripted([call("weather", i, ids[i], city="ab"[i]) for i in (0, 1)], "Sunny.")
    ask(provider, [weather])
    _, message, *told = provider.calls[1].messages
    sent = [each["id"] for each in message["tool_calls"]]
    assert [each["tool_call_id"] for each in told] == sent
    assert len(set(sent)) == 2
    assert all(sent)
    assert [each["content"] for each in told] == ["sunny in a", "sunny in b"]
