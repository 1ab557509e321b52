"""Our results against the official `openai` package: its types accept them, its scripts say the same through both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client, Finish, Identity, ImageResponse, Local, Reasoning, Refusal, ToolCallDelta, Usage
from g4f_lite.emulator import Emulator
from g4f_lite.providers.local.gguf import read_metadata
from g4f_lite.providers.local.manners import manner_of
from g4f_lite.testing import Scripted

from .conftest import engine_of

openai = pytest.importorskip("openai", reason="the official package is not installed")
chat_types = pytest.importorskip("openai.types.chat")

CALL = [
    ToolCallDelta(0, "call_1", "weather", '{"city":'),
    ToolCallDelta(0, None, None, ' "Oslo"}'),
    ToolCallDelta(1, "call_2", "time", "{}"),
]
ANSWERS = {
    "text": ["Hello", " there", Usage(3, 2, 5), Finish("stop")],
    "all that is counted and named": [Identity("i", 1, "m", "fp_1"), "Hi", Usage(3, 2, 5, 1, 0), Finish("stop")],
    "no usage": ["Hello", Finish("length")],
    "reasoning": [Reasoning("Hm."), "Hello", Finish("stop")],
    "tool calls": [*CALL, Finish("tool_calls")],
    "text and tool calls": ["Let me look.", *CALL, Usage(9, 8, 17), Finish("tool_calls")],
    "image": [ImageResponse("http://127.0.0.1/1.png", "a cat"), Finish("stop")],
    "refusal": [Refusal("I cannot"), Refusal(" help."), Finish("stop")],
    "text and refusal": ["Well, ", Refusal("no."), Finish("stop")],
    "filtered": ["He", Finish("content_filter")],
}


class Exact(Scripted):
    """Says exactly these deltas."""

    def __init__(self, deltas: list[Any]) -> None:
        super().__init__(model="m")
        self.exact = deltas

    def _deltas(self, call: Any) -> Iterator[Any]:  # type: ignore[override]
        yield from self.exact


def accepted(kind: Any, dumped: dict[str, Any]) -> Any:
    """Validate as the package's model, which gives back what it was given."""
    model = kind.model_validate(dumped)
    assert model.to_dict() == dumped
    return model


@pytest.mark.parametrize("deltas", ANSWERS.values(), ids=ANSWERS.keys())
def test_completions_are_accepted(deltas: list[Any]) -> None:
    made = Client(Exact(deltas)).chat.completions.create("x")
    theirs = accepted(chat_types.ChatCompletion, made.to_dict())
    assert theirs.choices[0].message.content == made.choices[0].message.content
    assert theirs.choices[0].message.refusal == made.choices[0].message.refusal
    assert theirs.choices[0].finish_reason == made.choices[0].finish_reason
    chat_types.ChatCompletion.model_validate(made.model_dump())
    chat_types.ChatCompletion.model_validate_json(made.model_dump_json())


@pytest.mark.parametrize("deltas", ANSWERS.values(), ids=ANSWERS.keys())
def test_chunks_are_accepted(deltas: list[Any]) -> None:
    client = Client(Exact(deltas))
    for chunk in client.chat.completions.create("x", stream=True, stream_options={"include_usage": True}):
        accepted(chat_types.ChatCompletionChunk, chunk.to_dict())
        chat_types.ChatCompletionChunk.model_validate(chunk.model_dump())


def test_what_is_wrong_would_not_be_accepted() -> None:
    dumped = Client(Exact(["Hello", Finish("stop")])).chat.completions.create("x").to_dict()
    with pytest.raises(ValueError, match="finish_reason"):
        accepted(chat_types.ChatCompletion, {**dumped, "choices": [{**dumped["choices"][0], "finish_reason": 1}]})


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def both(emulator: Emulator) -> Iterator[tuple[Any, Client]]:
    """The official client and ours, of the same server."""
    emulator.reset()
    with (
        openai.OpenAI(base_url=f"{emulator.url}/v1", api_key="none") as theirs,
        Client(base_url=f"{emulator.url}/v1") as ours,
    ):
        yield theirs, ours


def test_models_and_images_are_accepted(both: tuple[Any, Client]) -> None:
    theirs, ours = both
    for model in ours.models.list():
        accepted(openai.types.Model, model.to_dict())
    assert [model.id for model in ours.models.list()] == [model.id for model in theirs.models.list()]
    for response_format in ("url", "b64_json"):
        made = ours.images.generate(prompt="a cat", n=2, response_format=response_format)
        accepted(openai.types.ImagesResponse, made.to_dict())
        expected = theirs.images.generate(prompt="a cat", n=2, response_format=response_format)
        assert [image.b64_json for image in made.data] == [image.b64_json for image in expected.data]
        assert [bool(image.url) for image in made.data] == [bool(image.url) for image in expected.data]


def script(client: Any, model: str, **more: Any) -> list[Any]:
    """A script as it is written for the official client."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name three colours."}]
    options = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 6, **more}
    whole = client.chat.completions.create(**options)
    said = [
        whole.choices[0].message.content,
        whole.choices[0].message.role,
        whole.choices[0].finish_reason,
        whole.model,
    ]
    pieces, reasons = [], []
    with client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}) as stream:
        for chunk in stream:
            if chunk.choices:
                pieces.append(chunk.choices[0].delta.content or "")
                reasons.append(chunk.choices[0].finish_reason)
            usage, named = chunk.usage, chunk.model
    reasons = [reason for reason in reasons if reason]
    return [*said, "".join(pieces), reasons, usage.to_dict()["completion_tokens"], named]


def test_the_same_script_says_the_same_to_the_emulator(both: tuple[Any, Client]) -> None:
    theirs, ours = (script(client, "gpt-4o-mini") for client in both)
    assert ours == theirs
    assert ours[0] == "Name three colours."


def test_tool_calls_are_the_same(emulator: Emulator, both: tuple[Any, Client]) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "user", "content": "How is the weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{name: call[name] for name in ("id", "type", "function")}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answers = []
    for client in both:
        emulator.answer([{"tool_calls": [call]}, {"finish_reason": "tool_calls"}])
        made = client.chat.completions.create(model="gpt-4", messages=messages, tools=tools)
        answers.append((made.choices[0].finish_reason, made.choices[0].message.tool_calls[0].to_dict()))
    theirs, ours = answers
    assert ours[0] == theirs[0] == "tool_calls"
    assert ours[1] == {name: value for name, value in theirs[1].items() if name != "index"}
    sent = [request.json() for request in emulator.requests if request.step == "prompt"]
    for name in ("messages", "tools", "model"):
        assert sent[0][name] == sent[1][name]


@pytest.mark.once
def test_the_same_script_says_the_same_to_the_embedded_model(at_port: Local, model: Path) -> None:
    address, _, key = engine_of(at_port).token.partition(" ")
    sampling = manner_of(read_metadata(model)).sampling
    theirs = openai.OpenAI(base_url=address, api_key=key)
    with theirs.with_options(max_retries=0), Client(base_url=address, api_key=key) as ours, Client(at_port) as embedded:
        expected = script(theirs, "smollm2", extra_body=sampling)
        assert script(ours, "smollm2", extra_body=sampling) == expected
        assert script(embedded, None) == expected  # type: ignore[arg-type]
        assert script(embedded, expected[3]) == expected
    assert expected[0]
    assert expected[0] == expected[4]
    assert expected[3] == expected[-1] == "port"
