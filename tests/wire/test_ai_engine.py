"""AiEngine and Chatgpt4Online on real sockets: what they are, and what they send."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests

from g4f_lite import (
    AiEngine,
    AuthenticationError,
    ChallengeError,
    Chatgpt4Online,
    ModelNotSupportedError,
    ResponseFormatError,
    ServiceError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.messages import image_part
from g4f_lite.providers.registry import make_provider

from .ai_engine_site import (
    AT_ONCE,
    JSON,
    OLD_SESSION,
    PNG,
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
from .raw_server import PATIENCE, chunked, length


def test_attributes() -> None:
    assert AiEngine("https://blog.example").working
    assert not Chatgpt4Online.working
    assert Chatgpt4Online.url == "https://chatgpt4online.org"
    assert Chatgpt4Online.api_endpoint == SUBMIT
    assert Chatgpt4Online.default_model == "gpt-4"
    assert Chatgpt4Online().get_models() == ["gpt-4"]
    assert Chatgpt4Online.supports_message_history
    assert Chatgpt4Online().bot_id == "default"
    assert Chatgpt4Online().base_url == Chatgpt4Online.url
    assert "Not affiliated" in str(Chatgpt4Online.__doc__)


def test_a_site_needs_an_address() -> None:
    with pytest.raises(ValueError, match="AiEngine needs base_url="):
        AiEngine()


def test_any_model_may_be_named_and_none_is_sent(site: AiEngine, emulator: Emulator) -> None:
    site.create("whatever", "Hello")
    assert "whatever" not in emulator.requests[-1].body.decode()


def test_chatgpt4online_has_one_model() -> None:
    with pytest.raises(ModelNotSupportedError, match="gpt-4"):
        Chatgpt4Online().create_generator("gpt-4o", "Hello")


def test_they_are_found_by_name(emulator: Emulator) -> None:
    for name in ("AiEngine", "ai_engine", "chatgpt4online"):
        with make_provider(name, base_url=emulator.url) as provider:
            assert provider.create(messages="Hello") == "Hello"


def test_a_copy_by_pickle_is_a_visitor_of_its_own(site: AiEngine, emulator: Emulator) -> None:
    site.create(messages="Hello")
    with pickle.loads(pickle.dumps(site)) as copy:
        assert copy.create(messages="Hello") == "Hello"
    assert paths(emulator) == [SESSION, SUBMIT] * 2


# Session and nonce


def test_a_session_is_started_once(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    assert [ask(site) for _ in range(3)] == ["Hello"] * 3
    assert paths(emulator) == [SESSION, SUBMIT, SUBMIT, SUBMIT]
    assert emulator.connections == 1
    first, prompt, *_ = emulator.requests
    assert (first.method, first.body) == ("POST", b"")
    assert "Content-Type" not in first.headers
    assert len(prompt.headers["X-WP-Nonce"]) == 10


def test_start_session_and_submit_share_their_cookies(emulator: Emulator) -> None:
    emulator.configure(nonce_cookie=True)
    with AiEngine(emulator.url, retry=None) as site:
        assert site.create(messages="Hello") == "Hello"
    assert {"PHPSESSID", "mwai_session_id", "wp_woocommerce_session"} <= set(emulator.requests[-1].cookies)


def test_the_nonce_never_goes_to_start_session(emulator: Emulator) -> None:
    stale = {"x-wp-nonce": "0123456789"}
    session = requests.Session()
    session.headers["X-WP-NONCE"] = "0123456789"
    with (
        AiEngine(emulator.url, retry=None, headers=stale) as site,
        AiEngine(emulator.url, retry=None, session=session) as own,
    ):
        assert site.create(messages="Hello") == own.create(messages="Hello") == "Hello"
        emulator.expire_tokens()
        assert site.create(messages="Hello") == own.create(messages="Hello") == "Hello"
        assert site.get_nonce({"X-Wp-Nonce": "0123456789"})
    sessions = [request for request in emulator.requests if request.path == SESSION]
    assert len(sessions) == 5
    assert not any("X-WP-Nonce" in request.headers for request in sessions)


def test_a_refused_nonce_is_fetched_again_once(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    ask(site)
    emulator.expire_tokens()
    assert ask(site) == "Hello"
    assert paths(emulator) == [SESSION, SUBMIT, SUBMIT, SESSION, SUBMIT]


@pytest.mark.parametrize(
    ("status", "code"), [("403 Forbidden", "rest_cookie_invalid_nonce"), ("401 Unauthorized", "rest_forbidden")]
)
def test_a_nonce_that_is_refused_twice_is_an_error(serve: Serve, ask: Ask, status: str, code: str) -> None:
    site = serve(wordpress_error(code, "Cookie check failed", status), retry=AT_ONCE)
    with pytest.raises(AuthenticationError, match="Cookie check failed") as caught:
        ask(site)
    assert (caught.value.status, caught.value.step) == (int(status[:3]), "prompt")
    assert site.asked == [SESSION, SUBMIT, "/wp-admin/admin-ajax.php?action=rest-nonce", "/"]


def test_the_newest_nonce_of_the_header_is_sent_next(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.configure(plugin_version="2.6.3")
    ask(site)
    emulator.age_tokens()
    for _ in range(3):
        ask(site)
    assert paths(emulator) == [SESSION, SUBMIT, SUBMIT, SUBMIT, SUBMIT]
    first, second, *rest = [request.headers["X-WP-Nonce"] for request in emulator.requests[1:]]
    assert first == second
    assert first not in rest


@pytest.mark.parametrize(
    "answer",
    [
        whole({"success": True, "reply": "Hi", "new_token": "fe8a5539c0"}),
        chunked(event("live", "Hi"), end("Hi", new_token="fe8a5539c0")),
        chunked(event("live", "Hi"), end("Hi", new_token="fe8a5539c0"), fields=["X-WP-Nonce: 1111111111"]),
        chunked(event("live", "Hi"), end("Hi"), fields=["X-WP-Nonce: fe8a5539c0"]),
        whole({"success": False, "message": REJECTED, "new_token": "fe8a5539c0"}, status="403 Forbidden"),
        whole({"success": False, "message": "Oh.", "new_token": "fe8a5539c0"}, status="500 Internal Server Error"),
        whole({"success": False, "message": "Oh."}, "X-WP-Nonce: fe8a5539c0", status="500 Internal Server Error"),
        chunked(event("error", "Oh."), fields=["X-WP-Nonce: fe8a5539c0"]),
    ],
    ids=["json", "end", "end after header", "header", "403", "500", "header of a 500", "header of an error event"],
)
def test_a_newer_nonce_is_taken_from_wherever_it_stands(serve: Serve, answer: bytes) -> None:
    site = serve(answer, whole({"success": True, "reply": "Hi"}), session=whole(OLD_SESSION))
    with suppress(ServiceError):
        site.create(messages="Hello")
    assert site.create(messages="Hello") == "Hi"
    assert [request.headers.get("x-wp-nonce") for request in site.server.requests] == [None, "0000000000", "fe8a5539c0"]


def test_a_newer_nonce_of_start_session_wins(serve: Serve) -> None:
    site = serve(session=whole({**OLD_SESSION, "new_token": "fe8a5539c0"}))
    assert site.get_nonce() == "fe8a5539c0"


def test_get_nonce_always_asks(emulator: Emulator) -> None:
    with Chatgpt4Online(base_url=emulator.url) as site:
        first = site.get_nonce()
        emulator.expire_tokens()
        assert site.get_nonce({"X-Mine": "yes"}) != first
    assert paths(emulator) == [SESSION, SESSION]
    assert emulator.requests[-1].headers["X-Mine"] == "yes"


def test_start_session_that_fails(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.fail("error", step="bootstrap", message="No session.")
    with pytest.raises(ServiceError, match=r"No session\.") as caught:
        ask(site)
    assert (caught.value.status, caught.value.step) == (500, "bootstrap")
    assert paths(emulator) == [SESSION]


@pytest.mark.parametrize(
    "answer",
    [b"[]", b"null", b"{}", b'"x"', b"oh", b'{"success":true,"restNonce":7}', b'{"success":true,"restNonce":"a\\nb"}'],
)
def test_start_session_without_a_nonce(serve: Serve, answer: bytes) -> None:
    site = serve(session=length(answer, JSON))
    with pytest.raises(ResponseFormatError) as caught:
        site.create(messages="Hello")
    assert caught.value.step == "bootstrap"
    with pytest.raises(ResponseFormatError) as caught:
        site.get_nonce()
    assert caught.value.step == "bootstrap"


def test_start_session_that_refuses_in_a_200(serve: Serve) -> None:
    site = serve(session=whole({"success": False, "message": "Not for you."}))
    with pytest.raises(ServiceError, match="Not for you"):
        site.create(messages="Hello")


@pytest.mark.parametrize("status", [200, 403, 503])
def test_start_session_behind_a_challenge(site: AiEngine, emulator: Emulator, status: int) -> None:
    emulator.fail("challenge", step="bootstrap", status=status, times=None)
    with pytest.raises(ChallengeError, match="human being"):
        site.create(messages="Hello")
    assert paths(emulator) == [SESSION]


def test_old_plugins_have_the_nonce_in_their_page(emulator: Emulator, ask: Ask) -> None:
    emulator.configure(plugin_version="2.4.3")
    with AiEngine(emulator.url, retry=None) as site:
        assert ask(site) == "Hello"
        assert paths(emulator) == [SESSION, "/index.php", "/", SUBMIT]
        emulator.expire_tokens()
        assert ask(site) == "Hello"
        assert len(site.get_nonce()) == 10
    pages = [request for request in emulator.requests if request.path == "/"]
    assert not any("X-WP-Nonce" in request.headers for request in pages)


def test_a_page_without_a_nonce(serve: Serve) -> None:
    missing = wordpress_error("rest_no_route", "No route was found.", "404 Not Found")
    site = serve(length(b"<html>Just a blog.</html>"), session=missing)
    with pytest.raises(ServiceError, match="neither AI Engine's start_session nor, in its page, a nonce") as caught:
        site.create(messages="Hello")
    assert caught.value.step == "bootstrap"


def test_a_page_that_is_a_challenge(emulator: Emulator) -> None:
    emulator.configure(plugin_version="2.4.3")
    for status in (200, 403):
        emulator.fail("challenge", path="/", status=status)
        with AiEngine(emulator.url, retry=None) as site, pytest.raises(ChallengeError):
            site.create(messages="Hello")


# Prompt


def test_the_prompt(site: AiEngine, emulator: Emulator) -> None:
    site.create(messages="Hello there")
    prompt = emulator.requests[-1]
    body = prompt.json()
    assert len(body.pop("chatId")) == 11
    assert body == {
        "botId": "default",
        "contextId": None,
        "messages": [],
        "newMessage": "Hello there",
        "newFileId": None,
        "stream": True,
    }
    assert prompt.headers["Content-Type"] == "application/json"
    assert prompt.headers["Origin"] == emulator.url
    assert prompt.headers["Referer"] == emulator.url + "/"


def test_a_site_in_a_folder(serve: Serve) -> None:
    site = serve(chunked(event("live", "Hi"), end("Hi")))
    server = site.server
    with AiEngine(server.url + "/blog/", retry=None) as blog:
        assert blog.create(messages="Hello") == "Hi"
    assert site.asked == ["/blog" + SESSION, "/blog" + SUBMIT]
    assert server.requests[-1].headers["origin"] == server.url
    assert server.requests[-1].headers["referer"] == server.url + "/blog/"


def test_a_bot_by_its_id(emulator: Emulator) -> None:
    with AiEngine(emulator.url, bot_id="chatbot-x", retry=None) as site:
        site.create(messages="Hello")
    assert emulator.requests[-1].json()["botId"] == "chatbot-x"


def test_a_bot_of_one_page(emulator: Emulator) -> None:
    with AiEngine(emulator.url, custom_id="c1", retry=None) as site:
        site.create(messages="Hello")
    assert emulator.requests[-1].json()["customId"] == "c1"
    assert "botId" not in emulator.requests[-1].json()


def test_earlier_turns_and_the_last_user_message_go_apart(site: AiEngine, emulator: Emulator) -> None:
    site.create(
        messages=[
            {"role": "user", "content": "My name is Ann."},
            {"role": "assistant", "content": "Hello Ann."},
            {"role": "assistant", "content": " "},
            {"role": "developer", "content": "Rhyme."},
            {"role": "user", "content": [{"type": "text", "text": "and "}, {"type": "text", "text": "now?"}]},
            {"role": "user", "content": "  "},
        ],
        system="Be brief.",
    )
    body = emulator.requests[-1].json()
    assert body["newMessage"] == "and now?"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "My name is Ann."},
        {"role": "assistant", "content": "Hello Ann."},
        {"role": "system", "content": "Rhyme."},
    ]


def test_a_long_history_fits_a_default_site(site: AiEngine) -> None:
    turns = [{"role": role, "content": "x" * 600} for _ in range(8) for role in ("user", "assistant")]
    assert site.create(messages=[*turns, {"role": "user", "content": "Hi"}]) == "Hi"


def test_more_turns_than_the_server_keeps(site: AiEngine, emulator: Emulator) -> None:
    turns = [{"role": "user", "content": str(number)} for number in range(18)]
    with pytest.warns(UserWarning, match="the first and the last 15 of these 17 earlier turns") as caught:
        stream = site.create_generator(messages=turns)
    assert caught[0].filename == __file__
    assert stream.text() == "17"
    site.create_generator(messages=turns[1:]).close()  # 16 earlier turns: no warning


def test_nothing_of_a_user_is_a_bad_argument(site: AiEngine) -> None:
    with pytest.raises(ValueError, match="no user message"):
        site.create_generator(messages=[{"role": "system", "content": "Be brief."}])


def test_pictures_are_refused_at_the_call(site: AiEngine) -> None:
    with pytest.raises(ValueError, match=r"AiEngine accepts only text, and a message contains an image"):
        site.create_generator(messages="What is this?", images=[PNG])
    asked = {"role": "user", "content": [image_part(PNG)]}
    turns = [asked, {"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"}]
    told = r"text, and an earlier message contains an image; begin a conversation without it$"
    with pytest.raises(ValueError, match=told):
        site.create_generator(messages=turns)


def test_options_are_refused_at_the_call(site: AiEngine) -> None:
    with pytest.raises(TypeError, match="temperature"):
        site.create_generator(messages="Hello", temperature=0.5)


@pytest.mark.parametrize("where", ["object", "call"])
def test_every_request_goes_through_the_proxy(emulator: Emulator, where: str) -> None:
    proxy = emulator.url
    settings = {"proxy": proxy} if where == "object" else {}
    with AiEngine("http://blog.example", retry=None, **settings) as site:
        assert site.create(messages="Hello", proxy=None if settings else proxy) == "Hello"
    assert {request.headers["Host"] for request in emulator.requests} == {"blog.example"}
    assert len(emulator.requests) == 2


# Many at once


@pytest.mark.once
def test_threads_share_nothing_and_reuse_everything(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may take its time to end an answer, whose connection would be closed.
    monkeypatch.setattr("g4f_lite.http.body.DRAIN_SECONDS", PATIENCE)
    barrier = threading.Barrier(8, timeout=PATIENCE)

    def work(site: AiEngine, number: int) -> list[str]:
        barrier.wait()
        return [site.create(messages=f"{number} {call}") for call in range(10)]

    with AiEngine(emulator.url) as site, ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda number: work(site, number), range(8)))
    assert results == [[f"{number} {call}" for call in range(10)] for number in range(8)]
    assert emulator.connections <= 8
    assert paths(emulator).count(SESSION) <= 8
