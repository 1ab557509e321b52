"""AiChatOnline on real sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite import (
    AiChatOnline,
    AuthenticationError,
    ChallengeError,
    ContextLengthExceededError,
    EmptyResponseError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.providers.registry import make_provider

from .ai_engine_site import paths
from .conftest import Ask
from .raw_server import Connection, RawServer, chunked, head, length

TOKEN = "/api/v1/user/getUniqueId"
PROMPT = "/aichatonline/api/chat/gpt"
AT_ONCE = RetryPolicy(backoff=0)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def service(emulator: Emulator) -> Iterator[AiChatOnline]:
    with AiChatOnline(base_url=emulator.url, retry=AT_ONCE) as provider:
        yield provider


def line(piece: object, name: str = "message", code: object = 200) -> bytes:
    return json.dumps({"code": code, "data": {name: piece}}).encode() + b"\n"


def error_line(code: object, message: object) -> bytes:
    return json.dumps({"code": code, "message": message, "data": None}).encode() + b"\n"


def answering(*answers: bytes, token: bytes = b'{"code":200,"data":"0123456789abcdef"}') -> RawServer:
    """Serve prompts with the next of these answers; the last one goes on for ever."""
    prompts = 0

    def answer(connection: Connection) -> None:
        nonlocal prompts
        while (request := connection.request()) is not None:
            if TOKEN in request.line:
                connection.send(length(token))
            else:
                prompts += 1
                connection.send(answers[min(prompts, len(answers)) - 1])

    return RawServer(answer)


def asked(server: RawServer) -> list[str]:
    return [request.line.split()[1].partition("?")[0] for request in server.requests]


def failure(answer: bytes, ask: Ask, **settings: Any) -> ProviderError:
    """Ask a server with this answer, once, and give the error."""
    with answering(answer) as server, AiChatOnline(base_url=server.url, **{"retry": AT_ONCE, **settings}) as service:
        with pytest.raises(G4FLiteError) as caught:
            ask(service)
        assert asked(server).count(PROMPT) == 1 + isinstance(caught.value, AuthenticationError)
    assert isinstance(caught.value, ProviderError)
    return caught.value


# What it is, and what it sends


def test_attributes() -> None:
    assert AiChatOnline.site_url == "https://aichatonline.org"
    assert AiChatOnline.url == "https://aichatonlineorg.erweima.ai"
    assert AiChatOnline.api_endpoint == "/aichatonline/api/chat/gpt"
    assert AiChatOnline.default_model == "gpt-4o-mini"
    assert not AiChatOnline.working
    assert not AiChatOnline.supports_message_history
    assert AiChatOnline().base_url == AiChatOnline.url
    assert AiChatOnline().create_generator(messages="Hello").model == "gpt-4o-mini"
    assert "Not affiliated" in str(AiChatOnline.__doc__)
    assert isinstance(make_provider("ai_chat_online"), AiChatOnline)


def test_token_and_prompt(service: AiChatOnline, emulator: Emulator, ask: Ask) -> None:
    assert ask(service, "Hello there", "some-model") == "Hello there"
    token, prompt = emulator.requests
    assert (token.method, token.path) == ("GET", TOKEN)
    assert re.fullmatch(r"-[a-z0-9]{10}", token.query["canvas"])
    assert (prompt.method, prompt.path) == ("POST", PROMPT)
    body = prompt.json()
    assert re.fullmatch(r"[a-z0-9]{10}", body.pop("conversationId"))
    assert body == {"prompt": "Hello there"}
    assert len(prompt.headers["UniqueId"]) == 32
    assert "some-model" not in str(prompt.headers)
    for request in (token, prompt):
        assert request.headers["Referer"] == f"{emulator.url}/chatgpt/chat/"
        assert request.headers["Origin"] == emulator.url
        assert request.headers["Accept-Language"]
    assert prompt.headers["Content-Type"] == "application/json"
    assert "Content-Type" not in token.headers


def test_a_conversation_is_one_prompt(service: AiChatOnline, emulator: Emulator) -> None:
    turns = [
        {"role": "user", "content": "My name is Ann."},
        {"role": "assistant", "content": "Hello Ann."},
        {"role": "user", "content": "And now?"},
    ]
    service.create(messages=turns, system="Be brief.")
    expected = "System: Be brief.\nUser: My name is Ann.\nAssistant: Hello Ann.\nUser: And now?\nAssistant:"
    assert emulator.requests[-1].json()["prompt"] == expected


def test_a_token_serves_until_it_is_refused(service: AiChatOnline, emulator: Emulator, ask: Ask) -> None:
    for _ in range(3):
        ask(service)
    assert paths(emulator) == [TOKEN, PROMPT, PROMPT, PROMPT]
    assert len({request.headers["UniqueId"] for request in emulator.requests[1:]}) == 1
    assert emulator.connections == 1


@pytest.mark.parametrize("refusal", [401, 403, 200])
def test_a_refused_token_is_fetched_again_once(emulator: Emulator, ask: Ask, refusal: Any) -> None:
    emulator.configure(token_refusal=refusal)
    with AiChatOnline(base_url=emulator.url, retry=None) as service:
        ask(service)
        emulator.expire_tokens()
        assert ask(service) == "Hello"
        assert paths(emulator) == [TOKEN, PROMPT, PROMPT, TOKEN, PROMPT]
        emulator.fail("token", times=None)
        with pytest.raises(AuthenticationError, match="UniqueId is not valid"):
            ask(service)
        assert paths(emulator)[5:] == [PROMPT, TOKEN, PROMPT]


def test_a_token_refused_after_text_is_an_error(ask: Ask) -> None:
    answer = chunked(line("Hello"), error_line(401, "expired"))
    with answering(answer) as server, AiChatOnline(base_url=server.url, retry=AT_ONCE) as service:
        with pytest.raises(AuthenticationError, match="expired") as caught:
            ask(service)
        assert caught.value.partial == "Hello"
        assert asked(server) == [TOKEN, PROMPT]


def test_grab_token_always_asks(service: AiChatOnline, emulator: Emulator) -> None:
    session = requests.Session()
    session.headers["X-Mine"] = "yes"
    tokens = {service.grab_token(), service.grab_token(), service.grab_token(session)}
    assert len(tokens) == 3
    assert paths(emulator) == [TOKEN] * 3
    assert len({request.query["canvas"] for request in emulator.requests}) == 3
    assert emulator.requests[-1].headers["X-Mine"] == "yes"


@pytest.mark.parametrize("where", ["object", "call"])
def test_every_request_goes_through_the_proxy(emulator: Emulator, where: str) -> None:
    settings: dict[str, Any] = {"proxy": emulator.url} if where == "object" else {}
    proxy = None if settings else emulator.url
    with AiChatOnline(base_url="http://chat.example", retry=None, **settings) as service:
        assert service.create(messages="Hello", proxy=proxy) == "Hello"
        assert len(service.grab_token(None, proxy)) == 32
    assert {request.headers["Host"] for request in emulator.requests} == {"chat.example"}
    assert paths(emulator) == [TOKEN, PROMPT, TOKEN]


def test_pictures_are_refused_at_the_call(service: AiChatOnline) -> None:
    with pytest.raises(ValueError, match="AiChatOnline accepts only text"):
        service.create_generator(messages="What is this?", images=[PNG])


@pytest.mark.parametrize(
    "answer",
    [b"", b"oh", b"[]", b"null", b'{"code":200,"data":{"id":7}}', b'{"code":200,"data":" "}', b'{"data":"a\\nb"}'],
)
def test_no_token_where_one_belongs(answer: bytes) -> None:
    with answering(token=answer) as server, AiChatOnline(base_url=server.url, retry=AT_ONCE) as service:
        with pytest.raises(ResponseFormatError) as caught:
            service.create(messages="Hello")
        assert caught.value.step == "bootstrap"
        assert asked(server) == [TOKEN]


def test_a_token_that_is_not_given(service: AiChatOnline, emulator: Emulator) -> None:
    emulator.fail("error", step="bootstrap", message="Come back tomorrow.")
    with pytest.raises(ServiceError, match="Come back tomorrow") as caught:
        service.create(messages="Hello")
    assert caught.value.step == "bootstrap"
    emulator.fail("token", step="bootstrap", times=None)
    with pytest.raises(AuthenticationError):
        service.create(messages="Hello")
    assert paths(emulator) == [TOKEN, TOKEN]  # nothing that another token would mend


# Answers


@pytest.mark.product
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_pieces(framing: Any, newline: str, ask: Ask) -> None:
    pieces = ["Caf\u00e9 ", "\u4f60\u597d", " \U0001f600", "", "0", "  \n", "\u0085 \u2028 end"]
    with Emulator(framing=framing, newline=newline, write_size=3) as emulator:
        emulator.answer(pieces)
        with AiChatOnline(base_url=emulator.url) as service:
            answer = ask(service)
    assert answer == "".join(pieces)
    assert answer.finish_reason == "stop"


def test_what_other_clients_saw(ask: Ask) -> None:
    body = b"\xef\xbb\xbf" + line("Hello") + b"\n" + line(" world", "content") + b"[DONE]\n\n"
    with answering(length(body)) as server, AiChatOnline(base_url=server.url, retry=None) as service:
        assert ask(service) == "Hello world"
        assert ask(service) == "Hello world"
        assert server.connections == 1


def test_a_last_line_without_its_end(ask: Ask) -> None:
    with answering(length(line("Hello") + line(" world").strip())) as server:
        assert ask(AiChatOnline(base_url=server.url)) == "Hello world"


def test_done_ends_an_answer_whose_connection_stays_open(ask: Ask) -> None:
    def answer(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            if TOKEN in request.line:
                connection.send(length(b'{"code":200,"data":"0123456789abcdef"}'))
            else:
                connection.send(head("Transfer-Encoding: chunked"), b"1c\r\n" + line("ab")[:28] + b"\r\n")
                connection.send(b"%x\r\n" % (len(line("ab")) - 28) + line("ab")[28:] + b"\r\n7\r\n[DONE]\n\r\n")
                connection.silence()

    with RawServer(answer) as server:
        assert ask(AiChatOnline(base_url=server.url, timeout=5)) == "ab"


# Errors


@pytest.mark.product
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (500, "The service is busy.", ServiceError),
        (400, "The prompt was rejected.", ServiceError),
        (400, "The prompt is too long.", ContextLengthExceededError),
        (0, "Something else.", ServiceError),
        (500, None, ServiceError),
        (402, "Pay first.", QuotaExceededError),
        (500, "You exceeded your current quota", QuotaExceededError),
        (401, "Who are you?", AuthenticationError),
        (403, "Not you.", AuthenticationError),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error", "400 Bad Request"])
def test_the_services_own_errors(code: int, message: str | None, kind: type[Exception], status: str, ask: Ask) -> None:
    error = failure(length(error_line(code, message), status=status), ask)
    assert type(error) is kind
    assert (message or "without a message") in str(error)
    assert error.status == int(status[:3])


def test_an_error_line_after_text_keeps_the_text(ask: Ask) -> None:
    error = failure(chunked(line("Hello"), error_line(500, "Gone.")), ask)
    assert (type(error), error.partial) == (ServiceError, "Hello")


@pytest.mark.parametrize(("code", "message"), [(429, "Slow down."), (500, "Rate limit reached: too many requests")])
def test_a_rate_limit_is_waited_for(code: int, message: str, ask: Ask) -> None:
    limited = length(error_line(code, message))
    server = answering(limited, limited, length(line("Hello")))
    with server, AiChatOnline(base_url=server.url, retry=AT_ONCE) as service:
        assert ask(service) == "Hello"
        assert asked(server) == [TOKEN, PROMPT, PROMPT, PROMPT]
    error = failure(limited, ask, retry=None)
    assert type(error) is RateLimitError


@pytest.mark.parametrize(
    "bad",
    [
        b"oh\n",
        b"[]\n",
        b"7\n",
        b"null\n",
        b"{}\n",
        b"[DONE\n",
        b'{"code":200}\n',
        b'{"code":200,"data":null}\n',
        b'{"code":200,"data":"Hello"}\n',
        b'{"data":{"message":"Hello"}}\n',
        b'{"code":"200","data":{"message":"Hello"}}\n',
        line(7),
        line(["a"]),
        line(None),
        line("Hello", "text"),
        line("Hello").replace(b'"', b"'"),
    ],
)
def test_any_other_line_is_reported(bad: bytes, ask: Ask) -> None:
    error = failure(length(bad), ask)
    assert type(error) is ResponseFormatError
    assert bad.decode().strip() in str(error)
    error = failure(chunked(line("Hello"), bad, line(" world")), ask)
    assert (type(error), error.partial) == (ResponseFormatError, "Hello")


def test_a_long_line_is_shortened_in_the_message(ask: Ask) -> None:
    assert len(str(failure(length(b"x" * 100_000), ask))) < 500


@pytest.mark.parametrize("fault", ["cut", "truncate"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_cut_answer_keeps_the_partial_text(framing: Any, fault: str, ask: Ask) -> None:
    with Emulator(framing=framing) as emulator, AiChatOnline(base_url=emulator.url, retry=AT_ONCE) as service:
        emulator.answer(["Hello", " w\u00f6rld", "!"])
        emulator.fail(fault, after=1)
        with pytest.raises(StreamInterruptedError) as caught:
            ask(service)
        assert caught.value.partial == "Hello"


def test_a_body_cut_in_a_line_after_its_head_is_no_whole_answer(ask: Ask) -> None:
    assert type(failure(length(b'{"code":200,"da'), ask)) is EmptyResponseError


@pytest.mark.parametrize(
    "answer", [length(b""), length(b"\n"), chunked(), length(b"[DONE]"), length(line(""))], ids=range(5)
)
def test_an_empty_answer(answer: bytes, ask: Ask) -> None:
    assert type(failure(answer, ask)) is EmptyResponseError


@pytest.mark.parametrize("step", ["bootstrap", "prompt"])
@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_challenge_page(service: AiChatOnline, emulator: Emulator, ask: Ask, step: str, status: int) -> None:
    emulator.fail("challenge", step=step, status=status, times=None)
    with pytest.raises(ChallengeError) as caught:
        ask(service)
    assert caught.value.step == step
    assert paths(emulator) == ([TOKEN] if step == "bootstrap" else [TOKEN, PROMPT])


def test_a_page_in_place_of_an_answer(ask: Ask) -> None:
    assert "Welcome" in str(failure(length(b"<!DOCTYPE html><h1>Welcome</h1>"), ask))


def test_no_error_shows_the_token(ask: Ask) -> None:
    assert "0123456789abcdef" not in str(failure(length(error_line(500, "What is 0123456789abcdef?")), ask))
