"""The page for users of OpenAI's client has a row for everything in their chat API, and what it says of it is so."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Client
from g4f_lite.client.chat import Completions
from g4f_lite.client.embeddings import Embeddings
from g4f_lite.emulator import Emulator
from g4f_lite.providers.openai import embeddings
from g4f_lite.providers.openai.options import OPTIONS
from g4f_lite.testing import Scripted

openai = pytest.importorskip("openai", reason="the official package is not installed")
chat = pytest.importorskip("openai.types.chat")

PAGE = (Path(__file__).parents[2] / "docs" / "from-openai.md").read_text(encoding="utf-8")


def version_of(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")[:2]))


DESCRIBED = version_of(re.search(r"the chat API of openai ([\d.]+\d)", PAGE)[1])  # type: ignore[index]
newest = pytest.mark.skipif(
    version_of(openai.__version__) > DESCRIBED,
    reason=f"openai {openai.__version__} is newer than the page; compare, add rows, and name the version",
)


def rows(heading: str) -> dict[str, bool]:
    """Read a table: whether each name of its first column is supported."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, bool] = {}
    for line in re.findall(r"^\| (`.*)\|$", section, re.MULTILINE):
        names, _, here = line.partition("|")
        assert re.match(r"(yes|no: \S)", here.strip()), line
        found |= dict.fromkeys(re.findall(r"`([\w.]+)`", names), here.strip().startswith("yes"))
    return found


def supported(heading: str) -> list[str]:
    return [name for name, is_supported in rows(heading).items() if is_supported]


def parameters(function: Any) -> set[str]:
    return {name for name in inspect.signature(function).parameters if name != "self" and not name.startswith("_")}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@newest
@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Arguments of `OpenAI`", parameters(openai.OpenAI)),
        ("Methods of `chat.completions`", public(openai.resources.chat.Completions)),
        ("Arguments of `chat.completions.create`", parameters(openai.resources.chat.Completions.create)),
        ("Arguments of `embeddings.create`", parameters(openai.resources.Embeddings.create)),
    ],
)
def test_a_table_has_everything(heading: str, names: set[str]) -> None:
    assert names - rows(heading).keys() == set()


@newest
def test_the_objects_of_the_client_are_in_the_table() -> None:
    attributes = {name for name in vars(openai.OpenAI(api_key="k")) if not name.startswith("_")}
    arguments = rows("Arguments of `OpenAI`").keys()
    named = rows("Methods and objects of the client").keys()
    assert (public(openai.OpenAI) | attributes) - named - arguments == set()


def test_arguments_that_are_supported_are_taken() -> None:
    assert set(supported("Arguments of `OpenAI`")) <= parameters(Client)
    create, embed = parameters(Completions.create), parameters(Embeddings.create)
    assert set(supported("Arguments of `chat.completions.create`")) <= create | OPTIONS
    assert set(supported("Arguments of `embeddings.create`")) <= embed | embeddings.OPTIONS


def test_objects_that_are_supported_are_there() -> None:
    client = Client(Scripted())
    for name in supported("Methods and objects of the client"):
        assert hasattr(client, name), name
    for name in supported("Methods of `chat.completions`"):
        assert hasattr(client.chat.completions, name), name


VALUES: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "wav"},
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "logit_bias": {"50": 1},
    "metadata": {"a": "b"},
    "modalities": ["text"],
    "moderation": {"model": "m"},
    "n": 2,
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_options": {"mode": "explicit"},
    "response_format": {"type": "json_object"},
    "stop": ["a"],
    "stream_options": {"include_usage": True},
    "tool_choice": "auto",
    "tools": [{"type": "custom", "custom": {"name": "c"}}],
    "web_search_options": {},
    **dict.fromkeys(("logprobs", "parallel_tool_calls", "store", "stream"), True),
    **{name: {"x": "y"} for name in ("extra_body", "extra_headers", "extra_query")},
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty", "timeout"), 1.0),
    **dict.fromkeys(("seed", "max_tokens", "max_completion_tokens", "top_logprobs"), 3),
}


@pytest.fixture(scope="module")
def emulator() -> Any:
    with Emulator() as emulator:
        yield emulator


def test_every_argument_is_sent(emulator: Emulator) -> None:
    names = set(supported("Arguments of `chat.completions.create`")) - {"messages", "model"}
    sent_beside = {"extra_body", "extra_headers", "extra_query", "timeout"}
    client = Client(base_url=f"{emulator.url}/v1")
    options = {name: VALUES.get(name, "low") for name in names}
    list(client.chat.completions.create("hi", model="m", **options))
    request = emulator.requests[-1]
    body = request.json()
    assert {name: body.get(name) for name in names - sent_beside} == {
        name: options[name] for name in names - sent_beside
    }
    assert (body["x"], request.headers["x"], request.query) == ("y", "y", {"x": "y"})


TOKEN = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}
USAGE = {
    "prompt_tokens": 1,
    "completion_tokens": 2,
    "total_tokens": 3,
    "prompt_tokens_details": {
        "audio_tokens": 1, "cached_tokens": 2, "cache_write_tokens": 3, "image_tokens": 4, "text_tokens": 5,
    },
    "completion_tokens_details": {
        "accepted_prediction_tokens": 1, "audio_tokens": 2, "reasoning_tokens": 3, "rejected_prediction_tokens": 4,
        "text_tokens": 5,
    },
}  # fmt: skip
CITATION = {"url": "u", "title": "t", "start_index": 0, "end_index": 1}
MESSAGE = {
    "role": "assistant",
    "content": "a",
    "refusal": "b",
    "annotations": [{"type": "url_citation", "url_citation": CITATION}],
    "audio": {"id": "a", "data": "d", "expires_at": 1, "transcript": "t"},
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "2", "type": "custom", "custom": {"name": "c", "input": "i"}},
    ],
}  # fmt: skip
TOP = {"id": "c", "created": 1, "model": "m", "service_tier": "flex", "system_fingerprint": "fp"}
LOGPROBS = {"content": [TOKEN], "refusal": [TOKEN]}
CHOICE = {"index": 0, "finish_reason": "stop", "logprobs": LOGPROBS}
WHOLE = {
    **TOP,
    "object": "chat.completion",
    "metadata": {"a": "b"},
    "usage": USAGE,
    "choices": [{**CHOICE, "message": MESSAGE}],
}
DELTA = {
    **{name: MESSAGE[name] for name in ("role", "content", "refusal")},
    "audio": {"id": "a"},
    "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
CHUNK = {**TOP, "object": "chat.completion.chunk", "choices": [{**CHOICE, "delta": DELTA}], "usage": USAGE}


def places(completion: Any) -> dict[str, Any]:
    """Give the objects of a completion by the names that the page has for them."""
    choice = completion.choices[0]
    return {
        "completion": completion,
        "choice": choice,
        "logprobs": choice.logprobs,
        "token": choice.logprobs.content[0],
        "message": choice.message,
        "call": choice.message.tool_calls[0],
        "usage": completion.usage,
        "prompt_details": completion.usage.prompt_tokens_details,
        "completion_details": completion.usage.completion_tokens_details,
    }


def plain(value: Any) -> Any:
    """Write a result of either client as JSON."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    written = value.to_dict() if hasattr(value, "to_dict") else value
    if isinstance(written, dict):
        return {name: plain(inner) for name, inner in written.items() if name not in ("provider", "index")}
    return written


def served(emulator: Emulator, body: dict[str, Any], *, stream: bool) -> None:
    text = f"data: {json.dumps(body)}\n\ndata: [DONE]\n\n" if stream else json.dumps(body)
    kind = "text/event-stream" if stream else "application/json"
    emulator.fail("status", status=200, body=text, content_type=kind)


def test_attributes_have_the_values_that_the_official_client_gives(emulator: Emulator) -> None:
    served(emulator, WHOLE, stream=False)
    ours = places(Client(base_url=f"{emulator.url}/v1", model="m").chat.completions.create("hi"))
    theirs = places(chat.ChatCompletion.model_validate(WHOLE))
    attributes = [name.split(".") for name in supported("Attributes of results")]
    compared = [(place, name) for place, name in attributes if place in theirs]
    assert len(compared) > 40
    for place, name in compared:
        expected = getattr(theirs[place], name, None)
        assert plain(getattr(ours[place], name)) == plain(expected), f"{place}.{name}"
    custom = ours["message"].tool_calls[1]
    assert (custom.type, custom.custom.name, custom.custom.input) == ("custom", "c", "i")


def test_the_older_form_of_a_call_is_the_same(emulator: Emulator) -> None:
    message = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    choice = {"index": 0, "message": message, "finish_reason": "function_call"}
    served(emulator, {**WHOLE, "choices": [choice]}, stream=False)
    made: Any = Client(base_url=f"{emulator.url}/v1", model="m").chat.completions.create("hi")
    assert made.choices[0].message.function_call.to_dict() == message["function_call"]


def test_attributes_of_chunks_are_there(emulator: Emulator) -> None:
    served(emulator, CHUNK, stream=True)
    client = Client(base_url=f"{emulator.url}/v1", model="m")
    chunks = list(client.chat.completions.create("hi", stream=True, stream_options={"include_usage": True}))
    found: dict[str, list[Any]] = {
        "chunk": chunks,
        "chunk_choice": [choice for chunk in chunks for choice in chunk.choices],
        "delta": [choice.delta for chunk in chunks for choice in chunk.choices],
    }
    theirs = chat.ChatCompletionChunk.model_validate(CHUNK)
    expected = {"chunk": theirs, "chunk_choice": theirs.choices[0], "delta": theirs.choices[0].delta}
    for place, name in (name.split(".") for name in supported("Attributes of results")):
        if place in found and name not in ("choices", "delta"):
            values = [plain(getattr(each, name)) for each in found[place]]
            assert plain(getattr(expected[place], name)) in values, f"{place}.{name}"


def test_what_the_service_did_not_send_is_none(emulator: Emulator) -> None:
    served(emulator, {"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1}}, stream=False)
    made: Any = Client(base_url=f"{emulator.url}/v1", model="m").chat.completions.create("hi")
    message = made.choices[0].message
    assert (made.service_tier, made.metadata, made.moderation, message.annotations, message.audio) == (None,) * 5
    with pytest.raises(AttributeError, match="'CompletionMessage' object has no attribute 'annotation'"):
        _ = message.annotation


@newest
def test_every_attribute_is_in_the_table() -> None:
    completion, chunk = chat.chat_completion, chat.chat_completion_chunk
    usage = openai.types.completion_usage
    kinds = {
        "completion": [chat.ChatCompletion],
        "choice": [completion.Choice],
        "logprobs": [completion.ChoiceLogprobs],
        "token": [chat.ChatCompletionTokenLogprob],
        "message": [chat.ChatCompletionMessage],
        "call": [chat.ChatCompletionMessageFunctionToolCall, chat.ChatCompletionMessageCustomToolCall],
        "usage": [usage.CompletionUsage],
        "prompt_details": [usage.PromptTokensDetails],
        "completion_details": [usage.CompletionTokensDetails],
        "chunk": [chat.ChatCompletionChunk],
        "chunk_choice": [chunk.Choice],
        "delta": [chunk.ChoiceDelta],
    }
    theirs = {f"{place}.{name}" for place, several in kinds.items() for kind in several for name in kind.model_fields}
    assert theirs - rows("Attributes of results").keys() == set()
