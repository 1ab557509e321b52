"""Typed answers over a socket: what is sent in each way, and what a server refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from g4f_lite import AiEngine, Client, OpenAICompatible, OutputError
from g4f_lite.emulator import Emulator

from .conftest import Provide
from .openai_answers import completion, refused, whole
from .raw_server import Connection, RawServer


@dataclass
class Person:
    name: str
    age: int


ADA = Person("Ada", 36)
TEXT = '{"name": "Ada", "age": 36}'
CALL = {"id": "call_1", "type": "function", "function": {"name": "Person", "arguments": TEXT}}


def test_the_schema_is_sent_and_the_answer_converted(emulator: Emulator) -> None:
    emulator.answer(TEXT)
    with OpenAICompatible(f"{emulator.url}/v1", model="m") as provider:
        assert Client(provider).ask("Who?", output=Person) == ADA
    sent = emulator.requests[-1].json()
    assert sent["response_format"]["json_schema"]["schema"]["required"] == ["name", "age"]
    assert "It must match this JSON schema" in sent["messages"][0]["content"]
    assert sent["messages"][1] == {"role": "user", "content": "Who?"}


def test_a_preset_that_shows_the_schema_to_its_model_gets_it_once(emulator: Emulator) -> None:
    emulator.answer(TEXT)
    with OpenAICompatible.preset("openai", base_url=f"{emulator.url}/v1", api_key="k") as provider:
        assert Client(provider).ask("Who?", output=Person) == ADA
    assert emulator.requests[-1].json()["messages"] == [{"role": "user", "content": "Who?"}]


def test_an_answer_is_repaired(emulator: Emulator) -> None:
    emulator.answer('{"name": "Ada"}')
    emulator.answer(TEXT)
    with OpenAICompatible(f"{emulator.url}/v1", model="m") as provider:
        completion = Client(provider).chat.completions.parse("Who?", response_format=Person, repairs=1)
    assert completion.choices[0].message.parsed == ADA
    assert completion.attempts == 2
    assert [message["role"] for message in emulator.requests[-1].json()["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]


def test_a_list_comes_element_by_element(emulator: Emulator) -> None:
    emulator.answer(['{"value": [', TEXT, ",", TEXT, "]}"])
    with (
        OpenAICompatible(f"{emulator.url}/v1", model="m") as provider,
        Client(provider).stream("Who?", output=list[Person]) as stream,
    ):
        assert list(stream.items()) == [ADA, ADA]
        assert stream.output == [ADA, ADA]


def test_a_site_without_options_is_asked_in_the_prompt(emulator: Emulator, site: AiEngine) -> None:
    emulator.answer(f"Of course: {TEXT}")
    assert Client(site).ask("Who?", output=Person) == ADA
    assert "JSON schema" in str(emulator.requests[-1].json())


class Refusing(RawServer):
    """A server that refuses some fields, and calls the tool that it is given."""

    def __init__(self, refusals: dict[str, bytes]) -> None:
        super().__init__(self._answer)
        self.refusals = refusals
        self.sent: list[dict[str, Any]] = []

    def __enter__(self) -> Refusing:
        super().__enter__()
        return self

    def _answer(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            self.sent.append(request.json)
            refusal = next((self.refusals[field] for field in self.refusals if field in request.json), None)
            message = {"content": None, "tool_calls": [CALL]} if "tools" in request.json else {"content": TEXT}
            connection.send(refusal or whole(completion(message)))


NO_FORMAT = refused({"message": "This response_format type is unavailable now", "type": "invalid_request_error"})
NO_MODEL = refused({"message": "This model does not support response format `json_schema`."})
NO_TOOLS = refused({"message": "No endpoints found that support tool use.", "code": 404}, "404 Not Found")
FINDING = {"type": "extra_forbidden", "loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}
NO_FIELD = whole({"detail": [FINDING]}, status="422 Unprocessable Entity")


@pytest.mark.parametrize("refusal", [NO_FORMAT, NO_FIELD, NO_MODEL])
def test_where_a_schema_is_refused_a_tool_is_called(refusal: bytes, provide: Provide) -> None:
    with Refusing({"response_format": refusal}) as server:
        client = Client(provide(server))
        assert client.ask("Who?", output=Person) == ADA
        assert client.stream("Who?", output=Person).output == ADA
        assert ["response_format" in body for body in server.sent] == [True, False, False]
        assert server.sent[1]["tools"][0]["function"]["name"] == "Person"


def test_where_both_are_refused_the_prompt_asks(provide: Provide) -> None:
    with Refusing({"response_format": NO_FORMAT, "tools": NO_TOOLS}) as server:
        assert Client(provide(server)).ask("Who?", output=Person) == ADA
        assert "JSON schema" in server.sent[2]["messages"][0]["content"]


def test_the_error_has_what_the_server_said(provide: Provide) -> None:
    with (
        Refusing({"response_format": NO_FORMAT, "tools": NO_TOOLS}) as server,
        pytest.raises(
            OutputError, match=r"OpenAICompatible, stream: the answer is not a valid list\[int\]: Exp"
        ) as caught,
    ):
        Client(provide(server)).ask("Who?", output=list[int])
    assert caught.value.text == TEXT
    assert caught.value.attempts == 2
