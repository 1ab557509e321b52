"""A provider over OpenAI's protocol, from the arguments of a call to its answer: what goes out, what comes back."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthExceededError,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    ToolCall,
    Usage,
)
from g4f_lite.providers.openai.images import OPTIONS as IMAGE_OPTIONS
from g4f_lite.providers.openai.options import EXTRAS, OPTIONS
from g4f_lite.providers.openai.presets import PRESETS

URL = "http://service.test/v1"
CHAT, MODELS, IMAGES = f"{URL}/chat/completions", f"{URL}/models", f"{URL}/images/generations"
PNG = b"\x89PNG\r\n\x1a\n rest"
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgogcmVzdA=="}}
AT_ONCE = RetryPolicy(backoff=0)
OURS = RetryPolicy().statuses
WHOLE_NUMBERS = ("max_tokens", "max_completion_tokens", "seed")
Web = responses.RequestsMock


def sse(*chunks: Any) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def said(text: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}]}


HELLO = sse(said("Hel"), said("lo"))


@pytest.fixture
def web() -> Iterator[Web]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def provider() -> Iterator[OpenAICompatible]:
    with OpenAICompatible(URL, model="m", retry=AT_ONCE) as made:
        yield made


def sent(web: Web, index: int = -1) -> Any:
    return json.loads(web.calls[index].request.body or "null")


@pytest.mark.parametrize("name", PRESETS)
def test_making_one_sends_nothing_and_needs_no_key(name: str, web: Web) -> None:
    with OpenAICompatible.preset(name) as provider:
        assert provider.name == PRESETS[name].title
        assert provider.supports_message_history
    assert not web.calls


def test_the_order_of_g4fs_arguments(provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, HELLO)
    assert provider.create("other", [{"role": "user", "content": "Hi"}], None, 5) == "Hello"
    assert "".join(map(str, provider.create_generator("other", "Hi", None, (5, 5)))) == "Hello"
    assert sent(web, 0) == sent(web, 1)
    assert sent(web)["model"] == "other"


def test_the_headers_of_a_prompt(web: Web) -> None:
    web.post(CHAT, HELLO)
    provider = OpenAICompatible(URL + "/", api_key="the-key", headers={"X-Title": "mine"}, cookies={"visit": "1"})
    provider.create("m", "Hi")
    headers = web.calls[0].request.headers
    assert headers["Authorization"] == "Bearer the-key"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"  # a proxy that compresses would hold pieces back
    assert (headers["X-Title"], headers["Cookie"]) == ("mine", "visit=1")
    assert "g4f-lite" in headers["User-Agent"]
    assert not {"Authorization", "X-Title"} & set(provider.session.headers), "what is a call's is in the session"


def test_a_callers_own_headers_win(web: Web) -> None:
    web.post(CHAT, HELLO)
    OpenAICompatible(URL, headers={"User-Agent": "mine", "Content-Type": "application/json; v=2"}).create("m", "Hi")
    headers = web.calls[0].request.headers
    assert (headers["User-Agent"], headers["Content-Type"]) == ("mine", "application/json; v=2")


@pytest.mark.parametrize(
    ("key", "expected"), [(None, "Basic " + base64.b64encode(b"me:word").decode()), ("the-key", "Bearer the-key")]
)
def test_an_own_session_signs_where_there_is_no_key(key: str | None, expected: str, web: Web) -> None:
    web.post(CHAT, HELLO)
    with requests.Session() as session:
        session.auth, session.headers["X-Mine"] = ("me", "word"), "1"
        provider = OpenAICompatible(URL, api_key=key, session=session)
        provider.create("m", "Hi")
        assert provider.session is session
    headers = web.calls[0].request.headers
    assert (headers["Authorization"], headers["X-Mine"]) == (expected, "1")


def test_every_option_is_sent_as_it_is(provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, HELLO)
    options: dict[str, Any] = {name: {"of": [name, 0, None, "ü"]} for name in OPTIONS - EXTRAS - {"extra_body", "n"}}
    options |= dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty", *WHOLE_NUMBERS), 1)
    options["tools"] = [options["tools"], 5]
    provider.create(messages="Hi", **options)
    body = sent(web)
    assert {name: body.pop(name) for name in options} == options
    assert body == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def test_a_service_that_refuses_stream_options_gets_none(web: Web) -> None:
    web.post("https://api.mistral.ai/v1/chat/completions", HELLO)
    assert OpenAICompatible.preset("mistral", api_key="the-key").create(messages="Hi") == "Hello"
    assert "stream_options" not in sent(web)
    assert sent(web)["model"] == PRESETS["mistral"].default_model


@pytest.mark.parametrize("images", [PNG, [PNG, "https://images.test/1.png"]])
def test_images_are_parts(images: Any, provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, HELLO)
    provider.create(messages="What is it?", images=images)
    more = [] if images is PNG else [{"type": "image_url", "image_url": {"url": "https://images.test/1.png"}}]
    text = {"type": "text", "text": "What is it?"}
    assert sent(web)["messages"] == [{"role": "user", "content": [text, PNG_PART, *more]}]


def test_the_history_goes_along_untouched(provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, HELLO)
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    history = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "1 + 1? ✅"}, PNG_PART], "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "2", "tool_call_id": "1"},
    ]
    provider.create(messages=history, system="First of all")
    assert sent(web)["messages"] == [{"role": "system", "content": "First of all"}, *history]


def test_an_answer_knows_how_it_came_about(provider: OpenAICompatible, web: Web) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    end = {"choices": [{"delta": {}, "finish_reason": "length"}]}
    web.post(CHAT, sse(said("", role="assistant"), said(reasoning_content="hm"), said("Hello"), end, usage))
    answer = provider.create(messages="Hi")
    assert answer == "Hello"
    assert (answer.usage, answer.finish_reason, answer.reasoning) == (Usage(3, 4, 7), "length", "hm")
    assert (answer.provider, answer.model) == ("OpenAICompatible", "m")
    assert answer.seconds > 0


def test_a_call_that_the_model_wants_made(provider: OpenAICompatible, web: Web) -> None:
    begin = [{"index": 0, "id": "1", "type": "function", "function": {"name": "add", "arguments": ""}}]
    parts = [[{"index": 0, "function": {"arguments": part}}] for part in ('{"a":', " 1}")]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    web.post(CHAT, sse(said(tool_calls=begin), *(said(tool_calls=part) for part in parts), end))
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    answer = provider.create(messages="1 + 1?", tools=tools, tool_choice="auto")
    assert (sent(web)["tools"], sent(web)["tool_choice"]) == (tools, "auto")
    assert answer == ""
    assert answer.tool_calls == [ToolCall("1", "add", '{"a": 1}')]
    assert answer.finish_reason == "tool_calls"


def _kind(status: int) -> type[G4FLiteError]:
    special = {401: AuthenticationError, 403: AuthenticationError, 402: QuotaExceededError, 429: RateLimitError}
    return special.get(status, ResponseStatusError)


@pytest.mark.product
@pytest.mark.parametrize("status", [301, 303, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 451])
@pytest.mark.parametrize("body", ["", "plain words"])
def test_a_status(status: int, body: str, provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, body, status=status)
    with pytest.raises(G4FLiteError) as caught:
        provider.create(messages="Hi")
    error = caught.value
    assert type(error) is _kind(status)
    assert (error.provider, error.step, error.status) == ("OpenAICompatible", "prompt", status)  # type: ignore[attr-defined]
    assert error.attempts == len(web.calls) == (3 if status in OURS else 1)
    assert str(status) in str(error)
    assert body in str(error)


@pytest.mark.product
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 529])
@pytest.mark.parametrize("body", ["", "<html><body>Bad gateway</body></html>", '{"error": {"message": "overloaded"}}'])
def test_a_servers_trouble(status: int, body: str, provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, body, status=status)
    with pytest.raises(ResponseStatusError) as caught:
        provider.create(messages="Hi")
    assert len(web.calls) == (3 if status in OURS else 1)
    assert caught.value.body == {"": "", "<": "Bad gateway", "{": body}[body[:1]]


@pytest.mark.parametrize(
    ("status", "write", "error", "kind", "attempts"),
    [
        (400, json.dumps, {"message": "too long", "code": "context_length_exceeded"}, ContextLengthExceededError, 1),
        (400, json.dumps, {"message": "no", "code": "content_filter"}, ContentFilterError, 1),
        (400, json.dumps, {"message": "no", "code": "data_inspection_failed"}, ContentFilterError, 1),
        (403, json.dumps, {"message": "Your input was flagged", "code": 403}, ContentFilterError, 1),
        (400, json.dumps, {"message": "no such model", "code": "model_not_found"}, ModelNotSupportedError, 1),
        (404, json.dumps, {"message": "The model `m` does not exist"}, ModelNotSupportedError, 1),
        (400, json.dumps, {"message": "Invalid model: m", "type": "invalid_model"}, ModelNotSupportedError, 1),
        (400, json.dumps, {"message": "it is gone", "code": "model_decommissioned"}, ModelNotSupportedError, 1),
        (400, json.dumps, {"message": "a/b is not a valid model ID", "code": 400}, ModelNotSupportedError, 1),
        (400, json.dumps, {"message": "wrong JSON", "code": "invalid_model_output"}, ServiceError, 1),
        (400, json.dumps, {"message": "Incorrect API key provided: gs***od"}, AuthenticationError, 1),
        (401, json.dumps, {"message": "Incorrect API key provided"}, AuthenticationError, 1),
        (400, json.dumps, {"message": "Your credit balance is too low to access the API"}, QuotaExceededError, 1),
        (400, json.dumps, {"message": "no", "code": "billing_hard_limit_reached"}, QuotaExceededError, 1),
        (403, json.dumps, {"message": "Your team doesn't have any credits yet"}, QuotaExceededError, 1),
        (429, json.dumps, {"message": "slow down", "type": "requests"}, RateLimitError, 3),
        (429, json.dumps, {"message": "pay first", "code": "insufficient_quota"}, QuotaExceededError, 1),
        (200, json.dumps, {"message": "Rate limit reached"}, RateLimitError, 3),
        (200, sse, {"message": "Rate limit reached"}, RateLimitError, 3),
        (200, sse, {"message": "out of luck"}, ServiceError, 1),
    ],
)
def test_the_services_own_words(
    status: int, write: Any, error: Any, kind: type, attempts: int, provider: OpenAICompatible, web: Web
) -> None:
    web.post(CHAT, write({"error": error}), status=status)
    with pytest.raises(G4FLiteError, match=re.escape(error["message"])) as caught:
        provider.create(messages="Hi")
    assert type(caught.value) is kind
    assert caught.value.step == "prompt"
    assert [call.request.method for call in web.calls].count("POST") == attempts


def test_an_error_after_text_keeps_it_and_is_not_tried_again(provider: OpenAICompatible, web: Web) -> None:
    web.post(CHAT, sse(said("Hel"), {"error": {"message": "Rate limit reached"}}))
    stream = provider.create_generator(messages="Hi")
    assert next(stream) == "Hel"
    with pytest.raises(RateLimitError) as caught:
        list(stream)
    assert (caught.value.partial, caught.value.step, len(web.calls)) == ("Hel", "stream", 1)


# Models


class Choosy(OpenAICompatible):
    models = ("alpha-large", "beta-small")
    model_aliases = {"alpha": "alpha-large"}  # noqa: RUF012


def test_a_list_of_models_is_kept_to(web: Web) -> None:
    web.post(CHAT, HELLO)
    provider = Choosy(URL, model="beta-small")
    assert provider.get_model() == provider.get_model("beta-small") == "beta-small"
    provider.create("alpha", "Hi")
    assert sent(web)["model"] == "alpha-large"
    with pytest.raises(ModelNotSupportedError, match="Choosy has no model 'alfa-large'; try alpha-large"):
        provider.create_generator("alfa-large", "Hi")
    with pytest.raises(ModelNotSupportedError):
        Choosy(URL, model="gamma")
    assert len(web.calls) == 1


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (404, ResponseStatusError)])
def test_a_list_of_models_that_is_refused(status: int, kind: type, provider: OpenAICompatible, web: Web) -> None:
    web.get(MODELS, status=status)
    for ask in (provider.get_models, lambda: OpenAICompatible(URL).create(messages="Hi")):
        with pytest.raises(kind) as caught:
            ask()
        assert caught.value.step == "bootstrap"  # type: ignore[attr-defined]


def test_a_list_of_models_is_asked_for_again_when_the_server_is_busy(provider: OpenAICompatible, web: Web) -> None:
    web.get(MODELS, status=503)
    web.get(MODELS, json={"object": "list", "data": [{"id": "a"}]})
    assert provider.get_models() == ["a"]


# Images


def test_images_that_are_made(provider: OpenAICompatible, web: Web) -> None:
    web.post(IMAGES, json={"data": [{"b64_json": base64.b64encode(PNG).decode()}, {"url": "http://x.test/2"}]})
    options = dict.fromkeys(IMAGE_OPTIONS - EXTRAS - {"extra_body"}, "any")
    image = provider.generate_image("a cat", "painter", **options)
    assert sent(web) == {"prompt": "a cat", "model": "painter", **options}
    assert (image.urls[1], image.bytes(), image.alt) == ("http://x.test/2", PNG, "a cat")


@pytest.mark.parametrize(("answer", "kind"), [({"data": []}, ResponseFormatError), ({"error": "no"}, ServiceError)])
def test_no_image(answer: Any, kind: type, provider: OpenAICompatible, web: Web) -> None:
    web.post(IMAGES, json=answer)
    with pytest.raises(kind) as caught:
        provider.generate_image("a cat")
    assert len(web.calls) == 1
    assert caught.value.step == "image"  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [404, 405, 501])
@responses.activate
def test_an_address_without_v1_is_told(status: int) -> None:
    responses.post("http://server.example/chat/completions", status=status, body="Not Found")
    provider = OpenAICompatible("http://server.example", model="m", retry=None)
    with pytest.raises(
        ResponseStatusError, match=rf"status {status}: .* usually ends in /v1, and http://server\.example does not"
    ):
        provider.create(messages="hi")


@responses.activate
def test_an_address_with_its_version_twice_is_told() -> None:
    responses.get("http://server.example/v1/v1/models", status=404, json={"error": {"message": "Invalid URL"}})
    with pytest.raises(ServiceError) as caught:
        OpenAICompatible("http://server.example/v1/v1", retry=None).get_models()
    assert "/v1/v1 has its version twice: try base_url='http://server.example/v1'" in str(caught.value)


@responses.activate
def test_a_server_that_has_no_model_yet_says_so() -> None:
    """Ollama, as it is after its installation."""
    responses.get("http://server.example/v1/models", json={"object": "list", "data": None})
    failure = {"message": 'model "" not found, try pulling it first', "type": "not_found_error"}
    responses.post("http://server.example/v1/chat/completions", status=404, json={"error": failure})
    provider = OpenAICompatible("http://server.example/v1", retry=None)
    with pytest.raises(ModelNotSupportedError, match=r"it has no model yet: .* with `ollama pull llama3\.2`"):
        provider.create(messages="hi")
