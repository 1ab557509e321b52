"""The emulated OpenAI-compatible server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

from .clients import complete


def chunks(response: requests.Response) -> list[Any]:
    assert response.headers["Content-Type"].startswith("text/event-stream")
    *blocks, done, rest = response.content.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def test_completion(emulator: Emulator) -> None:
    answer = complete(emulator).json()
    assert answer["object"] == "chat.completion"
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hi there"}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    emulator.configure(usage=False)
    assert "usage" not in complete(emulator).json()


def test_completion_stream(emulator: Emulator) -> None:
    got = chunks(complete(emulator, stream=True))
    assert [chunk["choices"][0]["delta"] for chunk in got] == [
        {"role": "assistant", "content": None},
        {"content": "Hi"},
        {"content": " there"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in got} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in got}) == 1


def test_usage_in_a_stream_is_a_chunk_without_choices(emulator: Emulator) -> None:
    last = chunks(complete(emulator, stream=True, stream_options={"include_usage": True}))[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 2


def test_reasoning_tool_calls_and_finish_reason_come_from_the_backend() -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    def backend(messages: object) -> Iterator[str | Mapping[str, Any]]:
        yield {"reasoning_content": "Hm"}
        yield {"reasoning_content": "."}
        yield "text"
        yield {"tool_calls": [call], "finish_reason": "tool_calls"}

    with Emulator(backend) as emulator:
        got = chunks(complete(emulator, stream=True))
        assert [chunk["choices"][0]["delta"] for chunk in got[1:-1]] == [
            {"reasoning_content": "Hm"},
            {"reasoning_content": "."},
            {"content": "text"},
            {"tool_calls": [call]},
        ]
        assert got[-1]["choices"][0]["finish_reason"] == "tool_calls"
        (choice,) = complete(emulator).json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"] == {
            "role": "assistant",
            "content": "text",
            "reasoning_content": "Hm.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        }


def test_the_key_is_checked(emulator: Emulator) -> None:
    emulator.configure(api_key="right")
    assert complete(emulator).status_code == 401
    assert complete(emulator, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert requests.get(emulator.url + "/v1/models").json()["error"]["code"] == "invalid_api_key"
    assert complete(emulator, headers={"Authorization": "Bearer right"}).status_code == 200


def test_models(emulator: Emulator) -> None:
    emulator.configure(models=("a", "b"), refuse_unknown_models=True)
    listed = requests.get(emulator.url + "/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert complete(emulator, model="a").status_code == 200
    refused = complete(emulator, model="c")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("changes", [{"model": None}, {"messages": []}, {"messages": "Hi"}, {"messages": [{}]}])
def test_bad_completions(emulator: Emulator, changes: dict[str, Any]) -> None:
    response = complete(emulator, **changes)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_error_inside_a_stream(emulator: Emulator) -> None:
    emulator.fail("error", after=1)
    response = complete(emulator, stream=True)
    assert response.status_code == 200
    *_, text, error, rest = response.text.split("\n\n")
    assert json.loads(text.removeprefix("data: "))["choices"][0]["delta"] == {"content": "Hi"}
    assert json.loads(error.removeprefix("data: "))["error"]["code"] == "server_error"
    assert rest == ""


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("error", 500, "server_error"), ("limit", 429, "rate_limit_exceeded"), ("quota", 429, "insufficient_quota")],
)
def test_errors_before_the_stream(emulator: Emulator, fault: str, status: int, code: str) -> None:
    emulator.fail(fault)
    response = complete(emulator, stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_backend_that_fails_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def backend(messages: object) -> list[str]:
        raise RuntimeError("no model")

    with Emulator(backend) as emulator:
        assert complete(emulator).json()["error"]["message"] == "no model"
        assert '"no model"' in complete(emulator, stream=True).text
    assert "the backend failed" in caplog.text


def test_the_echo_takes_the_text_of_parts(emulator: Emulator) -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "image_url", "image_url": {"url": "x"}}]
    parts.append({"type": "text", "text": "this?"})
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
    answer = complete(emulator, messages=messages).json()
    assert answer["choices"][0]["message"]["content"] == "What is this?"


def test_event_stream_forms(emulator: Emulator) -> None:
    emulator.configure(sse_comments=True, sse_space=False, sse_last_blank=False, newline="\r\n")
    body = complete(emulator, stream=True).content
    assert body.startswith(b": keep-alive\r\n\r\ndata:{")
    assert body.endswith(b"\r\n\r\n: keep-alive\r\n\r\ndata:[DONE]\r\n")
    assert body.count(b"\n") == body.count(b"\r\n")


def test_unknown_paths(emulator: Emulator) -> None:
    assert requests.get(emulator.url + "/nowhere").status_code == 404
    assert requests.get(emulator.url + "/v1/nowhere").json()["error"]["message"] == "Invalid URL (GET /v1/nowhere)"
    assert [request.step for request in emulator.requests] == [None, None]
