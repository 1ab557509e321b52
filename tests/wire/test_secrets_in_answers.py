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
    ServiceError,
    StreamInterruptedError,
    TurnsExceededError,
)

from .canaries import KEY, Notes, serve, settings_for, take_notes  # noqa: F401  a fixture
from .raw_server import RawServer, every, length

CALL = {"id": "1", "type": "function", "function": {"name": "tool", "arguments": json.dumps({"city": KEY})}}

HELD = "zq7Kp0-secret-value-91"  # looks like no key of a known service


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


@pytest.mark.parametrize(
    "extras",
    [
        {"extra_body": {"api_key": HELD}},
        {"extra_body": {"provider": {"tokens": ["other-0", HELD]}}},
        {"extra_body": {"provider": {"headers": {"X-A": HELD}}}},
        {"extra_query": {"x": ["b", HELD]}},
        {"tools": [{"type": "mcp", "server_url": "https://x.test", "authorization": HELD}]},
        {"tools": [{"type": "mcp", "server_url": "https://x.test", "headers": {"Authorization": f"Bearer {HELD}"}}]},
    ],
)
def test_a_secret_of_one_call_that_a_server_sends_back_is_hidden(extras: dict[str, Any]) -> None:
    message = refused_with(f"unknown: {HELD} of https://x.test", **extras)
    assert "unknown: *** of https://x.test" in message
    assert HELD not in message


def test_what_a_function_says_of_its_parameters_is_no_secret() -> None:
    schema = {"type": "object", "properties": {"key": {"type": "string", "description": "the name of a city"}}}
    tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
    assert "unknown: the name of a city" in refused_with("unknown: the name of a city", tools=[tool])


def refused_with(text: str, **extras: Any) -> str:
    answer = length(json.dumps({"error": {"message": text}}).encode(), status="400 Bad Request")
    with RawServer(every(answer)) as server, pytest.raises(ServiceError) as caught:
        OpenAICompatible(server.url, model="m", retry=None).ask("hi", **extras)
    return f"{caught.value} {caught.value.body}"


@pytest.mark.parametrize(
    "extras",
    [
        {"extra_body": {"provider": {"tokens": ["other-0", HELD]}}},
        {"extra_headers": {"X-A": HELD}},
        {"extra_query": {"x": HELD}},
        {"extra_query": {"x": ["b", HELD]}},
    ],
)
def test_a_secret_of_a_call_for_vectors_or_images_that_a_server_sends_back_is_hidden(extras: dict[str, Any]) -> None:
    refusal = length(json.dumps({"error": {"message": f"unknown: {HELD} here"}}).encode(), status="400 Bad Request")
    with RawServer(every(refusal)) as server, Client(OpenAICompatible(server.url, model="m", retry=None)) as client:
        for call in (
            lambda: client.embeddings.create("x", **extras),
            lambda: client.images.generate("x", **extras),
        ):
            with pytest.raises(ServiceError, match=r"unknown: \*\*\* here") as caught:
                call()
            assert HELD not in f"{caught.value} {caught.value.body}"


def test_an_extra_body_that_contains_itself_is_an_error_at_the_call() -> None:
    body: dict[str, Any] = {}
    body["key"] = body
    with OpenAICompatible("http://127.0.0.1:9", model="m") as provider:
        for call in (provider.create_embeddings, provider.generate_image):
            with pytest.raises(ValueError, match="contains itself"):
                call("x", extra_body=body)
