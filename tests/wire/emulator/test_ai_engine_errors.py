"""The emulated AI Engine's errors, in the order of the table of facts recorded from the real plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .site_client import HELLO, JSON, REJECTED, SSE, SiteClient, events, is_modern


@pytest.mark.parametrize("stream", [True, False])
class TestErrors:
    @pytest.mark.parametrize("nonce", ["deadbeef00", ""])
    def test_wrong_or_empty_nonce(self, site_client: SiteClient, stream: bool, nonce: str) -> None:
        response = site_client.submit(stream=stream, headers={"X-WP-Nonce": nonce})
        assert (response.status_code, response.headers["Content-Type"]) == (403, JSON)
        assert response.json() == {
            "code": "rest_cookie_invalid_nonce",
            "message": "Cookie check failed",
            "data": {"status": 403},
        }
        assert "X-WP-Nonce" not in response.headers

    def test_expired_nonce(self, site: Emulator, site_client: SiteClient, stream: bool) -> None:
        site.expire_tokens()
        assert site_client.submit(stream=stream).json()["code"] == "rest_cookie_invalid_nonce"

    def test_nonce_header_missing(self, site_client: SiteClient, stream: bool) -> None:
        response = site_client.submit(stream=stream, headers={"X-WP-Nonce": None})
        assert (response.status_code, response.json()["code"]) == (401, "rest_forbidden")

    def test_nonce_in_the_query_alone(self, site_client: SiteClient, stream: bool) -> None:
        url = f"{site_client.url}/wp-json/mwai-ui/v1/chats/submit?_wpnonce={site_client.nonce}"
        response = site_client.session.post(url, json=HELLO | {"stream": stream})
        assert (response.status_code, response.json()["code"]) == (401, "rest_forbidden")
        assert response.headers["X-WP-Nonce"] == site_client.nonce

    @pytest.mark.parametrize(
        "changes",
        [
            {"newMessage": ""},
            {"newMessage": " \n "},
            {"newMessage": None},
            {"botId": None},
            {"headers": {"Content-Type": "text/plain"}},
            {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"headers": {"Content-Type": None}},
        ],
        ids=str,
    )
    def test_rejections(self, site_client: SiteClient, stream: bool, changes: dict[str, Any]) -> None:
        response = site_client.submit(stream=stream, **changes)
        assert (response.status_code, response.headers["Content-Type"]) == (403, JSON)
        assert response.json() == {"success": False, "message": REJECTED}
        assert response.headers["X-WP-Nonce"] == site_client.nonce

    @pytest.mark.parametrize("character", ["x", "\u4f60"])
    def test_message_too_long(self, site_client: SiteClient, stream: bool, character: str) -> None:
        assert site_client.submit(stream=stream, newMessage=character * 512).status_code == 200
        response = site_client.submit(stream=stream, newMessage=character * 513)
        assert response.headers["Content-Type"] == JSON
        if stream:
            assert response.status_code == 200
            assert events(response) == [{"type": "error", "data": REJECTED}]
        else:
            assert (response.status_code, response.json()["success"]) == (500, False)

    def test_unknown_bot(self, site: Emulator, site_client: SiteClient, stream: bool) -> None:
        response = site_client.submit(stream=stream, botId="chatbot-nope")
        if is_modern(site):
            assert response.status_code == 200
            assert "Hello" in response.text
        elif stream:
            assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
            assert events(response) == [{"type": "error", "data": REJECTED}]
        else:
            assert (response.status_code, response.json()["success"]) == (500, False)

    def test_model_backend_fails(self, site_client: SiteClient, site: Emulator, stream: bool) -> None:
        message = "OpenAI: Error: Rate limit reached for requests (rate_limit_exceeded)"
        site.fail("error", message=message)
        response = site_client.submit(stream=stream)
        assert response.headers["X-WP-Nonce"] == site_client.nonce
        if stream:
            assert (response.status_code, response.headers["Content-Type"]) == (200, SSE)
            assert events(response) == [{"type": "error", "data": message}]
        else:
            assert (response.status_code, response.json()) == (500, {"success": False, "message": message})

    def test_usage_limit_of_the_site(self, site_client: SiteClient, site: Emulator, stream: bool) -> None:
        site.fail("limit")
        response = site_client.submit(stream=stream)
        assert response.status_code == (200 if stream else 500)
        assert "You have reached the limit" in response.text
        assert site.requests[-1].fault == "limit"

    def test_backend_answers_nothing(self, site_client: SiteClient, site: Emulator, stream: bool) -> None:
        site.fail("empty")
        response = site_client.submit(stream=stream)
        answer = json.loads(events(response)[-1]["data"]) if stream else response.json()
        assert (answer["success"], answer["reply"]) == (True, "")

    def test_broken_json(self, site_client: SiteClient, stream: bool) -> None:
        response = site_client.submit('{"botId":"default","newMessage":')
        assert response.status_code == 400
        assert response.json()["code"] == "rest_invalid_json"
        assert response.json()["data"]["json_error_code"] == 4

    def test_wrong_routes(self, site_client: SiteClient, stream: bool) -> None:
        headers = {"X-WP-Nonce": site_client.nonce}
        for method, route in (("GET", "chats/submit"), ("POST", "nope")):
            url = f"{site_client.url}/wp-json/mwai-ui/v1/{route}"
            response = site_client.session.request(method, url, headers=headers)
            assert (response.status_code, response.json()["code"]) == (404, "rest_no_route")

    @pytest.mark.parametrize("changes", [{"newMessage": ["Hello"]}, {"messages": "nope"}], ids=str)
    def test_php_fatal_error(self, site_client: SiteClient, stream: bool, changes: dict[str, Any]) -> None:
        response = site_client.submit(stream=stream, **changes)
        assert (response.status_code, response.json()["code"]) == (500, "internal_server_error")
        assert response.json()["message"].startswith("<p>There has been a critical error")
        assert "<\\/p>" in response.text


def test_backend_that_dies_in_mid_stream_looks_like_a_whole_answer(caplog: pytest.LogCaptureFixture) -> None:
    def backend(messages: object) -> Iterator[str]:
        yield "Hello"
        yield " from"
        raise RuntimeError("out of memory")

    with Emulator(backend) as site:
        site_client = SiteClient(site)
        site_client.start()
        *live, end = events(site_client.submit(stream=True))
        assert [event["data"] for event in live] == ["Hello", " from"]
        assert json.loads(end["data"])["reply"] == "Hello from"
        assert site_client.submit(stream=False).status_code == 500
    assert "the backend failed" in caplog.text


@pytest.mark.product
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "text"), [("error", "The server had an error"), ("quota", "insufficient_quota")])
def test_failures_have_the_model_s_words(
    site: Emulator, site_client: SiteClient, fault: str, text: str, stream: bool
) -> None:
    site.fail(fault)
    assert text in site_client.submit(stream=stream).text


def test_a_body_that_is_not_an_object_is_rejected(site_client: SiteClient) -> None:
    assert site_client.submit("[1]").status_code == 403


def test_the_nonce_can_be_refused_once(site: Emulator, site_client: SiteClient) -> None:
    site.fail("token")
    assert [site_client.submit().status_code for _ in range(2)] == [403, 200]


def test_wrong_types(site: Emulator, site_client: SiteClient) -> None:
    site.fail("wrong_types", step="bootstrap")
    answer = site_client.session.post(site_client.url + "/wp-json/mwai/v1/start_session").json()
    assert answer["restNonce"] == 7
    site.fail("wrong_types", times=2)
    assert [event["data"] for event in events(site_client.submit(stream=True))] == [{"text": 7}]
    assert site_client.submit().json()["reply"] == ["a", "b"]


def test_success_false_in_the_end_event(site: Emulator, site_client: SiteClient) -> None:
    site.answer("one two three")
    site.fail("success_false", after=2)
    *live, end = events(site_client.submit(stream=True))
    assert [event["data"] for event in live] == ["one", " two"]
    assert json.loads(end["data"]) == {"success": False, "message": REJECTED}
