"""The cost of a call."""

from g4f_lite import Client, OpenAICompatible
from g4f_lite.emulator import Emulator

with Emulator() as emulator, OpenAICompatible(f"{emulator.url}/v1") as provider:
    provider.priced_at = "https://api.openai.com/v1"
    client = Client(provider)
    assert client.ask("hello", model="gpt-4o-mini") == "hello"
    assert client.usage.unpriced == 0
    assert 0 < (client.usage.cost or 0) < 0.01
