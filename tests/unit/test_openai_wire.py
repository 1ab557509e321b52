"""The JSON of chat completions, as servers really send it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import (
    AuthenticationError,
    Finish,
    G4FLiteError,
    Identity,
    ModelNotSupportedError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    Reasoning,
    Refusal,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    ToolCallDelta,
    Usage,
)
from g4f_lite.http.body import Body
from g4f_lite.providers.openai.answer import read_answer
from g4f_lite.providers.openai.errors import service_error

URL = "http://service.test/v1"


def _read(body: bytes) -> list[Any]:
    with responses.RequestsMock() as mock:
        mock.get(URL, body=body)
        return list(read_answer(Body(requests.get(URL, stream=True))))


def _event(delta: dict[str, Any], **choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, **choice}]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "deltas"),
    [
        (_event({"role": "assistant", "content": None}) + _event({"content": "a"}) + DONE, ["a", Finish(None)]),
        (_event({"content": "a"}, finish_reason="length"), ["a", Finish("length")]),
        (_event({"content": "a"}) + _event({}, finish_reason="content_filter") + DONE, ["a", Finish("content_filter")]),
        (_event({"content": "a"}) + b'data: {"choices": []}\n\n' + DONE, ["a", Finish(None)]),
        (b": keep-alive\r\n\r\n" + _event({"content": "a"}).replace(b"\n", b"\r\n") + DONE, ["a", Finish(None)]),
        (_event({"content": "a"}).replace(b"data: ", b"data:") + b"data:[DONE]", ["a", Finish(None)]),
        (_event({"content": "a"}) + _event({"content": "b"}, finish_reason="stop").strip(), ["a", "b", Finish()]),
        (_event({"reasoning_content": "hm"}) + DONE, [Reasoning("hm"), Finish(None)]),
        (_event({"reasoning": "hm", "content": "a"}) + DONE, [Reasoning("hm"), "a", Finish(None)]),
        (_event({"refusal": "no"}) + DONE, [Refusal("no"), Finish(None)]),
        (_event({"content": "a"}), ["a"]),  # no end: no Finish
        (_event({"content": "a"}) + b'data: {"choi', ["a"]),
        (_event({"content": "0"}) + _event({"content": ""}) + DONE, ["0", Finish(None)]),
        (DONE, [Finish(None)]),
        (b"", []),
        (_event({"content": "Å ✅ \u0085\u2028"}) + DONE, ["Å ✅ \u0085\u2028", Finish(None)]),
        (_event({"content": [{"type": "text", "text": "a"}]}) + DONE, ["a", Finish(None)]),
        (
            _event({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}) + DONE,
            [Reasoning("hm"), Finish(None)],
        ),
    ],
)
def test_streams_as_they_are(body: bytes, deltas: list[Any]) -> None:
    assert _read(body) == deltas


def test_usage_in_a_chunk_without_choices() -> None:
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}\n\n'
    assert _read(_event({"content": "a"}, finish_reason="stop") + usage + DONE) == ["a", Usage(3, 4, 7), Finish("stop")]


@pytest.mark.parametrize(
    ("details", "counted"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 2}}, (2, None)),
        ({"completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 9}}, (None, 0)),
        ({"prompt_tokens_details": None, "completion_tokens_details": {"reasoning_tokens": "many"}}, (None, None)),
    ],
)
def test_what_of_the_tokens_was_cached_or_reasoning(details: dict[str, Any], counted: tuple[Any, Any]) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, **details}
    told = b'data: {"choices": [], "usage": ' + json.dumps(usage).encode() + b"}\n\n"
    assert _read(_event({"content": "a"}) + told + DONE)[1] == Usage(3, 4, 7, *counted)


@pytest.mark.parametrize(
    ("counts", "counted"),
    [
        ({"prompt_tokens": 2**63 - 1, "completion_tokens": 1}, Usage(2**63 - 1, 1, 2**63)),
        ({"prompt_tokens": 2**63, "completion_tokens": 1}, Usage(0, 1, 1)),
        ({"prompt_tokens": 3, "completion_tokens": 1e300, "total_tokens": 10**4299}, Usage(3, 0, 3)),
        ({"prompt_tokens": 10**4299, "completion_tokens": -(10**4299)}, None),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 10**4299}, Usage(3, 4, 7)),
        ({"prompt_tokens": -1000, "completion_tokens": 4, "total_tokens": -996}, Usage(0, 4, 4)),
        ({"prompt_tokens": -1, "input_tokens": 3, "completion_tokens": -4.0, "total_tokens": 7}, Usage(3, 4, 7)),
        ({"prompt_tokens": -1, "completion_tokens": -1}, None),
        ({"prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": -1}, Usage(3, 4, 7)),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": -1}},
            Usage(3, 4, 7),
        ),
    ],
)
def test_a_number_below_zero_or_of_more_than_64_bits_is_no_count(counts: dict[str, Any], counted: Any) -> None:
    told = b'data: {"choices": [], "usage": ' + json.dumps(counts).encode() + b"}\n\n"
    found = _read(_event({"content": "a"}) + told + DONE)[1:-1]
    assert found == ([] if counted is None else [counted])
    assert all(map(repr, found))


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [(7, 7), (1.5, 1.5), (10**400, 1e9), (float("nan"), None), (-1, None), (True, None), ("7", None)],
)
def test_the_wait_in_an_error(wait: Any, seconds: float | None) -> None:
    error = service_error(429, {"error": {"message": "slow", "code": 429, "retry_after": wait}})
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


def test_tool_calls_in_pieces_and_as_an_object() -> None:
    calls = [
        {"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}},
        {"function": {"arguments": {"a": 1}}},
    ]
    assert _read(_event({"tool_calls": calls}) + DONE)[:2] == [
        ToolCallDelta(0, "1", "f", ""),
        ToolCallDelta(0, None, None, '{"a": 1}'),
    ]


@pytest.mark.parametrize("beginning", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_a_whole_answer_where_a_stream_was_asked_for(beginning: bytes) -> None:
    message = {"content": "a", "reasoning_content": "hm", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    whole = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": usage}
    deltas = _read(beginning + json.dumps(whole).encode())
    assert [delta for delta in deltas if isinstance(delta, str)] == ["a"]
    assert {type(delta) for delta in deltas} == {Reasoning, ToolCallDelta, str, Usage, Finish}
    assert deltas[-1] == Finish("tool_calls")


@pytest.mark.parametrize(
    "body",
    [
        b"data: 3\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices": [3]}\n\n',
        b'data: {"choices": [{"delta": 3}]}\n\n',
        b'data: {"choices": [{"delta": {"content": 3}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": 3}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [3]}}]}\n\n',
        b"data: {\n\ndata: [DONE]\n\n",
        b"data: " + b"[" * 100_000 + b"\n\ndata: [DONE]\n\n",
        b"{}",
        b'{"choices": [{"message": 3}]}',
        b"null",
        b"[]",
        b"5",
        b'"Hello"',
        b"not found",
    ],
)
def test_what_is_not_the_protocol_is_a_format_error(body: bytes) -> None:
    with pytest.raises(ResponseFormatError) as caught:
        _read(body)
    assert len(str(caught.value)) < 500


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "tool_calls", "function", "error", "usage", "message", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_values)
def test_no_json_brings_forth_another_error_than_ours(value: Any) -> None:
    try:
        _read(b"data: " + json.dumps(value).encode() + b"\n\n" + DONE)
        _read(json.dumps(value).encode())
    except G4FLiteError:
        return


def test_a_list_with_one_error_is_that_error() -> None:
    error = service_error(400, [{"error": {"code": 400, "message": "no such field"}}])
    assert isinstance(error, ServiceError)
    assert error.message == "no such field"


@pytest.mark.parametrize(
    ("status", "message"),
    [(429, "status 429: slow down"), (503, "status 503: slow down"), (400, "slow down"), (401, "slow down")],
)
def test_the_status_of_what_may_pass_is_told_with_the_words(status: int, message: str) -> None:
    error = service_error(status, {"error": {"message": "slow down"}})
    assert error is not None
    assert error.message == message


@given(st.integers(200, 599), _values)
def test_no_refusal_brings_forth_another_error_than_ours(status: int, value: Any) -> None:
    error = service_error(status, value)
    assert error is None or isinstance(error, G4FLiteError)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ({"message": "Rate limit reached for gpt-4o"}, None, RateLimitError),
        ({"message": "slow", "code": 429}, None, RateLimitError),
        ({"message": "slow", "type": "rate_limit_error"}, None, RateLimitError),
        ({"message": "pay", "code": "insufficient_quota"}, 429, QuotaExceededError),
        ({"message": "You exceeded your current quota"}, 429, QuotaExceededError),
        ({"message": "no", "code": "model_not_found"}, 404, ModelNotSupportedError),
        ({"message": 'model "x" not found, try pulling it first'}, 404, ModelNotSupportedError),
        ({"message": "models/gemini-9 is not found for API version v1beta"}, 404, ModelNotSupportedError),
        ({"message": "no such page"}, 404, ServiceError),
        ({"message": "Invalid URL (GET /v1/models)"}, 404, ServiceError),
        ({"message": "bad", "code": "invalid_api_key"}, 400, AuthenticationError),
        ("plain words", 400, ServiceError),
        ({"message": "oops"}, 500, ResponseStatusError),
        ({"message": "oops", "type": "server_error"}, None, ServiceError),
        ({"message": {"deep": 1}}, 400, ServiceError),
    ],
)
def test_error_objects(error: Any, status: int | None, kind: type[G4FLiteError]) -> None:
    if status is None:
        with pytest.raises(kind) as caught:
            _read(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
        found: Any = caught.value
    else:
        found = service_error(status, {"error": error})
    assert type(found) is kind


# What is sent


def _sent(provider: OpenAICompatible, **arguments: Any) -> Any:
    with responses.RequestsMock() as mock:
        mock.post(provider.base_url + "/chat/completions", body=_event({"content": "hi"}) + DONE)
        provider.create(**arguments)
        return json.loads(mock.calls[0].request.body)


def test_the_body_of_a_request() -> None:
    provider = OpenAICompatible(URL, model="m")
    assert _sent(provider, messages="hello", system="be short", temperature=0, stop=["x"]) == {
        "model": "m",
        "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "stop": ["x"],
    }


def test_extra_body_is_laid_over_it() -> None:
    assert _sent(OpenAICompatible(URL, model="m"), messages="hi", extra_body={"new": 1, "stream": False})["new"] == 1


def test_the_servers_first_model_is_asked_only_where_none_is_named() -> None:
    with responses.RequestsMock() as mock:
        models = mock.get(URL + "/models", json={"data": [{"id": "first"}, {"id": "second"}]})
        mock.post(URL + "/chat/completions", body=_event({"content": "hi"}) + DONE)
        provider = OpenAICompatible(URL)
        for model in ("named", None, None, "named"):
            provider.create(model, "hi")
        asked = [json.loads(c.request.body)["model"] for c in mock.calls if c.request.method == "POST"]
        assert asked == ["named", "first", "first", "named"]
        assert models.call_count == 1
        assert provider.get_models() == ["first", "second"]


@pytest.mark.parametrize("listed", [{}, {"data": 3}, {"data": [{}]}, {"data": [{"id": 3}]}, None, [3]])
def test_what_is_no_list_of_models(listed: Any) -> None:
    with responses.RequestsMock() as mock:
        mock.get(URL + "/models", json=listed)
        with pytest.raises(ResponseFormatError) as caught:
            OpenAICompatible(URL).get_models()
    assert caught.value.step == "bootstrap"


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"model": "hello"}, TypeError, "messages='hello'"),
        ({"messages": ""}, ValueError, "the prompt is blank"),
        ({"messages": []}, ValueError, "empty"),
        ({"messages": 3}, TypeError, "messages must be"),
        ({"messages": [{"role": "robot", "content": "x"}]}, ValueError, "robot"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "data": b"x"}]}]}, TypeError, "JSON"),
        ({"messages": "hi", "temprature": 1}, TypeError, "temperature"),
        ({"messages": "hi", "temperature": float("nan")}, TypeError, "JSON"),
        ({"messages": "hi", "stop": {1, 2}}, TypeError, "JSON"),
        ({"messages": "hi", "tools": {1, 2}}, TypeError, "tools must be a list"),
        ({"messages": "hi", "model": " "}, ValueError, "blank"),
        ({"messages": "hi", "model": 3}, TypeError, "model"),
        ({"messages": "hi", "timeout": 0}, ValueError, "timeout"),
        ({"messages": "hi", "proxy": "proxy:3128"}, ValueError, "proxy"),
        ({"messages": "hi", "system": 3}, TypeError, "system"),
    ],
)
def test_bad_arguments_raise_at_the_call(arguments: dict[str, Any], kind: type[Exception], words: str) -> None:
    provider = OpenAICompatible(URL)
    with pytest.raises(kind, match=words):
        provider.create_generator(**arguments)


@pytest.mark.parametrize(
    "bad",
    ["", "localhost:8080", "ftp://x/v1", "http://", "http://a b/", "http://u:canary@x/v1", 3],
)
def test_a_bad_address_raises_when_it_is_given(bad: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="base_url") as caught:
        OpenAICompatible(bad)
    assert "canary" not in str(caught.value)


ROLE = b'data: {"id":"c1","created":5,"model":"real","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
TEXT = b'data: {"id":"c2","created":6,"model":"other","choices":[{"delta":{"content":"Hi"}}]}\n\n'


def test_what_the_server_calls_the_answer_comes_just_before_it() -> None:
    assert _read(ROLE + TEXT + DONE)[:2] == [Identity("c2", 6, "other"), "Hi"]
    thinking = ROLE.replace(b'"content":""', b'"reasoning":"Hm"')
    assert _read(thinking + TEXT + DONE)[:3] == [Identity("c1", 5, "real"), Reasoning("Hm"), "Hi"]
    whole = b'{"id":"c1","model":"real","choices":[{"message":{"content":"Hi"}}]}'
    assert _read(whole)[:2] == [Identity("c1", None, "real"), "Hi"]


@pytest.mark.parametrize("wrong", [b"null", b'""', b"[]", b"-1", b"1e300", b"true", b"{}"])
def test_what_makes_no_sense_as_a_name_is_none(wrong: bytes) -> None:
    body = TEXT.replace(b'"c2"', wrong).replace(b"6", wrong).replace(b'"other"', wrong)
    assert _read(body + DONE) == ["Hi", Finish(None)]


def test_a_role_alone_is_no_beginning() -> None:
    assert _read(ROLE) == []


@pytest.mark.parametrize(("status", "length"), [(404, 1000), (400, 300)])
def test_the_refusal_of_a_model_keeps_its_advice(status: int, length: int) -> None:
    error = service_error(status, {"error": {"message": "no such model; try " + "m" * 2000}})
    assert error is not None
    assert len(error.message) == length
