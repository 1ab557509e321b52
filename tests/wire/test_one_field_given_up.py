"""Streaming on the wire, and the one field that a prompt may be sent without."""

from __future__ import annotations

import io
import json
import pickle
from typing import Any

import pytest

from g4f_lite import ChatCompletion, Client, G4FLiteError, OpenAICompatible, RetryPolicy, ServiceError

from .conftest import Provide
from .openai_answers import HELLO, completion, refused, whole
from .raw_server import Connection, RawServer, every

WHOLE = whole(completion({"content": "Hello"}))
USAGE = {"include_usage": True}


class Choosy(RawServer):
    """A server that refuses fields, and answers in the way that it is asked to.

    :param refusals: what it answers where a prompt has a field
    """

    def __init__(self, refusals: dict[str, bytes]) -> None:
        super().__init__(self._answer)
        self.refusals = refusals

    def __enter__(self) -> Choosy:
        super().__enter__()
        return self

    def _answer(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            refusal = next((self.refusals[field] for field in self.refusals if field in request.json), None)
            connection.send(refusal or (HELLO if request.json.get("stream") else WHOLE))

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The bodies that came, without model and messages."""
        kept = [json.loads(request.body) for request in self.requests]
        return [{name: value for name, value in body.items() if name not in ("model", "messages")} for body in kept]


# Who asks in which way, and what is sent

WAYS: dict[str, Any] = {
    "create": lambda provider: provider.create(messages="hi"),
    "a generator": lambda provider: provider.create_generator(messages="hi").text(),
    "ask": lambda provider: Client(provider).ask("hi"),
    "a completion": lambda provider: Client(provider).chat.completions.create("hi").choices[0].message.content,
    "chunks": lambda provider: "".join(
        each.choices[0].delta.content or "" for each in Client(provider).chat.completions.create("hi", stream=True)
    ),
    "g4f's oldest name": lambda provider: ChatCompletion.create(messages="hi", provider=provider),
}
WAYS_WITHOUT: dict[str, Any] = {
    "create": lambda provider: provider.create(messages="hi", stream=False),
    "a generator": lambda provider: provider.create_generator(messages="hi", stream=False).text(),
    "ask": lambda provider: Client(provider).ask("hi", stream=False),
    "a completion": lambda provider: (
        Client(provider).chat.completions.create("hi", stream=False).choices[0].message.content
    ),
    "a conversation": lambda provider: Client(provider).conversation().ask("hi", stream=False),
    "g4f's oldest name": lambda provider: ChatCompletion.create(messages="hi", provider=provider, stream=False),
    "the body": lambda provider: provider.create(messages="hi", extra_body={"stream": False}),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_streamed_on_the_wire(way: str, provide: Provide) -> None:
    with Choosy({}) as server:
        assert WAYS[way](provide(server)) == "Hello"
        assert server.sent == [{"stream": True, "stream_options": USAGE}]


@pytest.mark.parametrize("way", WAYS_WITHOUT)
def test_an_answer_is_not_streamed_where_the_caller_says_so(way: str, provide: Provide) -> None:
    with Choosy({}) as server:
        assert WAYS_WITHOUT[way](provide(server)) == "Hello"
        assert server.sent == [{"stream": False} if way == "the body" else {}]


@pytest.mark.parametrize("answer", [HELLO, WHOLE], ids=["events", "one JSON"])
@pytest.mark.parametrize("stream", [True, False])
def test_what_comes_is_read_as_what_it_is(answer: bytes, stream: bool, provide: Provide) -> None:
    with RawServer(every(answer)) as server:
        assert provide(server).create(messages="hi", stream=stream) == "Hello"


def test_stream_is_a_boolean() -> None:
    with pytest.raises(TypeError, match="stream must be True or False, not str"):
        OpenAICompatible("http://127.0.0.1:9/v1").create("m", "hi", stream="no")


@pytest.mark.parametrize(
    "ask",
    [
        lambda provider: provider.create(messages="hi", stream_options=None),
        lambda provider: provider.create(messages="hi", extra_body={"stream_options": None}),
        lambda provider: Client(provider).chat.completions.create("hi", stream_options=None),
    ],
)
def test_stream_options_that_are_none_are_not_sent(ask: Any, provide: Provide) -> None:
    with Choosy({}) as server:
        ask(provide(server))
        assert server.sent == [{"stream": True}]


# What is given up

NO_OPTIONS = {
    "vLLM": whole(
        {"object": "error", "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]", "code": 400},
        status="400 Bad Request",
    ),
    "Mistral": whole(
        {
            "message": {
                "detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs"}]
            }
        },
        status="422 Unprocessable Entity",
    ),
    "Azure": refused({"message": "Unrecognized request argument supplied: stream_options", "type": "invalid"}),
    "plain text": whole("unknown field: stream_options", status="400 Bad Request"),
}


@pytest.mark.product
@pytest.mark.parametrize("refusal", NO_OPTIONS)
@pytest.mark.parametrize("retry", [None, RetryPolicy(backoff=0)])
def test_stream_options_are_given_up(refusal: str, retry: RetryPolicy | None, provide: Provide) -> None:
    with Choosy({"stream_options": NO_OPTIONS[refusal]}) as server:
        provider = provide(server, retry=retry)
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello"] * 2
        assert server.sent == [{"stream": True, "stream_options": USAGE}, {"stream": True}, {"stream": True}]


NOT_VERIFIED = {"message": "Your organization must be verified to stream this model.", "param": "stream"}


def test_streaming_is_given_up(provide: Provide) -> None:
    with Choosy({"stream": refused(NOT_VERIFIED)}) as server:
        provider = provide(server)
        assert [provider.create(messages="hi") for _ in range(2)] == ["Hello"] * 2
        assert Client(provider).chat.completions.create("hi", stream=True).show(io.StringIO()) == "Hello"
        assert server.sent == [{"stream": True, "stream_options": USAGE}, {}, {}, {}]


UNSUPPORTED = {
    "OpenAI": {
        "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "param": "max_tokens",
        "code": "unsupported_parameter",
    },
    "in short": {"message": "max_tokens is not supported here", "param": "max_tokens"},
}


@pytest.mark.parametrize("refusal", UNSUPPORTED)
@pytest.mark.parametrize("options", [{"max_tokens": 50}, {"extra_body": {"max_tokens": 50}}], ids=json.dumps)
def test_a_limit_on_tokens_gets_its_newer_name(refusal: str, options: dict[str, Any], provide: Provide) -> None:
    with Choosy({"max_tokens": refused(UNSUPPORTED[refusal])}) as server:
        provider = provide(server)
        assert [provider.create(messages="hi", **options) for _ in range(2)] == ["Hello"] * 2
        assert [{**each, "stream": 0, "stream_options": 0} for each in server.sent] == [
            {"stream": 0, "stream_options": 0, "max_tokens": 50},
            {"stream": 0, "stream_options": 0, "max_completion_tokens": 50},
            {"stream": 0, "stream_options": 0, "max_completion_tokens": 50},
        ]


@pytest.mark.parametrize(
    ("refusals", "options"),
    [
        (
            {"max_tokens": refused({"message": "max_tokens must be at most 4096", "param": "max_tokens"})},
            {"max_tokens": 9},
        ),
        ({"stream": refused({"message": "no such tool", "param": "tools"})}, {}),
        ({"stream": refused({"message": "the upstream is bad"})}, {}),
        ({"stream": refused({"message": "no stream_options here"}, "500 Oops")}, {}),
        ({"stream_options": refused({"message": "no stream_options"})}, {"stream_options": {"include_usage": False}}),
        ({"stream": refused({"message": "no stream"})}, {"extra_body": {"stream": True}}),
    ],
)
def test_what_is_not_given_up(refusals: dict[str, bytes], options: dict[str, Any], provide: Provide) -> None:
    with Choosy(refusals) as server:
        with pytest.raises(G4FLiteError):
            provide(server).create(messages="hi", **options)
        assert len(server.requests) == 1


def test_one_field_is_given_up_in_a_call_and_no_more(provide: Provide) -> None:
    with Choosy({"model": refused({"message": "no stream_options, no max_tokens, no stream: unsupported"})}) as server:
        provider = provide(server)
        for _ in range(2):
            with pytest.raises(ServiceError):
                provider.create(messages="hi", max_tokens=50)
        assert [sorted(each) for each in server.sent] == [
            ["max_tokens", "stream", "stream_options"],
            ["max_tokens", "stream"],
        ] * 2, "what did not help is not remembered"


def test_each_model_has_its_own(provide: Provide) -> None:
    with Choosy({"stream_options": NO_OPTIONS["Azure"]}) as server:
        provider = provide(server)
        provider.create("one", "hi")
        provider.create("two", "hi")
        assert ["stream_options" in each for each in server.sent] == [True, False, True, False]


def test_a_copy_finds_out_for_itself(provide: Provide) -> None:
    with Choosy({"stream_options": NO_OPTIONS["Azure"]}) as server:
        provider = provide(server)
        provider.create(messages="hi")
        with pickle.loads(pickle.dumps(provider)) as copied:
            assert copied.create(messages="hi") == "Hello"
        assert ["stream_options" in each for each in server.sent] == [True, False, True, False]
