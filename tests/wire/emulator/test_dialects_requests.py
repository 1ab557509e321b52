"""Dialects of requests: rate limits, refused fields, streams that nobody asked for, addresses, lists."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator
from g4f_lite.emulator.openai import rate

from .clients import complete
from .test_dialects import choices_of, speak

PROMPT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

# Rates


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("retry-after-ms", {"retry-after-ms": "2500"}),
        ("reset-duration", {"x-ratelimit-reset-requests": "2.5s", "x-ratelimit-remaining-requests": "0"}),
        ("reset-seconds", {"x-ratelimit-reset": "2.5", "x-ratelimit-remaining": "0"}),
        ("should-retry", {"x-should-retry": "true", "Retry-After": "3"}),
        ("should-not-retry", {"x-should-retry": "false", "Retry-After": "3"}),
        ("reasoning", {"Retry-After": "3"}),  # which says nothing of rates
    ],
)
def test_headers_of_rate_limits(emulator: Emulator, name: str, headers: dict[str, str]) -> None:
    emulator.fail("limit", retry_after=2.5)
    response = speak(emulator, name)
    assert response.status_code == 429
    assert {header: response.headers.get(header) for header in headers} == headers
    assert "429" in response.text or "rate_limit_exceeded" in response.text


@pytest.mark.parametrize(
    ("seconds", "duration"), [(0.02, "20ms"), (1, "1s"), (59.5, "59.5s"), (360, "6m0s"), (90.5, "1m30.5s")]
)
def test_durations(emulator: Emulator, seconds: float, duration: str) -> None:
    emulator.fail("limit", retry_after=seconds)
    assert speak(emulator, "reset-duration").headers["x-ratelimit-reset-requests"] == duration


@pytest.mark.parametrize("name", ["retry-after-date", "reset-epoch", "reset-timestamp"])
def test_moments_of_rate_limits(emulator: Emulator, name: str) -> None:
    emulator.fail("limit", retry_after=60)
    response = speak(emulator, name)
    if name == "retry-after-date":
        until = parsedate_to_datetime(response.headers["Retry-After"])
    elif name == "reset-epoch":
        milliseconds = response.headers["X-RateLimit-Reset"]
        assert response.json()["error"]["metadata"]["headers"]["X-RateLimit-Reset"] == milliseconds
        until = datetime.fromtimestamp(int(milliseconds) / 1000, timezone.utc)
    else:
        stamp = response.headers["anthropic-ratelimit-requests-reset"]
        assert stamp.endswith("Z")
        until = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    assert 50 < (until - datetime.now(timezone.utc)).total_seconds() < 62


def test_rate_limits_in_the_body_alone(emulator: Emulator) -> None:
    emulator.fail("limit", retry_after=0.5)
    response = speak(emulator, "gemini-retry-delay")
    error = response.json()[0]["error"]
    assert (response.status_code, error["details"][1]["retryDelay"]) == (429, "0.5s")
    assert "You exceeded your current quota" in error["message"]
    assert "PerMinute" in error["details"][0]["violations"][0]["quotaId"]
    emulator.fail("quota")
    error = speak(emulator, "gemini-daily-quota").json()[0]["error"]
    assert "PerDay" in error["details"][0]["violations"][0]["quotaId"]
    emulator.fail("limit", retry_after=1.5)
    message = speak(emulator, "retry-in-words").json()["error"]["message"]
    assert message.endswith("Please try again in 1.5s.")


@pytest.mark.parametrize(
    ("name", "fault", "status", "text"),
    [
        ("groq-request-too-large", "limit", 413, "rate_limit_exceeded"),
        ("groq-capacity", "error", 498, "capacity_exceeded"),
        ("conflict", "error", 409, "conflict_error"),
        ("overloaded-529", "error", 529, "overloaded_error"),
        *((f"cloudflare-{code}", "error", code, f"error code: {code}") for code in range(520, 525)),
        ("llama.cpp-loading", "error", 503, "Loading model"),
        ("hugging-face-loading", "error", 503, "estimated_time"),
    ],
)
def test_statuses(emulator: Emulator, name: str, fault: str, status: int, text: str) -> None:
    emulator.fail(fault)
    failed = speak(emulator, name)
    assert (failed.status_code, text in failed.text) == (status, True)
    assert complete(emulator).status_code == 200
    emulator.fail("success_false")
    assert complete(emulator).status_code == 400


def test_a_limit_of_requests_per_second(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(rate, "time", SimpleNamespace(monotonic=lambda: clock.now))
    emulator.configure(rate=2)
    assert [complete(emulator).status_code for _ in range(3)] == [200, 200, 429]
    clock.now += 0.25
    refused = complete(emulator)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    emulator.dialect("retry-after-ms")
    assert complete(emulator).headers["retry-after-ms"] == "750"
    clock.now += 0.75
    assert [complete(emulator).status_code for _ in range(3)] == [200, 200, 429]
    assert requests.get(emulator.url + "/v1/models").status_code == 200  # lists are not counted
    emulator.configure(rate=0.5)
    clock.now += 1.5
    assert complete(emulator).headers["retry-after-ms"] == "500"
    clock.now += 0.5
    assert complete(emulator).status_code == 200


def test_reset_forgets_the_requests_that_have_passed() -> None:
    with Emulator(rate=0.001) as emulator:
        assert [complete(emulator).status_code for _ in range(2)] == [200, 429]
        emulator.reset()
        assert complete(emulator).status_code == 200


@pytest.mark.parametrize("settings", [{"rate": 0}, {"rate": float("nan")}, {"first_delay": -1}, {"permalinks": "ugly"}])
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Emulator(**settings)


def test_a_first_delay_is_between_the_headers_and_the_body(emulator: Emulator) -> None:
    emulator.configure(first_delay=60)
    url = emulator.url + "/v1/chat/completions"
    with requests.post(url, json=PROMPT | {"stream": True}, stream=True, timeout=5) as response:
        assert response.status_code == 200
        assert (emulator.requests[0].first_piece, emulator.requests[0].complete) == (None, False)
    assert requests.get(emulator.url + "/v1/models", timeout=5).status_code == 200  # prompts alone wait
    emulator.configure(first_delay=0.001)
    assert requests.post(url, json=PROMPT, timeout=5).json()["choices"][0]["message"]["content"] == "Hi"


# Fields and streams

EXTRA = "Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("name", "body", "status", "texts"),
    [
        ("refuses-stream", {"stream": True}, 400, ('"param": "stream"', '"code": "unsupported_value"')),
        ("refuses-stream", {"stream_options": {}}, 200, ()),
        ("refuses-stream", {"stream_options": {"include_usage": True}}, 400, ('"param": "stream_options"',)),
        ("refuses-stream", {}, 200, ()),
        ("requires-stream", {"stream": True}, 200, ()),
        ("requires-stream", {}, 400, ("only support stream mode",)),
        ("refuses-stream-options", {"stream_options": {}}, 400, ("('body', 'stream_options')", EXTRA)),
        ("refuses-stream-options", {"stream": True}, 200, ()),
        ("refuses-stream-options-422", {"stream_options": {}}, 422, ('["body", "stream_options"]', EXTRA)),
        ("refuses-max-tokens", {"max_tokens": 5}, 400, ('"param": "max_tokens"', "Use 'max_completion_tokens'")),
        ("refuses-max-tokens", {"max_completion_tokens": 5}, 200, ()),
        ("refuses-max-completion-tokens", {"max_completion_tokens": 5}, 422, ('"input": 5', EXTRA)),
        ("refuses-max-completion-tokens", {"max_tokens": 5}, 200, ()),
        ("refuses-temperature", {"temperature": 0.2}, 400, ("does not support 0.2",)),
        ("refuses-temperature", {"temperature": 1}, 200, ()),
    ],
)
def test_refused_fields(
    emulator: Emulator, name: str, body: dict[str, Any], status: int, texts: tuple[str, ...]
) -> None:
    response = speak(emulator, name, **body)
    assert response.status_code == status
    assert [text for text in texts if text not in response.text] == []


@pytest.mark.parametrize(
    ("name", "stream", "streams", "content_type"),
    [
        ("always-streams", False, True, "text/event-stream;charset=UTF-8"),
        ("never-streams", True, False, "application/json"),
        ("events-as-json", True, True, "application/json"),
        ("events-as-text", True, True, "text/plain; charset=utf-8"),
        ("events-as-json", False, False, "application/json"),
    ],
)
def test_streams(emulator: Emulator, name: str, stream: bool, streams: bool, content_type: str) -> None:
    response = speak(emulator, name, "Hi", stream=stream)
    assert response.headers["Content-Type"] == content_type
    if streams:
        assert choices_of(response)[0]["delta"] == {"content": "Hi"}
    else:
        assert response.json()["choices"][0]["message"]["content"] == "Hi"


# Addresses

AZURE = "/openai/deployments/gpt-4o/chat/completions"


@pytest.mark.parametrize(
    ("name", "path", "status", "text"),
    [
        ("azure-api-version", AZURE + "?api-version=2024-06-01", 200, "chat.completion"),
        ("azure-api-version", AZURE, 404, "Resource not found"),
        ("azure-api-version", "/v1/chat/completions", 404, "Resource not found"),
        ("without-v1", "/chat/completions", 200, "chat.completion"),
        ("without-v1", "/v1/chat/completions", 404, "Invalid URL"),
        ("lm-studio-unexpected-endpoint", "/v1/chat/completions", 200, "chat.completion"),
        ("lm-studio-unexpected-endpoint", "/chat/completions", 200, "Unexpected endpoint or method. (POST /chat/comp"),
        ("not-found-detail", "/v1/chat/completions/chat/completions", 404, '{"detail": "Not Found"}'),
        ("not-found-text", "/chat/completions", 404, "404 page not found"),
        ("redirect-307", "/v1/chat/completions", 307, ""),
        ("redirect-307", "/v1/chat/completions/", 200, "chat.completion"),
        ("redirect-308", "/v1/chat/completions", 308, ""),
        ("redirect-308", "/v1/nowhere/", 404, "Not Found"),
    ],
)
def test_addresses(emulator: Emulator, name: str, path: str, status: int, text: str) -> None:
    emulator.dialect(name)
    response = requests.post(emulator.url + path, json=PROMPT, allow_redirects=False)
    assert (response.status_code, text in response.text) == (status, True)
    answers = "chat.completion" in response.text
    assert (emulator.requests[0].service, emulator.requests[0].step) == ("openai", "prompt" if answers else None)
    if status in (307, 308):
        assert response.headers["Location"] == path + "/"


def test_azure_s_key(emulator: Emulator) -> None:
    emulator.configure(api_key="right")
    emulator.dialect("azure-api-version")
    url = emulator.url + AZURE + "?api-version=2024-06-01"
    for headers, status in (({"api-key": "right"}, 200), ({"api-key": "wrong"}, 401), ({}, 401)):
        assert requests.post(url, json=PROMPT, headers=headers).status_code == status
    emulator.dialect()
    assert complete(emulator, headers={"api-key": "right"}).status_code == 401


def test_images_are_still_served_at_their_paths(emulator: Emulator) -> None:
    emulator.dialect("without-v1")
    made = requests.post(emulator.url + "/images/generations", json={"prompt": "A cat"}).json()
    assert requests.get(made["data"][0]["url"]).headers["Content-Type"] == "image/png"


# Lists


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        (
            "models-bare-list",
            [{"id": "a", "object": "model", "type": "chat"}, {"id": "b", "object": "model", "type": "chat"}],
        ),
        ("models-ids-only", {"data": [{"id": "a"}, {"id": "b"}]}),
        (
            "llama.cpp-models",
            {
                "models": [
                    {"name": "a", "model": "a", "type": "model"},
                    {"name": "b", "model": "b", "type": "model"},
                ],
                "object": "list",
                "data": [
                    {"id": "a", "object": "model", "created": 0, "owned_by": "emulator"},
                    {"id": "b", "object": "model", "created": 0, "owned_by": "emulator"},
                ],
            },
        ),
        (
            "gemini-models",
            {
                "object": "list",
                "data": [
                    {"id": "models/a", "object": "model", "created": 0, "owned_by": "emulator"},
                    {"id": "models/b", "object": "model", "created": 0, "owned_by": "emulator"},
                ],
            },
        ),
    ],
)
def test_lists_of_models(emulator: Emulator, name: str, listed: object) -> None:
    emulator.configure(models=("a", "b"), dialects=(name,))
    assert requests.get(emulator.url + "/v1/models").json() == listed


def test_ollama_s_tags(emulator: Emulator) -> None:
    emulator.configure(models=("a",), dialects=("ollama-tags",))
    missing = requests.get(emulator.url + "/v1/models")
    assert (missing.status_code, missing.text) == (404, "404 page not found")
    tags = requests.get(emulator.url + "/api/tags").json()
    assert tags == {"models": [{"name": "a", "model": "a", "size": 1}]}
    assert complete(emulator).status_code == 200


def test_what_is_told_about_images(emulator: Emulator) -> None:
    url = emulator.url + "/v1/images/generations"
    emulator.dialect("images-revised-prompt")
    answer = requests.post(url, json={"prompt": "a cat"}).json()
    assert answer["created"] == 1589478378
    assert answer["data"] == [{"url": emulator.url + "/images/1.png", "revised_prompt": "A detailed drawing of a cat"}]
    emulator.dialect("images-encoded")
    answer = requests.post(url, json={"prompt": "a cat", "n": 2}).json()
    assert [list(image) for image in answer["data"]] == [["b64_json"]] * 2
    assert (answer["usage"]["input_tokens"], answer["usage"]["total_tokens"]) == (2, 1058)
