"""AI Engine on sites as they are: their addresses, their users, their bots, every version of the plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from g4f_lite import (
    AiEngine,
    AuthenticationError,
    EmptyResponseError,
    Fallback,
    QuotaExceededError,
    ResponseStatusError,
)
from g4f_lite.answers.deltas import ToolCall
from g4f_lite.emulator import Emulator

from .ai_engine_site import SESSION, SUBMIT, paths
from .conftest import Ask

VERSIONS = ["2.4.3", "2.4.4", "2.6.3", "2.8.8", "2.9.9", "3.3.0", "3.6.2"]
COOKIES = {"wordpress_logged_in_0": "somebody"}


@pytest.fixture
def site(emulator: Emulator) -> Iterator[AiEngine]:
    with AiEngine(emulator.url, retry=None) as provider:
        yield provider


@pytest.mark.product
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("permalinks", ["pretty", "plain", "plain-home"])
def test_every_version_answers_at_every_address(
    site: AiEngine, emulator: Emulator, ask: Ask, version: str, permalinks: str
) -> None:
    emulator.configure(plugin_version=version, permalinks=permalinks)
    assert ask(site) == ask(site) == "Hello"
    submits = [request for request in emulator.requests if request.step == "prompt"]
    assert [request.status for request in submits] == [200, 200]
    assert ["rest_route" in request.query for request in submits] == [permalinks != "pretty"] * 2


def test_where_the_routes_are_is_found_once(site: AiEngine, emulator: Emulator) -> None:
    emulator.configure(permalinks="plain")
    site.create(messages="Hello")
    before = len(emulator.requests)
    emulator.expire_tokens()
    site.create(messages="Hello")
    asked = [(request.path, request.query.get("rest_route")) for request in emulator.requests[before:]]
    submit, session = "/mwai-ui/v1/chats/submit", "/mwai/v1/start_session"
    assert asked == [("/index.php", route) for route in (submit, session, submit)]


def test_a_renamed_rest_prefix_is_read_in_the_page(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.configure(rest_prefix="api")
    emulator.fail("status", status=404, path="/index.php", times=None)
    assert ask(site) == "Hello"
    assert paths(emulator)[-2:] == ["/api/mwai/v1/start_session", "/api/mwai-ui/v1/chats/submit"]


@pytest.mark.parametrize(
    "place", ["other.test", r"other.test\\@site.test", "user@site.test", r"other.test\\/@site.test"]
)
def test_routes_that_the_page_puts_elsewhere_get_neither_nonce_nor_prompt(place: str) -> None:
    page = f'<script>{{"restUrl":"https:\\/\\/{place}\\/wp-json","restNonce":"abcdef1234"}}</script>'
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for path in (SESSION, "/index.php", SUBMIT):
            web.post(f"https://site.test{path}", status=404, json={"code": "rest_no_route"})
        web.get("https://site.test/", page)
        with AiEngine("https://site.test", retry=None) as site, pytest.raises(ResponseStatusError):
            site.ask("Hello")
        assert {call.request.url.split("/")[2] for call in web.calls} == {"site.test"}


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_user_who_is_logged_in_gets_a_nonce_of_wordpress(emulator: Emulator, ask: Ask, version: str) -> None:
    emulator.configure(plugin_version=version)
    with AiEngine(emulator.url, retry=None, cookies=COOKIES) as site:
        assert ask(site) == "Hello"
        assert paths(emulator) == [SESSION, SUBMIT, "/wp-admin/admin-ajax.php", SUBMIT]
        emulator.expire_tokens()
        before = len(emulator.requests)
        assert ask(site) == "Hello"
        assert paths(emulator)[before:] == [SUBMIT, "/wp-admin/admin-ajax.php", SUBMIT]


def test_a_user_who_is_logged_in_gets_the_nonce_in_the_page_where_wordpress_gives_none(emulator: Emulator) -> None:
    emulator.fail("status", status=400, body="0", path="/wp-admin/*", times=None)
    with AiEngine(emulator.url, retry=None, cookies=COOKIES) as site:
        assert site.create(messages="Hello") == "Hello"
    assert paths(emulator) == [SESSION, SUBMIT, "/wp-admin/admin-ajax.php", "/", SUBMIT]


def test_a_nonce_that_no_source_makes_good_is_refused_in_the_end(site: AiEngine, emulator: Emulator) -> None:
    emulator.fail("token", times=None)
    with pytest.raises(AuthenticationError) as caught:
        site.create(messages="Hello")
    assert (caught.value.status, caught.value.step) == (403, "prompt")
    assert paths(emulator).count(SUBMIT) <= 3


def test_the_site_records_a_call_under_the_session_of_its_cookie(site: AiEngine, emulator: Emulator) -> None:
    site.create(messages="Hello")
    site.create(messages="Hello")
    prompts = [request for request in emulator.requests if request.step == "prompt"]
    assert all("session" not in prompt.json() for prompt in prompts)
    first, second = [prompt.chat_session for prompt in prompts]
    assert first == second
    assert first not in (None, "N/A")


def test_a_warning_of_php_stands_before_the_session(site: AiEngine, emulator: Emulator, ask: Ask) -> None:
    emulator.configure(php_warning=True)
    assert ask(site) == "Hello"


@pytest.mark.parametrize(
    "body",
    [
        '<br />\n<b>Warning</b>: x in /x.php\n{"success":true,"sessionId":"6b00f195b4679","restNonce":"96c51bd969"',
        '{"success":true,"sessionId":"6b00f195b4679","restNonce":"96c51bd969"}<b>Notice</b>',
        '["6b00f195b4679", "96c51bd969"]',
    ],
)
def test_an_error_about_a_spoiled_session_shows_no_nonce(site: AiEngine, emulator: Emulator, body: str) -> None:
    emulator.fail("status", status=200, body=body, content_type="application/json", path=SESSION, times=None)
    emulator.fail("status", status=404, body="", path="/index.php", times=None)
    with pytest.raises(Exception, match=r"start_session|nonce") as caught:
        site.create(messages="Hello")
    assert "96c51bd969" not in repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)
    assert "6b00f195b4679" not in repr(caught.value) + str(caught.value.__cause__) + str(caught.value.__context__)


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_functions_of_a_bot_are_tool_calls(site: AiEngine, emulator: Emulator, version: str) -> None:
    emulator.configure(plugin_version=version)
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Tromsø"}'},
    }
    emulator.answer([{"tool_calls": [call]}])
    answer = site.create(messages="How is the weather in Tromsø?")
    assert answer == ""
    assert answer.tool_calls == [ToolCall(None, "weather", '{"city": "Tromsø"}')]
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_bot_shows_its_image_once(emulator: Emulator, version: str) -> None:
    emulator.configure(plugin_version=version, image_bots=("draws",), bots=("default", "draws"))
    with AiEngine(emulator.url, bot_id="draws", retry=None) as site:
        answer = site.create(messages="A cat")
    (image,) = answer.images
    assert answer == image.urls[0]
    assert answer.usage is None or answer.usage.total_tokens
    assert image.alt == "A cat"
    assert image.bytes().startswith(b"\x89PNG")


@pytest.mark.product
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("limit", ["guests", "users", "system"])
def test_each_limit_is_a_used_up_limit(site: AiEngine, emulator: Emulator, version: str, limit: str) -> None:
    emulator.configure(plugin_version=version, site_limit=limit)
    emulator.fail("limit")
    with pytest.raises(QuotaExceededError):
        site.create(messages="Hello")


def test_blanks_and_an_empty_reply_are_an_empty_answer(site: AiEngine, emulator: Emulator) -> None:
    emulator.answer([" ", "\n", "  "])
    with pytest.raises(EmptyResponseError):
        site.create(messages="Hello")


@pytest.mark.parametrize("version", ["2.8.8", "2.9.9", "3.6.2"])
def test_the_event_log_of_a_site_is_not_text(site: AiEngine, emulator: Emulator, version: str) -> None:
    emulator.configure(plugin_version=version, status_events=True)
    assert list(site.create_generator(messages="Hello")) == ["Hello"]


@pytest.mark.parametrize(("version", "taken"), [("2.9.9", False), ("3.3.0", True), ("3.6.2", True)])
def test_a_message_that_is_0(site: AiEngine, emulator: Emulator, version: str, taken: bool) -> None:
    emulator.configure(plugin_version=version)
    if taken:
        assert site.create(messages="0") == "0"
    else:
        with pytest.raises(Exception, match="rejected") as caught:
            site.create(messages="0")
        assert getattr(caught.value, "status", None) == 403


def test_a_warning_points_at_the_callers_line_once_also_through_a_chain(site: AiEngine) -> None:
    turns = [{"role": "user", "content": str(number)} for number in range(18)]
    with pytest.warns(UserWarning, match="the first and the last 15 of these 17 earlier turns") as caught:
        Fallback([site]).create(messages=turns)
    assert [(warning.filename, len(caught)) for warning in caught] == [(__file__, 1)]
