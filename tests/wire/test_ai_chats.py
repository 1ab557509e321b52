"""AiChats on real sockets: its requests, its text, its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite import (
    AiChats,
    AuthenticationError,
    ChallengeError,
    EmptyResponseError,
    ModelNotSupportedError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ServiceError,
    StreamInterruptedError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.providers.registry import make_provider

from .ai_chats_site import AT_ONCE, PAGE, PROMPT, answering, data, failure
from .ai_engine_site import paths
from .conftest import Ask
from .raw_server import chunked, length

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MODELS = pytest.mark.parametrize("model", ["gpt-4", "dalle"])


@pytest.fixture
def service(emulator: Emulator) -> Iterator[AiChats]:
    with AiChats(base_url=emulator.url, retry=AT_ONCE) as provider:
        yield provider


# What it is, and what it sends


def test_attributes() -> None:
    assert AiChats.url == "https://ai-chats.org"
    assert AiChats.api_endpoint == "https://ai-chats.org/chat/send2/"
    assert AiChats().api_endpoint == AiChats.api_endpoint
    assert AiChats.default_model == "gpt-4"
    assert AiChats().get_models() == ["gpt-4", "dalle"]
    assert AiChats.supports_message_history
    assert not AiChats.working
    assert "Not affiliated" in str(AiChats.__doc__)
    assert isinstance(make_provider("ai-chats"), AiChats)
    with pytest.raises(ModelNotSupportedError, match="dalle"):
        AiChats().create_generator("dalle-3", "A cat")


def test_the_page_and_the_prompt(service: AiChats, emulator: Emulator, ask: Ask) -> None:
    assert ask(service, "Hello there") == "Hello there"
    page, prompt = emulator.requests
    assert (page.method, page.path, page.body) == ("GET", PAGE, b"")
    assert (prompt.method, prompt.path) == ("POST", PROMPT)
    assert prompt.json() == {"type": "chat", "messagesHistory": [{"from": "you", "content": "Hello there"}]}
    assert prompt.headers["Accept"] == "application/json, text/event-stream"
    assert prompt.headers["Content-Type"] == "application/json"
    assert prompt.headers["Origin"] == emulator.url
    assert prompt.headers["Referer"] == f"{emulator.url}/chat/"
    assert "gpt-4" not in str(prompt.headers) + prompt.body.decode()


def test_the_cookies_of_the_page_come_back(service: AiChats, emulator: Emulator) -> None:
    for _ in range(3):
        service.create(messages="Hello")
    assert paths(emulator) == [PAGE, PROMPT, PROMPT, PROMPT]
    assert [set(request.cookies) for request in emulator.requests[1:]] == [{"advanced-frontend", "_csrf-front"}] * 3
    assert emulator.connections == 1


def test_cookies_of_the_callers_own(emulator: Emulator) -> None:
    cookies = requests.get(emulator.url + PAGE).cookies.get_dict()
    with AiChats(base_url=emulator.url, cookies=cookies, retry=None) as service:
        assert service.create(messages="Hello") == "Hello"
        assert emulator.requests[-1].cookies == cookies
        assert paths(emulator) == [PAGE, PROMPT]
        emulator.expire_tokens()
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="cookies given as"):
                service.create(messages="Hello")
        assert paths(emulator) == [PAGE, PROMPT, PROMPT, PROMPT]  # each call tries once


def test_a_session_of_the_callers_own(emulator: Emulator) -> None:
    session = requests.Session()
    with AiChats(base_url=emulator.url, session=session) as service:
        service.create(messages="Hello")
    assert set(session.cookies.get_dict()) == {"advanced-frontend", "_csrf-front"}


def test_refused_cookies_are_fetched_again_once(service: AiChats, emulator: Emulator, ask: Ask) -> None:
    ask(service)
    emulator.expire_tokens()
    assert ask(service) == "Hello"
    assert paths(emulator) == [PAGE, PROMPT, PROMPT, PAGE, PROMPT]
    emulator.fail("token", times=None)
    with pytest.raises(AuthenticationError):
        ask(service)
    assert paths(emulator)[5:] == [PROMPT, PAGE, PROMPT]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("400 Bad Request", b"<h1>Bad Request</h1><p>Unable to verify your data submission.</p>"),
        ("400 Bad Request", b'{"name":"Bad Request","message":"Unable to verify your data submission.","code":0}'),
        ("419 Page Expired", b"<h1>Page Expired</h1>"),
        ("403 Forbidden", b'{"name":"Forbidden","message":"No.","code":0,"status":403}'),
        ("401 Unauthorized", b""),
    ],
)
def test_every_way_to_refuse_cookies(status: str, body: bytes, ask: Ask) -> None:
    assert type(failure(length(body, status=status), ask)) is AuthenticationError


def test_history(service: AiChats, emulator: Emulator) -> None:
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "My name is Ann."},
        {"role": "assistant", "content": "Hello Ann."},
        {"role": "assistant", "content": " "},
        {"role": "developer", "content": "Rhyme."},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]
    service.create(messages=turns)
    assert emulator.requests[-1].json()["messagesHistory"] == [
        {"from": "chatGPT", "content": "Hi!"},
        {"from": "you", "content": "Be brief.\n\nRhyme.\n\nMy name is Ann."},
        {"from": "chatGPT", "content": "Hello Ann."},
        {"from": "you", "content": "And now?"},
    ]
    service.create(messages=turns[:1])
    assert emulator.requests[-1].json()["messagesHistory"] == [{"from": "you", "content": "Be brief."}]


@MODELS
def test_pictures_are_not_taken(service: AiChats, model: str) -> None:
    with pytest.raises(ValueError, match="AiChats accepts only text"):
        service.create_generator(model, "What is this?", images=[PNG])


@MODELS
@pytest.mark.parametrize("where", ["object", "call"])
def test_every_request_goes_through_the_proxy(emulator: Emulator, model: str, where: str) -> None:
    settings: dict[str, Any] = {"proxy": emulator.url} if where == "object" else {}
    with AiChats(base_url="http://chats.example", retry=None, **settings) as service:
        answer = service.create(model, "Hello", proxy=None if settings else emulator.url)
    assert answer == ("Hello" if model == "gpt-4" else "http://chats.example/images/1.png")
    assert {request.headers["Host"] for request in emulator.requests} == {"chats.example"}
    assert len(emulator.requests) == (2 if model == "gpt-4" else 3)


# Text


@pytest.mark.product
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_pieces(framing: Any, newline: str, ask: Ask) -> None:
    pieces = ["Caf\u00e9 ", "\u4f60\u597d", " \U0001f600", "0", "  \n", "\n\nline two ", '{"a": 1}', " \u0085end "]
    with Emulator(framing=framing, newline=newline, write_size=5, sse_comments=True) as emulator:
        emulator.answer(pieces)
        with AiChats(base_url=emulator.url) as service:
            answer = ask(service)
    assert answer == "".join(pieces)
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([b"a\\nb"], "a\nb"),
        ([b"a\\", b"nb"], "a\nb"),
        ([b"\\", b"n", b"\\", b"n"], "\n\n"),
        ([b"a\\", b"b"], "a\\b"),
        ([b"a\\"], "a\\"),
        ([b"\\\\", b"n"], "\\\n"),
        ([b"a\\n", b"nb"], "a\nnb"),
        ([b"a", b"", b"b"], "ab"),
        ([b" a", b"  b "], " a  b "),
        ([b'{"error":"no such thing"}'], '{"error":"no such thing"}'),
        (["\u00e9".encode()[:1], "\u00e9".encode()[1:]], "\u00e9"),
    ],
)
def test_raw_text(lines: list[bytes], text: str, ask: Ask) -> None:
    with answering(chunked(*map(data, lines))) as server, AiChats(base_url=server.url) as service:
        assert ask(service) == text


@pytest.mark.parametrize(
    "body",
    [
        b"data: Hello\ndata:  world\n\n",
        b"data: Hello\r\n\r\ndata:  world",
        b"data:Hello\n\ndata:  world\n",
        b"\xef\xbb\xbfdata: Hello\n\nid: 7\nevent: message\ndata:  world\n\n",
        b": hello\nretry: 7\n\nevent: ping\ndata: 7\n\ndata: Hello\n\ndata:  world\n\n",
    ],
)
def test_every_data_line_is_a_piece(body: bytes, ask: Ask) -> None:
    with answering(length(body)) as server, AiChats(base_url=server.url) as service:
        assert ask(service) == "Hello world"


def test_a_connection_that_breaks(service: AiChats, emulator: Emulator) -> None:
    emulator.answer(["Hello", " world"])
    emulator.fail("cut", after=1)
    with pytest.raises(StreamInterruptedError) as caught:
        service.create(messages="Hello")
    assert caught.value.partial == "Hello"


# Errors


@pytest.mark.parametrize("body", [b"event: trylimit\ndata: Buy.\n\n", b"event: trylimit\n\n", b"event:trylimit\r\n"])
@MODELS
def test_used_up_tries(body: bytes, model: str, ask: Ask) -> None:
    error = failure(length(body), ask, model)
    assert type(error) is QuotaExceededError
    assert "free tries" in str(error)


def test_used_up_tries_after_text(ask: Ask) -> None:
    error = failure(chunked(data(b"Hello"), b"event: trylimit\ndata: Buy.\n\n"), ask)
    assert (type(error), error.partial) == (QuotaExceededError, "Hello")


@pytest.mark.parametrize("name", [b"error", b"fail", b"stream-aborted"])
def test_an_event_whose_name_says_failure_is_no_piece_that_may_be_missing(name: bytes, ask: Ask) -> None:
    error = failure(length(b"data: Hello\n\nevent: " + name + b"\ndata: boom\n\ndata:  world\n\n"), ask)
    assert (type(error), error.message, error.partial) == (ServiceError, "boom", "Hello")


def test_an_error_event(service: AiChats, emulator: Emulator) -> None:
    emulator.answer(["Hello", " world"])
    emulator.fail("error", after=1, message="It is gone.")
    with pytest.raises(ServiceError, match="It is gone") as caught:
        service.create(messages="Hello")
    assert caught.value.partial == "Hello"


@pytest.mark.product
@MODELS
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error", "400 Bad Request"])
@pytest.mark.parametrize(
    "body",
    [
        {"error": "Come back."},
        {"error": True, "message": "Come back."},
        {"error": {"message": "Come back."}, "data": None},
    ],
)
def test_json_errors_are_never_text(body: object, status: str, model: str, ask: Ask) -> None:
    error = failure(length(json.dumps(body).encode(), status=status), ask, model)
    assert type(error) is ServiceError
    assert "Come back." in str(error)


def test_json_that_is_no_error_is_no_text_either(ask: Ask) -> None:
    assert type(failure(length(b'{"data":[{"url":"http://x.example/1.png"}]}'), ask)) is ResponseFormatError


def test_a_rate_limit(ask: Ask) -> None:
    assert type(failure(length(b'{"error":"Too many requests"}'), ask, retry=None)) is RateLimitError
    error = failure(length(b"", "Retry-After: 7", status="429 Too Many Requests"), ask, retry=None)
    assert (type(error), error.retry_after) == (RateLimitError, 7)


@pytest.mark.product
@MODELS
@pytest.mark.parametrize("step", ["bootstrap", "prompt"])
@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_challenge_page(service: AiChats, emulator: Emulator, ask: Ask, step: str, status: int, model: str) -> None:
    emulator.fail("challenge", step=step, status=status, times=None)
    with pytest.raises(ChallengeError) as caught:
        ask(service, "Hello", model)
    assert caught.value.step == step
    assert paths(emulator) == ([PAGE] if step == "bootstrap" else [PAGE, PROMPT])


def test_a_busy_page_is_asked_again(service: AiChats, emulator: Emulator) -> None:
    emulator.fail("server_error", step="bootstrap", times=2)
    assert service.create(messages="Hello") == "Hello"
    assert paths(emulator) == [PAGE, PAGE, PAGE, PROMPT]


@pytest.mark.parametrize("body", [b"oh", b"[]", b'"Hello"', b"Hello\n\n", data(b"Hello") + b"oh\n\n"])
def test_lines_that_are_no_events(body: bytes, ask: Ask) -> None:
    assert type(failure(length(body), ask)) is ResponseFormatError


@MODELS
def test_a_page_in_place_of_an_answer(model: str, ask: Ask) -> None:
    error = failure(length(b"<!DOCTYPE html><h1>Welcome</h1>"), ask, model)
    assert type(error) is ResponseFormatError
    assert "Welcome" in str(error)


@pytest.mark.parametrize("body", [b"", b"\n\n", data(b""), b": hello\n\n"])
def test_an_empty_answer(body: bytes, ask: Ask) -> None:
    assert type(failure(chunked(body) if body else chunked(), ask)) is EmptyResponseError
