"""Answers as objects, functions that a model may call, and the check of a JSON schema."""

from dataclasses import dataclass

from g4f_lite import AiChatOnline, Client, ResponseFormatError, ToolCallDelta
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted


@dataclass
class Place:
    city: str
    country: str | None = None


def add(a: int, b: int) -> int:
    """Add two numbers.

    :param a: the first
    :param b: the second
    """
    return a + b


call = ToolCallDelta(0, "call_1", "add", '{"a": 2, "b": 3}', "function_call")
provider = Scripted('{"city": "Oslo"}', [call], "It is 5.")
client = Client(provider)
assert client.ask("Which city?", output=Place) == Place("Oslo")
assert client.ask("What is 2 + 3?", tools=[add]) == "It is 5."
assert provider.calls[-1].messages[-1]["content"] == "5"

schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
with Emulator() as emulator, AiChatOnline(base_url=emulator.url) as plain:  # a service that knows no formats
    emulator.answer('{"city": "Rome"}')
    assert Client(plain).ask("Which?", response_format=wanted).json() == {"city": "Rome"}
    emulator.answer('{"town": "Rome"}')
    try:
        Client(plain).ask("Which?", response_format=wanted)
    except ResponseFormatError as error:
        assert "city" in str(error), error
    else:
        raise AssertionError("an answer without the city")
