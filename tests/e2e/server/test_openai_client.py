"""The server with OpenAI's own client in front of it."""

from __future__ import annotations

import json
import time

import openai
import pytest

from g4f_lite.emulator import Emulator

from ..command import run
from .conftest import Serve, Served

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def test_a_whole_answer(server: Served, upstream: Emulator) -> None:
    upstream.answer("Hello to you")
    completion = server.client().chat.completions.create(model="gpt-4", messages=HELLO, temperature=0.5, seed=7)
    assert completion.choices[0].message.content == "Hello to you"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-4"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3
    sent = upstream.requests[-1].json()
    assert (sent["model"], sent["messages"], sent["temperature"], sent["seed"]) == ("gpt-4", HELLO, 0.5, 7)


def test_a_streamed_answer_with_its_usage(server: Served, upstream: Emulator) -> None:
    upstream.answer("one two three")
    with server.client().chat.completions.create(
        model="gpt-4", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as chunks:
        taken = list(chunks)
    assert [chunk.choices[0].delta.content for chunk in taken if chunk.choices] == ["one", " two", " three", None]
    assert taken[0].choices[0].delta.role == "assistant"
    assert taken[-2].choices[0].finish_reason == "stop"
    assert taken[-1].usage is not None
    assert taken[-1].usage.completion_tokens == 3
    assert len({chunk.id for chunk in taken}) == 1


def test_a_streamed_answer_without_usage_where_nobody_asks_for_it(server: Served) -> None:
    chunks = list(server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_pieces_come_as_they_are_sent(server: Served, upstream: Emulator) -> None:
    upstream.configure(pace=0.05)
    upstream.answer("one two three four")
    came = []
    for chunk in server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=True):
        if chunk.choices[0].delta.content:
            came.append(time.monotonic())
    assert came[-1] - came[0] > 0.1  # they were not kept until the end


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(server: Served, upstream: Emulator, stream: bool) -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": '}}
    rest = {"index": 0, "function": {"arguments": '"Oslo"}'}}
    upstream.answer([{"tool_calls": [first]}, {"tool_calls": [rest]}])
    create = server.client().chat.completions.create
    if stream:
        chunks = list(create(model="gpt-4", messages=HELLO, tools=[WEATHER], stream=True))
        calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
        name, arguments = calls[0].function.name, "".join(call.function.arguments or "" for call in calls)
        reason = chunks[-1].choices[0].finish_reason
    else:
        choice = create(model="gpt-4", messages=HELLO, tools=[WEATHER]).choices[0]
        [call] = choice.message.tool_calls
        name, arguments, reason = call.function.name, call.function.arguments, choice.finish_reason
    assert (name, arguments, reason) == ("weather", '{"city": "Oslo"}', "tool_calls")
    assert upstream.requests[-1].json()["tools"] == [WEATHER]


def test_a_message_with_an_image(server: Served, upstream: Emulator) -> None:
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    server.client().chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": content}])
    assert upstream.requests[-1].json()["messages"][0]["content"] == content


def test_the_models(server: Served) -> None:
    models = server.client().models
    assert [model.id for model in models.list()] == ["gpt-4o-mini", "gpt-4"]
    assert models.retrieve("gpt-4").owned_by == "OpenAICompatible"
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt/9'"):
        models.retrieve("gpt/9")


@pytest.mark.parametrize(
    ("model", "listed"),
    [
        pytest.param({"G4F_LITE_MODEL": "gpt-4"}, ["gpt-4", "gpt-4o-mini"], marks=pytest.mark.once),
        ({"G4F_LITE_MODEL": "tuned"}, ["tuned", "gpt-4o-mini", "gpt-4"]),  # which the service does not list
        pytest.param({}, ["gpt-4o-mini", "gpt-4"], marks=pytest.mark.once),
    ],
)
def test_the_model_that_is_served_is_the_first(serve: Serve, model: dict[str, str], listed: list[str]) -> None:
    server = serve(**model)
    assert [found.id for found in server.client().models.list()] == listed
    done = run("chat", "--base-url", f"{server.url}/v1", "--json", "Hello!")
    assert json.loads(done.stdout)["model"] == listed[0]


FAILURES = [
    ("rate_limit", {"retry_after": 900}, openai.RateLimitError, "rate_limit_exceeded"),
    ("quota", {}, openai.RateLimitError, "insufficient_quota"),
    ("token", {}, openai.InternalServerError, "upstream_authentication"),
    ("status", {"status": 400}, openai.BadRequestError, None),
    ("error", {"message": "prompt is too long", "status": 400}, openai.BadRequestError, "context_length_exceeded"),
    ("challenge", {}, openai.InternalServerError, None),
    ("empty", {}, openai.InternalServerError, None),
]


@pytest.mark.product
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "settings", "error", "code"), FAILURES)
def test_failures_of_the_service(
    server: Served,
    upstream: Emulator,
    fault: str,
    settings: dict[str, object],
    error: type[Exception],
    code: str,
    stream: bool,
) -> None:
    upstream.fail(fault, times=None, **settings)
    with pytest.raises(error) as raised:
        server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=stream)
    assert raised.value.code == code
    if fault == "rate_limit":
        assert raised.value.response.headers["Retry-After"] == "900"
    elif not isinstance(raised.value, openai.BadRequestError):
        assert raised.value.response.headers["x-should-retry"] == "false"  # the server has retried already


def test_an_unknown_model(server: Served, upstream: Emulator) -> None:
    upstream.configure(refuse_unknown_models=True)
    with pytest.raises(openai.NotFoundError) as raised:
        server.client().chat.completions.create(model="gpt-9", messages=HELLO)
    assert raised.value.code == "model_not_found"
    assert "write: g4f-lite serve --any-model, or create_app(…, models={'gpt-9': " in raised.value.message


def test_what_is_not_there_is_told_with_what_is(server: Served) -> None:
    with pytest.raises(openai.NotFoundError, match=r"no /v1/responses; it has /v1/chat/completions, /v1/embeddings"):
        server.client().responses.create(model="gpt-4", input="Hello")


def test_a_service_that_is_not_there(server: Served, upstream: Emulator) -> None:
    upstream.fail("refuse", times=None)
    upstream.fail("reset", times=None)
    with pytest.raises(openai.InternalServerError) as raised:
        server.client().chat.completions.create(model="gpt-4", messages=HELLO)
    assert (raised.value.status_code, raised.value.code) == (502, "connection")


def test_an_answer_that_is_cut_is_an_error_and_not_a_short_answer(server: Served, upstream: Emulator) -> None:
    upstream.answer("one two three four")
    upstream.fail("cut", after=2)
    pieces = []
    chunks = server.client().chat.completions.create(model="gpt-4", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError, match="cut"):
        pieces.extend(chunk.choices[0].delta.content for chunk in chunks)
    assert pieces == ["one", " two"]


def test_embeddings(server: Served, upstream: Emulator) -> None:
    made = server.client().embeddings.create(model="embedding", input=["one", "two"])
    assert [each.index for each in made.data] == [0, 1]
    assert made.data[0].embedding != made.data[1].embedding
    assert upstream.requests[-1].json()["input"] == ["one", "two"]
    with pytest.raises(openai.BadRequestError) as raised:
        server.client().embeddings.create(model="embedding", input="")
    assert "empty" in raised.value.message


def test_images(server: Served) -> None:
    made = server.client().images.generate(model="gpt-4", prompt="A lighthouse", response_format="b64_json")
    assert made.data
    assert made.data[0].b64_json
    with pytest.raises(openai.BadRequestError):
        server.client().images.generate(model="gpt-4", prompt=" ")


def test_any_model_is_the_default_one(serve: Serve, upstream: Emulator) -> None:
    server = serve("--any-model", G4F_LITE_MODEL="gpt-4")
    server.client().chat.completions.create(model="what-a-program-likes", messages=HELLO)
    assert upstream.requests[-1].json()["model"] == "gpt-4"


def test_finish_reasons_pass_through(server: Served, upstream: Emulator) -> None:
    upstream.answer(["so f", {"finish_reason": "length"}])
    choice = server.client().chat.completions.create(model="gpt-4", messages=HELLO).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("so f", "length")
