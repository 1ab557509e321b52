"""Secrets that a server sends back as a part of an answer appear in no error about it."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

import pydantic
import pytest

from g4f_lite import (
    Client,
    Fallback,
    OpenAICompatible,
    OutputError,
    RefusalError,
    StreamInterruptedError,
    TurnsExceededError,
)

from .canaries import KEY, Notes, serve, settings_for, take_notes  # noqa: F401  a fixture
from .raw_server import RawServer, every, length

CALL = {"id": "1", "type": "function", "function": {"name": "tool", "arguments": json.dumps({"city": KEY})}}


class Place(NamedTuple):
    name: int


class Person(pydantic.BaseModel):
    name: int


@pytest.mark.product
@pytest.mark.parametrize("output", [int, Place, Person, Literal["a", "b"]])
@pytest.mark.parametrize(
    "message",
    [{"content": KEY}, {"content": json.dumps({"name": KEY})}, {"refusal": f"no {KEY}"}, {"tool_calls": [CALL]}],
)
def test_a_typed_answer_that_does_not_fit(output: Any, message: dict[str, Any], notes: Notes) -> None:
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **settings_for(notes)) as provider,
    ):
        for repairs in (0, 1):
            with pytest.raises((OutputError, RefusalError)) as caught:
                Client(provider).ask("hi", output=output, repairs=repairs)
            notes.error(caught.value, variables=False)
        with pytest.raises((OutputError, RefusalError)) as caught:
            _ = Client(provider).stream("hi", output=output).output
        notes.error(caught.value, variables=False)


def test_turns_of_tools_that_have_no_end(notes: Notes) -> None:
    def tool(city: str) -> str:
        """Fail."""
        raise RuntimeError(f"boom {city}")

    body = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [CALL]}}]}).encode()
    with (
        RawServer(every(length(body))) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **settings_for(notes)) as provider,
        pytest.raises(TurnsExceededError) as caught,
    ):
        Client(provider).ask("hi", tools=[tool], max_turns=2)
    assert len(caught.value.messages) == 4
    notes.error(caught.value, variables=False)


def test_an_answer_of_a_chain_that_is_cut(notes: Notes) -> None:
    with (
        RawServer(serve("an answer that is cut")) as server,
        OpenAICompatible(server.url, model="m", api_key=KEY, **settings_for(notes)) as provider,
        pytest.raises(StreamInterruptedError) as caught,
    ):
        Client(Fallback([provider])).ask("hi")
    assert "| *** |" in caught.value.partial
    notes.error(caught.value, variables=False)
