"""What AiEngine makes of errors: every row of the table of what the plugin answers, and what is in none."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite import (
    AiEngine,
    AuthenticationError,
    ChallengeError,
    ContextLengthExceededError,
    EmptyResponseError,
    G4FLiteError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
)
from g4f_lite.emulator import Emulator

from .ai_engine_site import (
    AT_ONCE,
    REJECTED,
    SESSION,
    SUBMIT,
    end,
    event,
    paths,
    whole,
    wordpress_error,
)
from .conftest import Ask, Serve
from .raw_server import chunked, length


def _fails(site: AiEngine, ask: Ask, kind: type[G4FLiteError], match: str) -> ProviderError:
    with pytest.raises(kind, match=match) as caught:
        ask(site)
    assert type(caught.value) is kind
    assert isinstance(caught.value, ProviderError)
    return caught.value


@pytest.mark.parametrize("version", ["2.6.3", "3.6.2"])
def test_a_rejection_is_never_retried(emulator: Emulator, ask: Ask, version: str) -> None:
    emulator.configure(plugin_version=version)
    emulator.fail("success_false", times=None)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        error = _fails(site, ask, ServiceError, REJECTED)
    assert error.status == 403
    assert paths(emulator) == [SESSION, SUBMIT]


def test_an_unknown_bot_of_an_old_version(emulator: Emulator, ask: Ask) -> None:
    emulator.configure(plugin_version="2.6.3")
    with AiEngine(emulator.url, bot_id="nope", retry=AT_ONCE) as site:
        error = _fails(site, ask, ServiceError, REJECTED)
    assert "characters" not in str(error)
    assert paths(emulator) == [SESSION, SUBMIT]


@pytest.mark.product
@pytest.mark.parametrize("version", ["2.6.3", "3.6.2"])
@pytest.mark.parametrize(("message", "size"), [("x" * 513, "513"), ("\u4f60" * 600, "600"), ("x " * 1000, "2,000")])
def test_a_message_that_is_too_long_in_a_stream(emulator: Emulator, version: str, message: str, size: str) -> None:
    emulator.configure(plugin_version=version)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        for call in (site.create, lambda **said: list(site.create_generator(**said))):
            with pytest.raises(ServiceError, match=f"{size} characters; a site takes 512") as caught:
                call(messages=message)
            assert REJECTED in str(caught.value)
    assert paths(emulator) == [SESSION, SUBMIT, SUBMIT]


@pytest.mark.parametrize("status", ["500 Internal Server Error", "403 Forbidden", "200 OK"])
def test_a_message_that_is_too_long_in_json(serve: Serve, status: str) -> None:
    site = serve(whole({"success": False, "message": REJECTED}, status=status), retry=AT_ONCE)
    with pytest.raises(ServiceError, match="513 characters; a site takes 512"):
        site.create(messages="x" * 513)
    assert site.asked == [SESSION, SUBMIT]


def test_version_2_4_4_counts_bytes(emulator: Emulator) -> None:
    emulator.configure(plugin_version="2.4.4")
    with AiEngine(emulator.url) as site, pytest.raises(ServiceError, match=r"200 characters; .* count bytes"):
        site.create(messages="\u4f60" * 200)


def test_a_site_may_take_more(emulator: Emulator) -> None:
    emulator.configure(message_limit=20_000)
    with AiEngine(emulator.url) as site:
        assert site.create(messages="y" * 20_000) == "y" * 20_000


@pytest.mark.parametrize(
    "answer",
    [
        chunked(event("error", "OpenAI: Error: Incorrect API key provided")),
        wordpress_error("internal_server_error", "There has been a critical error.", "500 Internal Server Error"),
        wordpress_error("rest_no_route", "No route was found.", "404 Not Found"),
    ],
    ids=["model", "php", "route"],
)
def test_other_errors_are_not_put_down_to_a_long_message(serve: Serve, answer: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        serve(answer).create(messages="x" * 600)
    assert "512" not in str(caught.value)


MODEL_ERRORS = {
    "500": "OpenAI: Error: The server had an error while processing your request. (server_error)",
    "401": "OpenAI: Error: Incorrect API key provided: fake (invalid_request_error)",
    "400": "OpenAI: Error: This model's maximum context length is 8192 tokens. (invalid_request_error)",
}


@pytest.mark.product
@pytest.mark.parametrize("code", MODEL_ERRORS)
@pytest.mark.parametrize("form", ["stream", "json"])
def test_an_error_of_the_sites_model(emulator: Emulator, ask: Ask, code: str, form: str) -> None:
    text, kind = MODEL_ERRORS[code], ContextLengthExceededError if code == "400" else ServiceError
    emulator.fail("error", message=text, status=None if form == "stream" else 500, times=None)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        error = _fails(site, ask, kind, "OpenAI: Error: ")
    assert text in str(error)
    assert error.status == (200 if form == "stream" else 500)
    assert paths(emulator) == [SESSION, SUBMIT]


@pytest.mark.parametrize("form", ["stream", "json"])
def test_a_rate_limit_that_only_the_text_tells_is_waited_for(emulator: Emulator, ask: Ask, form: str) -> None:
    text = "OpenAI: Rate limit reached for requests (rate_limit_exceeded)"
    emulator.fail("error", message=text, status=None if form == "stream" else 500, times=2)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        assert ask(site) == "Hello"
        assert paths(emulator) == [SESSION, SUBMIT, SUBMIT, SUBMIT]
        emulator.fail("error", message=text, status=None if form == "stream" else 500, times=None)
        _fails(site, ask, RateLimitError, "Rate limit reached")


@pytest.mark.parametrize("form", ["stream", "json"])
@pytest.mark.parametrize("version", ["2.6.3", "3.6.2"])
def test_the_sites_usage_limit_is_never_retried(emulator: Emulator, ask: Ask, form: str, version: str) -> None:
    emulator.configure(plugin_version=version)
    emulator.fail("limit", status=None if form == "stream" else 500, times=None)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        _fails(site, ask, QuotaExceededError, "You have reached the limit")
    assert paths(emulator) == [SESSION, SUBMIT]


def test_a_model_that_dies_in_mid_answer_cannot_be_told(emulator: Emulator, site: AiEngine, ask: Ask) -> None:
    def dies(messages: object) -> Iterator[str]:
        yield "Hello"
        raise RuntimeError("gone")

    with Emulator(dies) as other, AiEngine(other.url) as dying:
        assert ask(dying) == "Hello"


@pytest.mark.parametrize("form", ["stream", "json"])
def test_an_empty_reply_is_an_error(serve: Serve, ask: Ask, form: str) -> None:
    site = serve(chunked(end("")) if form == "stream" else whole({"success": True, "reply": ""}), retry=AT_ONCE)
    _fails(site, ask, EmptyResponseError, "no text")
    assert site.asked == [SESSION, SUBMIT]


def test_a_body_that_wordpress_cannot_read(serve: Serve, ask: Ask) -> None:
    site = serve(wordpress_error("rest_invalid_json", "Invalid JSON body passed.", "400 Bad Request"))
    assert _fails(site, ask, ServiceError, "Invalid JSON body passed").status == 400


def test_a_plugin_that_is_off(serve: Serve, ask: Ask) -> None:
    site = serve(wordpress_error("rest_no_route", "No route was found.", "404 Not Found"))
    assert _fails(site, ask, ServiceError, "No route was found.*is AI Engine switched on").status == 404


def test_a_fatal_error_of_php_is_readable(serve: Serve, ask: Ask) -> None:
    page = "<p>There has been a critical error on this website.</p><p><a href='https://w.example/'>Don&#8217;t!</a></p>"
    site = serve(wordpress_error("internal_server_error", page, "500 Internal Server Error"), retry=AT_ONCE)
    error = _fails(site, ask, ServiceError, "There has been a critical error on this website. Don\u2019t!")
    assert "<" not in str(error)


@pytest.mark.parametrize("after", [0, 1])
def test_an_error_event_before_and_after_text(site: AiEngine, emulator: Emulator, after: int) -> None:
    emulator.answer(["Hello", " world"])
    emulator.fail("error", after=after, message="The model is gone.")
    with pytest.raises(ServiceError, match="The model is gone") as caught:
        site.create(messages="Hello")
    assert caught.value.partial == ("Hello" if after else "")


@pytest.mark.parametrize(
    "failure", [{"error": "boom"}, {"type": "fatal_error", "data": "boom"}], ids=["no type", "other"]
)
def test_what_says_failure_between_pieces_is_an_error_before_a_proper_end(serve: Serve, failure: Any) -> None:
    site = serve(chunked(event("live", "Hello"), f"data: {json.dumps(failure)}\n\n".encode(), end("Hello")))
    error = _error_of(site)
    assert (type(error), str(error.partial)) == (ServiceError, "Hello")
    assert "boom" in str(error)


@pytest.mark.parametrize("after", [0, 1])
def test_an_end_without_success(site: AiEngine, emulator: Emulator, after: int) -> None:
    emulator.answer(["Hello", " world"])
    emulator.fail("success_false", after=after, message="Nothing for you.")
    with pytest.raises(ServiceError, match="Nothing for you") as caught:
        site.create(messages="Hello")
    assert caught.value.partial == ("Hello" if after else "")


@pytest.mark.product
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("fault", ["end", "truncate"])
def test_a_stream_without_its_end_keeps_the_partial_text(framing: Any, fault: str) -> None:
    with Emulator(framing=framing) as emulator, AiEngine(emulator.url, retry=AT_ONCE) as site:
        emulator.answer(["Hello", " w\u00f6rld", "!"])
        emulator.fail(fault, after=1)
        stream = site.create_generator(messages="Hello")
        with pytest.raises(StreamInterruptedError) as caught:
            list(stream)
        assert caught.value.partial == "Hello"
        assert paths(emulator) == [SESSION, SUBMIT]


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_connection_that_breaks_in_mid_stream(site: AiEngine, emulator: Emulator, fault: str) -> None:
    emulator.answer(["Hello", " world"])
    emulator.fail(fault, after=1)
    with pytest.raises(StreamInterruptedError) as caught:
        site.create(messages="Hello")
    assert caught.value.partial in ("Hello", "")  # a reset may overtake what was sent


@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_challenge_page_is_neither_text_nor_retried(emulator: Emulator, ask: Ask, status: int) -> None:
    emulator.fail("challenge", status=status, times=None)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        _fails(site, ask, ChallengeError, "human being")
    assert paths(emulator) == [SESSION, SUBMIT]


def test_a_page_in_place_of_an_answer(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.fail("status", status=200, body="<!DOCTYPE html><h1>Welcome</h1>")
    assert "Welcome" in str(_fails(site, ask, ResponseFormatError, "web page"))


def test_a_busy_proxy_before_the_site_is_asked_again(emulator: Emulator, ask: Ask) -> None:
    emulator.fail("server_error", times=2)
    with AiEngine(emulator.url, retry=AT_ONCE) as site:
        assert ask(site) == "Hello"


def test_wordpress_in_maintenance_is_asked_again(serve: Serve, ask: Ask) -> None:
    busy = wordpress_error("wp_die", "Briefly unavailable.", "503 Service Unavailable")
    site = serve(busy, busy, whole({"success": True, "reply": "Hi"}), retry=AT_ONCE)
    assert ask(site) == "Hi"
    assert type(_error_of(serve(busy))) is ResponseStatusError


def _error_of(site: AiEngine) -> BaseException:
    with pytest.raises(G4FLiteError) as caught:
        site.create(messages="Hello")
    return caught.value


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("401 Unauthorized", "Members only.", AuthenticationError),
        ("403 Forbidden", "The REST API is closed.", AuthenticationError),
        ("429 Too Many Requests", "Too many requests.", RateLimitError),
    ],
)
def test_refusals_of_other_plugins(serve: Serve, status: str, text: str, kind: type[G4FLiteError]) -> None:
    error = _error_of(serve(wordpress_error("some_code", text, status)))
    assert type(error) is kind
    assert text in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        chunked(b"data: {'type': 'live'}\n\n", end("Hi")),
        chunked(b"data: 7\n\n", end("Hi")),
        chunked(event("live", {"text": 7}), end("Hi")),
        chunked(event("live", None), end("Hi")),
        chunked(event("end", "no JSON")),
        chunked(event("end", "[]")),
        chunked(event("end", None)),
        chunked(event("end", json.dumps({"success": True, "reply": ["a", "b"]}))),
        chunked(event("end", json.dumps({"reply": "Hi"}))),
        length(b'{"success":true,"reply":["a","b"]}'),
        length(b'{"success":true,"reply":"Hi","images":"x"}'),
        length(b'{"success":true,'),
        length(b"{}"),
        length(b"[]"),
        length(b"null"),
        length(b"-1"),
        length(b"Notice: undefined index in bot.php"),
    ],
    ids=range(17),
)
def test_what_the_protocol_does_not_say(serve: Serve, ask: Ask, answer: bytes) -> None:
    site = serve(answer, retry=AT_ONCE)
    _fails(site, ask, ResponseFormatError, ".")
    assert site.asked == [SESSION, SUBMIT]


@pytest.mark.parametrize(
    "answer", [length(b""), chunked(), length(b"\n\n"), chunked(b": keep-alive\n\n")], ids=range(4)
)
def test_nothing_at_all(serve: Serve, ask: Ask, answer: bytes) -> None:
    assert isinstance(_error_of(serve(answer)), (EmptyResponseError, ResponseFormatError))


def test_an_error_without_words(serve: Serve) -> None:
    for answer in (chunked(event("error", "")), chunked(event("error", None)), whole({"success": False})):
        assert type(_error_of(serve(answer))) is ServiceError


def test_no_error_shows_the_nonce(serve: Serve) -> None:
    site = serve(chunked(event("error", "The nonce 0000000000 is odd.")))
    error = _error_of(site)
    assert "0000000000" not in str(error)
    assert "0000000000" not in repr(pickle.loads(pickle.dumps(error)).__dict__)
