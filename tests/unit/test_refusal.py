"""A model's refusal is told from content, wherever it comes."""

from __future__ import annotations

import json
import pickle

import pytest

from g4f_lite import Client, Conversation, OpenAICompatible, Reasoning, Refusal
from g4f_lite.answers.buffer import Buffer
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Scripted

from .services import Plain

PIECES = [Refusal("I cannot"), Refusal(" help.")]


def test_the_results_have_it_in_its_place():
    client = Client(Scripted(PIECES, PIECES))
    message = client.chat.completions.create("x").choices[0].message
    assert (message.content, message.refusal) == (None, "I cannot help.")
    assert message.to_dict() == {"role": "assistant", "content": None, "refusal": "I cannot help."}
    told = [chunk.choices[0].delta.to_dict() for chunk in client.chat.completions.create("x", stream=True)]
    assert told == [{"role": "assistant", "refusal": "I cannot"}, {"refusal": " help."}, {}]


def test_an_answer_keeps_the_words():
    client = Client(Scripted(PIECES, PIECES, [Reasoning("hm"), "Well, ", *PIECES], "yes"))
    answer = client.ask("x")
    assert (answer, answer.refusal) == ("I cannot help.", "I cannot help.")
    assert pickle.loads(pickle.dumps(answer)).refusal == answer.to_dict()["refusal"] == "I cannot help."
    assert list(client.stream("x")) == ["I cannot", " help."]
    message = client.chat.completions.create("x").choices[0].message
    assert (message.content, message.refusal) == ("Well, ", "I cannot help.")
    assert client.ask("x").refusal is None


def test_a_long_one_is_kept_whole_and_for_itself(monkeypatch):
    monkeypatch.setattr("g4f_lite.answers.buffer.COMPACT_BYTES", 100)
    answer = Client(Scripted(["a", *[Refusal("no ")] * 50, "b"])).ask("x")
    assert (answer.refusal, answer) == ("no " * 50, "ab" + "no " * 50)
    collected = Buffer()
    collected.recent = list(PIECES)
    collected.compact()
    assert list(collected.kept) == [Refusal("I cannot help.")]


@pytest.mark.parametrize("response_format", [{"type": "json_object"}, None])
def test_it_is_not_checked_as_json(response_format):
    answer = Client(Plain(PIECES)).ask("x", response_format=response_format, max_tokens=100)
    assert (answer, answer.refusal, answer.finish_reason) == ("I cannot help.", "I cannot help.", "stop")


def test_the_message_is_sent_back_as_words():
    provider = Scripted(PIECES, "yes")
    client = Client(provider)
    message = client.chat.completions.create("x").choices[0].message
    client.chat.completions.create([{"role": "user", "content": "x"}, message, {"role": "user", "content": "Please."}])
    assert provider.calls[1].messages[1] == {"role": "assistant", "content": "I cannot help."}
    as_given = {"role": "assistant", "content": None, "refusal": "no"}
    Client(Scripted()).ask([{"role": "user", "content": "x"}, as_given, {"role": "user", "content": "Please."}])


def test_a_conversation_remembers_the_words():
    conversation = Conversation(Scripted(PIECES))
    assert conversation.ask("x").refusal == "I cannot help."
    assert conversation.messages[-1] == {"role": "assistant", "content": "I cannot help."}


def test_a_servers_is_read_from_a_stream_and_from_a_whole_answer():
    with Emulator() as emulator, OpenAICompatible(f"{emulator.url}/v1", model="m") as provider:
        for options in ({}, {"extra_body": {"stream": False}}):
            emulator.answer([{"refusal": "I cannot"}, {"refusal": " help."}, {"finish_reason": "stop"}])
            answer = provider.create(messages="x", **options)
            assert (answer, answer.refusal) == ("I cannot help.", "I cannot help."), json.dumps(options)
