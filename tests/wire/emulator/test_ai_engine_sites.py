"""The ways in which sites with AI Engine differ: versions, logins, permalinks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from .site_client import JSON, LOGIN, SiteClient, client_of, events, open_site, page_value

VERSIONS = ("2.4.3", "2.4.4", "2.6.3", "2.8.8", "2.9.9", "3.3.0", "3.6.2")
SESSION, SUBMIT = "/mwai/v1/start_session", "/mwai-ui/v1/chats/submit"

# Facts by version


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.4.3", 404), ("2.4.4", 200), ("2.6.3", 200), ("2.8.8", 200), ("2.9.9", 200), ("3.3.0", 200), ("3.6.2", 200)],
)
def test_start_session_came_with_2_4_4(version: str, status: int) -> None:
    with open_site(version) as site:
        assert SiteClient(site).start().status_code == status


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.4.3", 403), ("2.4.4", 403), ("2.6.3", 403), ("2.8.8", 403), ("2.9.9", 403), ("3.3.0", 200), ("3.6.2", 200)],
)
def test_the_message_0_was_refused_up_to_2_9_9(version: str, status: int) -> None:
    with open_site(version) as site:
        assert client_of(site).submit(newMessage="0").status_code == status


ALL = ["success", "reply", "images", "actions", "shortcuts", "blocks", "usage"]


@pytest.mark.product
@pytest.mark.parametrize(
    ("version", "fields", "usage"),
    [
        ("2.4.4", ["success", "reply", "images", "usage"], []),
        ("2.6.3", ALL, []),
        ("2.8.8", [*ALL, "responseId"], ["price", "queries", "accuracy"]),
        ("3.6.2", [*ALL, "responseId"], ["price", "queries", "accuracy"]),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_the_fields_of_an_answer(version: str, fields: list[str], usage: list[str], stream: bool) -> None:
    with open_site(version) as site:
        response = client_of(site).submit(stream=stream)
        answer = json.loads(events(response)[-1]["data"]) if stream else response.json()
        assert list(answer) == fields
        assert list(answer["usage"]) == ["prompt_tokens", "completion_tokens", "total_tokens", *usage]


@pytest.mark.parametrize("version", VERSIONS)
def test_options_allow_post(version: str) -> None:
    with open_site(version) as site:
        response = requests.options(site.url + "/wp-json" + SUBMIT)
        assert (response.status_code, response.headers["Allow"]) == (200, "POST")
        assert response.json()["namespace"] == "mwai-ui/v1"
        expected = 404 if version == "2.4.3" else 200
        assert requests.options(site.url + "/wp-json" + SESSION).status_code == expected


@pytest.mark.parametrize(("version", "renews"), [("2.6.3", False), ("2.8.8", True), ("3.6.2", True)])
def test_a_newer_nonce_comes_in_every_kind_of_answer(version: str, renews: bool) -> None:
    with open_site(version) as site:
        client = client_of(site)
        site.age_tokens()
        site.fail("error", nth=3)
        answers = [client.submit().json(), client.submit(newMessage="").json(), client.submit().json()]
        answers.append(json.loads(events(client.submit(stream=True))[-1]["data"]))
        assert [request.status for request in site.requests[1:]] == [200, 403, 500, 200]
        newer = client.submit().headers["X-WP-Nonce"]
        assert newer != client.nonce
        assert [answer.get("new_token") for answer in answers] == [newer if renews else None] * 4


@pytest.mark.parametrize(
    ("version", "started", "prompted"),
    [
        ("2.6.3", [], []),
        ("2.8.8", ["PHPSESSID", "mwai_session_id"], ["PHPSESSID", "mwai_session_id"]),
        ("3.6.2", ["PHPSESSID", "mwai_session_id"], ["mwai_session_id"]),
    ],
)
def test_cookies(version: str, started: list[str], prompted: list[str]) -> None:
    with open_site(version) as site:
        client = SiteClient(site)
        assert client.start().cookies.keys() == started
        client.session.cookies.clear()
        assert client.submit().cookies.keys() == prompted
        client.session.cookies.clear()
        for response in (client.start(**{"X-WP-Nonce": "stale"}), requests.get(site.url + "/wp-json" + SESSION)):
            assert response.cookies.keys() == started[:1]


# Logged-in users


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_guest_s_nonce_is_refused_for_a_logged_in_user(version: str) -> None:
    with open_site(version) as site:
        client = SiteClient(site)
        client.start(**LOGIN)
        refused = client.submit(headers=LOGIN)
        assert (refused.status_code, refused.json()["code"]) == (403, "rest_cookie_invalid_nonce")
        assert client.submit().ok  # for a guest it is good


@pytest.mark.parametrize("version", VERSIONS)
def test_the_page_and_admin_ajax_give_a_logged_in_user_s_nonce(version: str) -> None:
    with open_site(version) as site:
        client = SiteClient(site)
        ajax = requests.get(site.url + "/wp-admin/admin-ajax.php?action=rest-nonce", headers=LOGIN)
        assert (ajax.status_code, site.requests[-1].step) == (200, "bootstrap")
        client.nonce = page_value(requests.get(site.url + "/", headers=LOGIN).text, "restNonce")
        assert client.nonce == ajax.text
        answer = client.submit(headers=LOGIN)
        assert (answer.status_code, answer.headers["X-WP-Nonce"]) == (200, client.nonce)
        assert client.submit().status_code == 403  # for a guest it is not good


def test_start_session_gives_a_user_with_a_nonce_the_user_s_nonce() -> None:
    with open_site() as site:
        client = SiteClient(site)
        nonce = page_value(requests.get(site.url + "/", headers=LOGIN).text, "restNonce")
        assert client.start(**LOGIN, **{"X-WP-Nonce": nonce}).json()["restNonce"] == nonce


@pytest.mark.parametrize("query", ["?action=rest-nonce", "?action=heartbeat", ""])
def test_admin_ajax_gives_guests_nothing(query: str) -> None:
    with open_site() as site:
        response = requests.get(site.url + "/wp-admin/admin-ajax.php" + query)
        assert (response.status_code, response.text) == (400, "0")


# Addresses


@pytest.mark.parametrize(
    ("version", "permalinks", "before", "status"),
    [
        *((version, "plain", "/index.php?rest_route=", 200) for version in VERSIONS[1:]),
        *((version, "pretty", "/index.php?rest_route=", 200) for version in VERSIONS[1:]),
        *((version, "pretty", "/?rest_route=", 200) for version in VERSIONS[1:]),
        *((version, "plain", "/?rest_route=", 404) for version in VERSIONS[1:-1]),
        ("3.3.0", "plain-home", "/?rest_route=", 404),
        ("3.6.2", "plain", "/?rest_route=", 200),
        ("3.6.2", "plain-home", "/?rest_route=", 200),
    ],
)
def test_routes_in_the_query(version: str, permalinks: Any, before: str, status: int) -> None:
    with open_site(version, permalinks=permalinks) as site:
        client = SiteClient(site)
        started = client.start(before + SESSION)
        assert started.status_code == status
        if status == 404:
            assert started.json()["code"] == "rest_no_route"
        else:
            assert client.submit(path=before + SUBMIT).json()["reply"] == "Hello there"
            assert [request.step for request in site.requests] == ["bootstrap", "prompt"]


@pytest.mark.parametrize(
    ("settings", "status", "text", "rest_url"),
    [
        ({"permalinks": "plain"}, 404, "<h1>404 Not Found</h1>", "/index.php?rest_route="),
        ({"permalinks": "plain-home"}, 200, "mwai-chatbot-container", "/index.php?rest_route="),
        ({"rest_prefix": "api"}, 404, "Page not found", "/api"),
    ],
)
def test_sites_without_wp_json(settings: dict[str, Any], status: int, text: str, rest_url: str) -> None:
    with open_site(**settings) as site:
        client = SiteClient(site)
        answer = client.session.post(site.url + "/wp-json" + SESSION)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=UTF-8")
        assert text in answer.text
        assert (site.requests[-1].service, site.requests[-1].step) == ("ai_engine", None)
        for page in ("/", "/chat/", "/index.php"):
            assert page_value(requests.get(site.url + page).text, "restUrl") == site.url + rest_url
        client.start(rest_url + SESSION)
        assert client.submit(path=rest_url + SUBMIT).ok


def test_a_warning_of_php_can_stand_before_the_session() -> None:
    with open_site(php_warning=True) as site:
        response = requests.post(site.url + "/wp-json" + SESSION)
        warning, brace, answer = response.text.partition("{")
        assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
        assert warning.startswith("<br />\n<b>Warning</b>:")
        assert json.loads(brace + answer)["success"] is True
