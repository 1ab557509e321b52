"""The results of OpenAI's API as plain dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

from g4f_lite import Answer, Client, EmptyResponseError, Finish, Identity, Reasoning, ToolCall, ToolCallDelta, Usage
from g4f_lite.client.chunks import ChoiceDelta, ChunkChoice, CompletionChunk
from g4f_lite.client.image_results import Image, ImagesResponse
from g4f_lite.client.models import Model, ModelList
from g4f_lite.client.results import Completion, CompletionUsage
from g4f_lite.testing import Scripted


def completion(**fields):
    answer = Answer("Hello", model="m", provider="P", finish_reason="stop", **fields)
    return Completion.of(answer, Identity(), 1700000000)


def test_what_the_service_did_not_say_is_none():
    made = completion()
    assert made.usage is None
    assert made.choices[0].message.reasoning is None
    assert made.choices[0].message.tool_calls is None
    assert made.choices[0].logprobs is None


def test_to_dict_is_the_json_of_the_api():
    made = completion(usage=Usage(1, 2, 3), reasoning="hm")
    assert made.to_dict() == {
        "id": made.id,
        "created": 1700000000,
        "model": "m",
        "provider": "P",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "reasoning": "hm", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        "object": "chat.completion",
    }
    assert json.loads(made.to_json()) == made.to_dict()


def test_model_dump_holds_every_field():
    made = completion()
    dumped = made.model_dump()
    assert dumped["usage"] is None
    assert dumped["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello",
        "reasoning": None,
        "tool_calls": None,
        "refusal": None,
        "function_call": None,
    }
    assert "usage" not in made.model_dump(exclude_none=True)
    assert made.model_dump(exclude_none=True)["choices"][0]["message"] == {"role": "assistant", "content": "Hello"}


def test_model_dump_json_is_compact_and_keeps_letters():
    made = completion()
    made.choices[0].message.content = "Größe"
    text = made.model_dump_json()
    assert '"content":"Größe"' in text
    assert json.loads(text) == made.model_dump()
    assert made.model_dump_json(indent=2).count("\n") > 5


def test_what_is_unset_can_be_left_out():
    made = completion()
    assert made.model_dump(exclude_unset=True) == made.to_dict()
    assert json.loads(made.model_dump_json(exclude_unset=True)) == made.to_dict()


def test_tool_calls_are_whole_and_content_is_none():
    answer = Answer("", provider="P", finish_reason="tool_calls", tool_calls=[ToolCall("c1", "f", '{"a": 1}')])
    message = Completion.of(answer, Identity(), 1).choices[0].message
    assert message.to_dict() == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a": 1}'}, "type": "function"}],
    }


def test_a_tool_call_without_an_id_gets_one():
    answer = Answer("", tool_calls=[ToolCall(None, "f", "{}")])
    calls = Completion.of(answer, Identity(), 1).choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].id.startswith("call_")


def test_ids_differ():
    assert completion().id != completion().id
    assert completion().id.startswith("chatcmpl-")


def test_chunks_leave_out_what_they_do_not_add():
    chunk = CompletionChunk("i", 1, "m", "P", [ChunkChoice(ChoiceDelta("x"))])
    assert chunk.to_dict()["choices"] == [{"delta": {"content": "x"}, "finish_reason": None, "index": 0}]
    assert "usage" not in chunk.to_dict()


def test_chunks_have_no_dict_of_their_own():
    chunk = CompletionChunk("i", 1, "m", "P", [ChunkChoice(ChoiceDelta("x"))])
    for made in (chunk, chunk.choices[0], chunk.choices[0].delta):
        assert dataclasses.is_dataclass(made)
        assert not hasattr(made, "__dict__")


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ([ChunkChoice(ChoiceDelta("Hello"))], "Hello"),
        ([ChunkChoice(ChoiceDelta(refusal="No."))], "No."),
        ([ChunkChoice(ChoiceDelta(reasoning="Hm."))], ""),
        ([ChunkChoice(ChoiceDelta(), "stop")], ""),
        ([ChunkChoice(ChoiceDelta("Hello"), index=1)], ""),
        ([], ""),
    ],
)
def test_a_chunk_is_also_the_text_that_it_adds(choices, text):
    for chunk in (CompletionChunk("i", 1, "m", "P", choices), CompletionChunk("i", 1, "m", "P", choices=choices)):
        assert isinstance(chunk, str)
        assert "".join([chunk]) == f"{chunk}" == text
        assert bool(chunk)
        assert chunk.choices == choices
        assert dataclasses.replace(chunk, model="n").model == "n"
        assert repr(chunk).startswith("CompletionChunk(id='i', ")


def test_the_chunks_of_a_stream_are_its_text():
    stream = Client(Scripted("one two")).chat.completions.create("Hello", stream=True)
    assert "".join(stream) == "one two"


@pytest.mark.parametrize(
    "result",
    [
        completion(usage=Usage(1, 2, 3), tool_calls=[ToolCall("c", "f", "{}")]),
        CompletionChunk("i", 1, "m", "P", [ChunkChoice(ChoiceDelta("x"))], CompletionUsage(1, 2, 3)),
        ImagesResponse(1, [Image(url="http://x/1.png")]),
        ModelList([Model("m", "P")]),
    ],
    ids=lambda result: type(result).__name__,
)
def test_results_pickle_copy_and_compare(result):
    assert pickle.loads(pickle.dumps(result)) == result
    assert copy.deepcopy(result) == result


def test_a_list_of_models_is_iterated():
    models = ModelList([Model("a", "P"), Model("b", "P")])
    assert [model.id for model in models] == ["a", "b"]
    assert len(models) == 2


def test_the_stream_holds_every_kind_of_delta():
    deltas = [
        Reasoning("hm"),
        "Hel",
        "lo",
        ToolCallDelta(0, "c1", "f", '{"a"'),
        ToolCallDelta(0, None, None, ": 1}"),
        Usage(1, 2, 3),
        Finish("tool_calls"),
    ]

    class Exact(Scripted):
        def begin(self, prompt):
            yield from deltas

    client = Client(Exact())
    chunks = list(client.chat.completions.create("x", stream=True, stream_options={"include_usage": True}))
    told = [chunk.choices[0].delta.to_dict() for chunk in chunks[:-1]]
    assert told == [
        {"role": "assistant", "reasoning": "hm"},
        {"content": "Hel"},
        {"content": "lo"},
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a"'}, "type": "function"}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {},
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * 5 + ["tool_calls"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == CompletionUsage(1, 2, 3)
    assert len({chunk.id for chunk in chunks}) == 1

    whole = client.chat.completions.create("x")
    message = whole.choices[0].message
    assert (message.content, message.reasoning) == ("Hello", "hm")
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"a": 1}'
    assert whole.usage == CompletionUsage(1, 2, 3)


NAMED = Identity("chatcmpl-theirs", 1600000000, "gpt-4o-mini-2024-07-18", "fp_1")


@pytest.mark.parametrize("options", [{}, {"response_format": {"type": "text"}, "max_tokens": 50}])
def test_an_answer_is_called_what_the_service_calls_it(options):
    client = Client(type("Site", (Scripted,), {"known_options": frozenset()})([NAMED, "Hello"], [NAMED, "Hello"]))
    whole = client.chat.completions.create("x", "gpt-4o-mini", **options)
    chunks = list(client.chat.completions.create("x", "gpt-4o-mini", stream=True, **options))
    for made in (whole, *chunks):
        assert Identity(made.id, made.created, made.model, made.system_fingerprint) == NAMED
    assert whole.choices[0].message.content == "Hello"


def test_what_the_service_does_not_call_it_is_made_here():
    client = Client(Scripted([Identity(model="theirs"), "Hello"], [Identity("theirs"), "Hello"]))
    made = client.chat.completions.create("x", "ours")
    assert made.model == "theirs"
    assert made.id.startswith("chatcmpl-")
    assert made.created > NAMED.created
    made = next(client.chat.completions.create("x", "ours", stream=True))
    assert (made.id, made.model) == ("theirs", "ours")


def test_a_name_alone_is_no_answer():
    with pytest.raises(EmptyResponseError):
        Client(Scripted([NAMED])).chat.completions.create("x")
