"""What a service adds to a message is sent back with it: it is refused when it comes if that will not be possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Conversation, ResponseFormatError

from .conftest import Provide
from .openai_answers import STOP, completion, piece, streamed, whole
from .raw_server import RawServer, every

ARGUMENTS = '{"city":"Oslo"}'
WEATHER = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
END = piece({}, "tool_calls")


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def _adding(place: str, value: Any) -> dict[str, Any]:
    """Write a message with a tool call, and a field of the service's own somewhere in it."""
    if place == "the message":
        return {"own": value, "tool_calls": [WEATHER]}
    if place == "the call":
        return {"tool_calls": [{**WEATHER, "own": value}]}
    return {"tool_calls": [{**WEATHER, "function": {"name": "weather", "arguments": ARGUMENTS, "own": value}}]}


@pytest.mark.product
@pytest.mark.parametrize("place", ["the message", "the call", "the function"])
@pytest.mark.parametrize("write", ["streamed", "whole"])
def test_what_could_not_be_sent_back_is_an_error_when_it_comes(place: str, write: str, provide: Provide) -> None:
    for value in (float("nan"), [{"x": float("-inf")}], _nested(96), {"a": _nested(95)}):
        message = _adding(place, value)
        first = streamed(piece({"content": None, **message}), END)
        if write == "whole":
            first = whole(completion({"content": None, **message}, "tool_calls"))
        with RawServer(every(first)) as server:
            talk = Conversation(provide(server))
            with pytest.raises(ResponseFormatError, match=r"the field (own|function) has"):
                talk.ask("weather?", tools=[])
            assert talk.messages == []


@pytest.mark.parametrize("place", ["the message", "the call", "the function"])
def test_what_is_nested_as_deeply_as_can_be_sent_back_is_kept(place: str, provide: Provide, tmp_path: Path) -> None:
    message = _adding(place, _nested(94))
    first = whole(completion({"content": None, **message}, "tool_calls"))
    with RawServer(every(first, streamed(piece({"content": "Sunny."}), STOP))) as server:
        talk = Conversation(provide(server))
        talk.ask("weather?", tools=[])
        talk.save(tmp_path / "talk.json")
        assert talk.ask("and?", tools=[]) == "Sunny."
        assert server.requests[1].json["messages"][1] == {"role": "assistant", "content": None, **message}
