"""The client over real sockets, and scripts written for other clients with nothing but their imports changed."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator

import pytest

from g4f_lite import (
    AuthenticationError,
    Client,
    ModelNotSupportedError,
    OpenAICompatible,
    RateLimitError,
    ResponseFormatError,
    ServiceError,
    StreamInterruptedError,
)
from g4f_lite.emulator import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def chosen(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator as the server that the environment chooses."""
    monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
    return emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    with Client(base_url=f"{emulator.url}/v1", model="gpt-4o-mini", retry=None) as client:
        yield client


# Scripts as they are found in g4f's documentation; `import g4f` became `import g4f_lite as g4f`.
# Their servers are on loopback, and `said` is what they found out.

G4F_SCRIPTS = {
    "the client": """
from g4f_lite import Client

client = Client()
response = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Hello"}],
)
said = response.choices[0].message.content
""",
    "the client's module": """
from g4f_lite.client import Client

client = Client(provider="OpenAICompatible", base_url=BASE_URL, proxies=None)
response = client.chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], web_search=None
)
said = response.choices[0].message.content
""",
    "streaming": """
from g4f_lite import Client

client = Client()
stream = client.chat.completions.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
said = ""
for chunk in stream:
    if chunk.choices[0].delta.content:
        said += chunk.choices[0].delta.content or ""
""",
    "the oldest way": """
import g4f_lite as g4f

said = g4f.ChatCompletion.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "Hello"}],
)
""",
    "the oldest way, streaming": """
import g4f_lite as g4f

response = g4f.ChatCompletion.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
said = ""
for message in response:
    said += message
""",
    "a provider for one call": """
from g4f_lite import Client, OpenAICompatible

provider = OpenAICompatible(BASE_URL)
client = Client()
response = client.chat.completions.create(
    model="", provider=provider, messages=[{"role": "user", "content": "Hello"}], timeout=30, stream=False
)
said = response.choices[0].message.content
""",
    "a limit and a stop": """
from g4f_lite import Client

response = Client().chat.completions.create(
    model="gpt-4", messages=[{"role": "user", "content": "Hello"}], max_tokens=100, stop=["###"]
)
said = response.choices[0].message.content if response.choices[0].finish_reason == "stop" else ""
""",
    "a provider's own method": """
from g4f_lite import OpenAICompatible

said = ""
for piece in OpenAICompatible(BASE_URL).create_generator("gpt-4", [{"role": "user", "content": "Hello"}]):
    said += piece
""",
}

OPENAI_SCRIPT = """
from g4f_lite import Client as OpenAI
from g4f_lite import G4FLiteError as OpenAIError

client = OpenAI(api_key="a-key", base_url=BASE_URL)
try:
    completion = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        temperature=0.2,
        n=1,
    )
    said = completion.choices[0].message.content
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    with client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
    ) as stream:
        assert said == "".join(chunk.choices[0].delta.content or "" for chunk in stream)
except OpenAIError as error:
    said = str(error)
"""


@pytest.mark.product
@pytest.mark.parametrize("script", [*G4F_SCRIPTS.values(), OPENAI_SCRIPT], ids=[*G4F_SCRIPTS, "the official client"])
@pytest.mark.parametrize("inside", ["a script", "an event loop"])
def test_scripts_with_only_their_imports_changed(chosen: Emulator, script: str, inside: str) -> None:
    names = {"BASE_URL": f"{chosen.url}/v1"}

    async def main() -> None:
        exec(script, names)

    if inside == "a script":
        exec(script, names)
    else:
        asyncio.run(main())
    assert names["said"] == "Hello"
    assert "prompt" in {request.step for request in chosen.requests}


def test_a_script_that_draws(chosen: Emulator) -> None:
    names: dict[str, object] = {}
    exec(
        """
from g4f_lite import Client

client = Client()
response = client.images.generate(
    model="flux", prompt="a white siamese cat", response_format="url"
)
said = response.data[0].url
""",
        names,
    )
    assert re.fullmatch(rf"{chosen.url}/images/\d+\.png", str(names["said"]))


def test_pictures_as_bytes(emulator: Emulator, client: Client) -> None:
    made = client.images.generate("a cat", model="flux", response_format="b64_json", n=2, size="64x64")
    assert [base64.b64decode(image.b64_json or "")[:4] for image in made.data] == [b"\x89PNG"] * 2
    (request,) = emulator.requests
    assert request.path == "/v1/images/generations"
    assert request.json() == {
        "prompt": "a cat",
        "model": "flux",
        "n": 2,
        "size": "64x64",
        "response_format": "b64_json",
    }


def test_the_chats_model_is_not_asked_to_draw(emulator: Emulator, client: Client) -> None:
    provider = OpenAICompatible(f"{emulator.url}/v1", model="llama")
    made = provider.generate_image("a cat")
    assert emulator.requests[0].json() == {"prompt": "a cat"}
    assert made.bytes()[:4] == b"\x89PNG"
    assert made.bytes() is made.bytes()
    assert [request.method for request in emulator.requests] == ["POST", "GET"]


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        ("a cat", {"colour": "red"}, TypeError, "no option 'colour'"),
        ("a cat", {"n": 99}, ServiceError, "'n' must be from 1 to 10"),
        (" ", {}, ValueError, "blank"),
        (5, {}, TypeError, "prompt must be a string"),
    ],
)
def test_pictures_that_cannot_be_had(client, prompt, options, error, message):
    with pytest.raises(error, match=message):
        client.images.generate(prompt, **options)


@pytest.mark.parametrize("fault", ["reset", "error"])
def test_pictures_from_a_server_that_fails(emulator: Emulator, client: Client, fault: str) -> None:
    emulator.fail(fault, path="/v1/images/*")
    with pytest.raises(Exception, match="image") as caught:
        client.images.generate("a cat")
    assert getattr(caught.value, "step", None) == "image"
    assert client.images.generate("a cat").data


def test_an_answer_without_pictures(emulator: Emulator, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from g4f_lite.providers.openai.images import read_images

    for answer in ({}, {"data": []}, {"data": [{}]}, {"data": [{"url": 1}]}, [], {"data": [{"b64_json": "bm8="}]}):
        with pytest.raises(ResponseFormatError):
            read_images(answer)
    with pytest.raises(ServiceError, match="no more cats"):
        read_images({"error": {"message": "no more cats"}})


def test_errors_are_raised_at_the_call(emulator: Emulator, client: Client) -> None:
    emulator.configure(api_key="right", refuse_unknown_models=True)
    with pytest.raises(AuthenticationError):
        client.chat.completions.create("x", stream=True)
    keyed = Client(base_url=f"{emulator.url}/v1", api_key="right", model="gpt-4", retry=None)
    with pytest.raises(ModelNotSupportedError, match=r"models=\{'gpt-9': "):
        keyed.chat.completions.create("x", model="gpt-9", stream=True)
    emulator.fail("rate_limit")
    with pytest.raises(RateLimitError):
        keyed.chat.completions.create("x", stream=True)


def test_closing_a_stream_closes_the_connection(emulator: Emulator, client: Client) -> None:
    emulator.answer([f"{number} " for number in range(100_000)])
    with client.chat.completions.create("Count.", stream=True) as stream:
        next(stream)
    with pytest.raises(StreamInterruptedError):
        next(stream)
    assert client.ask("again") == "again"


def test_calls_share_a_connection(emulator: Emulator, client: Client) -> None:
    for _ in range(5):
        client.chat.completions.create("x")
        list(client.chat.completions.create("x", stream=True))
    assert emulator.connections == 1


def test_the_model_is_the_one_that_was_asked(emulator: Emulator) -> None:
    client = Client(base_url=f"{emulator.url}/v1")
    assert client.chat.completions.create("x").model == "gpt-4o-mini"
    assert next(client.chat.completions.create("x", stream=True)).model == "gpt-4o-mini"
    assert client.chat.completions.create("x", model="gpt-4").model == "gpt-4"
