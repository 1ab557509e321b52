"""The emulated AI Engine, against the facts recorded from the real plugin."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator, tokens

from .site_client import HELLO, JSON, SSE, SiteClient, events, is_modern

# Sessions


def test_start_session_gives_a_nonce_of_ten_hex_digits(site: Emulator, site_client: SiteClient) -> None:
    response = site_client.start()
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    answer = response.json()
    assert list(answer) == ["success", "sessionId", "restNonce"]
    assert re.fullmatch("[0-9a-f]{10}", answer["restNonce"])
    if is_modern(site):
        assert answer["sessionId"] == site_client.session.cookies["mwai_session_id"]
        assert site_client.session.cookies["PHPSESSID"]
    else:
        assert answer["sessionId"] == "N/A"
        assert '"sessionId":"N\\/A"' in response.text
        assert not site_client.session.cookies


def test_all_guests_get_the_same_nonce(site: Emulator, site_client: SiteClient) -> None:
    other = SiteClient(site)
    other.start()
    assert other.nonce == site_client.nonce


def test_start_session_takes_the_session_id_from_its_cookie(site_client: SiteClient) -> None:
    assert site_client.start(Cookie="mwai_session_id=abc123").json()["sessionId"] == "abc123"


def test_start_session_is_for_post_only(site_client: SiteClient) -> None:
    response = site_client.session.get(site_client.url + "/wp-json/mwai/v1/start_session")
    assert (response.status_code, response.json()["code"]) == (404, "rest_no_route")


def test_start_session_with_a_stale_nonce_locks_the_client_out(site_client: SiteClient) -> None:
    response = site_client.start(**{"X-WP-Nonce": "0123456789"})
    assert (response.status_code, response.json()["code"]) == (403, "rest_cookie_invalid_nonce")


def test_start_session_can_fail_with_500(site: Emulator, site_client: SiteClient) -> None:
    site.fail("error", step="bootstrap", message="No session.")
    response = site_client.start()
    assert (response.status_code, response.json()) == (500, {"success": False, "message": "No session."})


# Answers


def test_stream(site: Emulator, site_client: SiteClient) -> None:
    site.answer(["Caf\u00e9 ", "\U0001f600", "0", "", " <\\/b> \n"])
    response = site_client.submit(stream=True)
    assert (response.status_code, response.headers["Content-Type"]) == (200, SSE)
    assert response.headers["X-WP-Nonce"] == site_client.nonce
    assert '"data":"Caf\\u00e9 "' in response.text
    assert '"data":"\\ud83d\\ude00"' in response.text
    *live, end = events(response)
    assert live == [{"type": "live", "data": text} for text in ("Caf\u00e9 ", "\U0001f600", "0", "", " <\\/b> \n")]
    assert list(end) == ["type", "data"]
    assert end["type"] == "end"
    inner = json.loads(end["data"])
    expected = ["success", "reply", "images", "actions", "shortcuts", "blocks", "usage"]
    assert list(inner) == [*expected, "responseId"] if is_modern(site) else expected
    assert inner["success"] is True
    assert inner["reply"] == "Caf\u00e9 \U0001f6000 <\\/b>"  # the plugin trims it


@pytest.mark.parametrize("stream", [{}, {"stream": False}])
def test_json_answer(site: Emulator, site_client: SiteClient, stream: dict[str, Any]) -> None:
    site.answer("Hello from here.")
    response = site_client.submit(**stream)
    assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
    answer = response.json()
    assert answer["reply"] == "Hello from here."
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 3
    assert ("price" in answer["usage"]) is is_modern(site)


@pytest.mark.parametrize("stream", [True, 1, "false"])
def test_every_truthy_stream_is_a_stream(site_client: SiteClient, stream: object) -> None:
    assert site_client.submit(stream=stream).headers["Content-Type"] == SSE


def test_usage_can_be_left_out(site: Emulator, site_client: SiteClient) -> None:
    site.configure(usage=False)
    assert site_client.submit().json()["usage"] is None


def test_a_number_is_a_message_too(site_client: SiteClient) -> None:
    assert site_client.submit(newMessage=42).json()["reply"] == "42"


@pytest.mark.parametrize(
    ("limit", "kept"), [(15, [0, *range(25, 40)]), (3, [0, 37, 38, 39]), (None, range(40)), (39, range(40))]
)
def test_history_keeps_the_first_turn_and_the_last_ones(limit: int | None, kept: list[int]) -> None:
    heard: list[list[dict[str, Any]]] = []

    def backend(messages: list[dict[str, Any]]) -> Iterator[str]:
        heard.append(messages)
        yield "ok"

    with Emulator(backend, max_messages=limit) as site:
        site_client = SiteClient(site)
        site_client.start()
        turns = [{"role": "user", "content": str(n), "id": f"x{n}"} for n in range(40)]
        site_client.submit(messages=turns)
    (messages,) = heard
    assert [message["content"] for message in messages] == [*map(str, kept), "Hello there"]
    assert messages[-1] == {"role": "user", "content": "Hello there"}


# Nonces that age


def test_an_old_nonce_is_accepted_and_replaced(site: Emulator, site_client: SiteClient) -> None:
    site.age_tokens()
    response = site_client.submit(stream=True)
    newer = response.headers["X-WP-Nonce"]
    assert newer != site_client.nonce
    inner = json.loads(events(response)[-1]["data"])
    assert inner.get("new_token") == (newer if is_modern(site) else None)
    rejection = site_client.submit(newMessage="")
    assert rejection.headers["X-WP-Nonce"] == newer
    assert rejection.json().get("new_token") == (newer if is_modern(site) else None)
    site_client.nonce = newer
    assert "new_token" not in site_client.submit().json()


def test_start_session_hands_out_the_newer_nonce_too(site: Emulator, site_client: SiteClient) -> None:
    site.age_tokens()
    answer = site_client.start(**{"X-WP-Nonce": site_client.nonce}).json()
    assert answer.get("new_token") == (answer["restNonce"] if is_modern(site) else None)


def test_a_nonce_lasts_for_a_number_of_uses(site: Emulator, site_client: SiteClient) -> None:
    site.configure(token_uses=2, renew_nonces=False)
    statuses = [site_client.submit().status_code for _ in range(3)]
    assert statuses == [200, 200, 403]
    site_client.start()
    assert site_client.submit().status_code == 200


def test_a_nonce_lasts_for_seconds(site: Emulator, site_client: SiteClient, monkeypatch: pytest.MonkeyPatch) -> None:
    site.configure(token_seconds=60)
    site_client.start()
    assert site_client.submit().status_code == 200
    later = time.monotonic() + 61
    monkeypatch.setattr(tokens, "time", SimpleNamespace(monotonic=lambda: later))
    assert site_client.submit().status_code == 403


def test_a_shop_ties_the_nonce_to_a_cookie() -> None:
    with Emulator(nonce_cookie=True) as site:
        site_client, other = SiteClient(site), SiteClient(site)
        site_client.start()
        other.start()
        assert site_client.nonce != other.nonce
        assert site_client.submit().status_code == 200
        assert site_client.submit(headers={"X-WP-Nonce": other.nonce}).status_code == 403
        site_client.session.cookies.clear()
        assert site_client.submit().status_code == 403


# Versions


def test_before_2_4_4_the_nonce_is_in_the_page() -> None:
    with Emulator(plugin_version="2.4.3") as site:
        site_client = SiteClient(site)
        assert site_client.start().json()["code"] == "rest_no_route"
        for path in ("/", "/chat/"):
            page = requests.get(site.url + path).text
            (site_client.nonce,) = re.findall("restNonce&quot;:&quot;([0-9a-f]{10})&quot;", page)
            assert f'"restNonce":"{site_client.nonce}"' in html.unescape(page)
        assert site_client.submit().json()["reply"] == "Hello there"
        assert site_client.submit(newMessage="\u4f60" * 171).status_code == 500  # 513 bytes
        assert list(site_client.submit().json()) == ["success", "reply", "images", "usage"]


def test_newer_pages_have_no_nonce_for_guests(site: Emulator) -> None:
    assert "restNonce&quot;:null" in requests.get(site.url + "/").text


def test_event_logs() -> None:
    with Emulator(status_events=True) as site:
        site_client = SiteClient(site)
        site_client.start()
        first, *live, _end = events(site_client.submit(stream=True))
        assert list(first) == ["type", "data", "timestamp", "subtype", "visibility"]
        assert (first["type"], first["subtype"], first["data"]) == ("live", "status", "Generating response...")
        assert live[0] == {"type": "live", "data": "Hello"}

        site.configure(status_events=("thinking", "content"))
        first, *live, _end = events(site_client.submit(stream=True))
        assert first["subtype"] == "thinking"
        assert live[0] == {"type": "live", "data": "Hello", "subtype": "content"}

        site.configure(plugin_version="2.8.2")
        assert "subtype" not in site_client.submit(stream=True).text


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("version", "serial"), [("2.8.4", False), ("2.8.5", True), ("2.8.9", True), ("2.8.10", False)])
def test_some_versions_serve_one_request_of_a_php_session_at_a_time(version: str, serial: bool) -> None:
    running = 0
    lock, overlap = threading.Lock(), threading.Event()

    def backend(messages: object) -> Iterator[str]:
        nonlocal running
        with lock:
            running += 1
            if running > 1:
                overlap.set()
        overlap.wait(0.05 if serial else 5)
        with lock:
            running -= 1
        yield "ok"

    with Emulator(backend, plugin_version=version) as site:
        site_client = SiteClient(site)
        site_client.start()
        headers = {"X-WP-Nonce": site_client.nonce, "Cookie": "PHPSESSID=one"}
        url = site.url + "/wp-json/mwai-ui/v1/chats/submit"
        calls = [
            threading.Thread(target=lambda: requests.post(url, json=HELLO, headers=headers, timeout=5))
            for _ in range(3)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert [request.status for request in site.requests] == [200] * 4
    assert overlap.is_set() is not serial
