"""The ways in which sites with AI Engine differ: versions, logins, permalinks, bots, limits, event logs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

from .site_client import HELLO, JSON, REJECTED, SSE, SiteClient, events

VERSIONS = ("2.4.3", "2.4.4", "2.6.3", "2.8.8", "2.9.9", "3.3.0", "3.6.2")
LOGIN = {"Cookie": "wordpress_logged_in_0123456789abcdef=ann%7C1893456000%7Ctoken"}
SESSION, SUBMIT = "/mwai/v1/start_session", "/mwai-ui/v1/chats/submit"


def open_site(version: str = "3.6.2", **settings: Any) -> Emulator:
    return Emulator(plugin_version=version, **settings)


def client_of(site: Emulator) -> SiteClient:
    """Give a client with a nonce, from wherever this version has it."""
    client = SiteClient(site)
    if not client.start().ok:
        client.nonce = page_value(requests.get(site.url + "/").text, "restNonce")
    return client


def page_value(page: str, name: str) -> str:
    (value,) = re.findall(f'"{name}":("[^"]*"|null)', html.unescape(page))
    return str(json.loads(value))


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


# Prompts


@pytest.mark.parametrize(
    ("new_message", "status"),
    [
        ("Hi", 200),
        (42, 200),
        (True, 200),
        (False, 403),
        (None, 403),
        ("\t\v\0", 403),
        (["Hi"], 500),
        ({"a": "Hi"}, 500),
    ],
    ids=repr,
)
def test_types_of_new_messages(new_message: object, status: int) -> None:
    with open_site() as site:
        response = client_of(site).submit(newMessage=new_message)
        assert response.status_code == status
        assert ("<p>" in response.text) is (status == 500)


@pytest.mark.parametrize("messages", [["Hi"], [{"role": "user", "content": "a"}, None], {"a": 1}], ids=str)
def test_turns_that_are_not_objects(messages: object) -> None:
    with open_site() as site:
        client = client_of(site)
        failed = client.submit(messages=messages)
        assert (failed.status_code, failed.json()["message"]) == (500, "Unsupported message type.")
        streamed = client.submit(messages=messages, stream=True)
        assert (streamed.status_code, streamed.headers["Content-Type"]) == (200, JSON)
        assert events(streamed) == [{"type": "error", "data": "Unsupported message type."}]


@pytest.mark.parametrize("messages", [None, "", "0", [], {}, False], ids=repr)
def test_what_php_calls_empty_is_no_history(messages: object) -> None:
    with open_site() as site:
        assert client_of(site).submit(messages=messages).json()["reply"] == "Hello there"


def test_the_message_is_trimmed_before_it_is_counted() -> None:
    with open_site() as site:
        answer = client_of(site).submit(newMessage="\n " + "x" * 512 + " \n").json()
        assert answer["reply"] == "x" * 512


@pytest.mark.parametrize(
    ("version", "fields", "status"),
    [
        ("2.6.3", {"botId": "nope"}, 500),
        ("2.6.3", {"botId": "nope", "customId": "default"}, 200),
        ("2.6.3", {"botId": "default", "customId": "nope"}, 200),
        ("2.6.3", {"botId": None, "customId": "nope"}, 500),
        ("3.6.2", {"botId": "nope"}, 200),
    ],
)
def test_either_id_finds_the_bot(version: str, fields: dict[str, Any], status: int) -> None:
    with open_site(version) as site:
        assert client_of(site).submit(**fields).status_code == status


@pytest.mark.parametrize(
    ("version", "cookie", "fields", "recorded"),
    [
        ("2.6.3", None, {}, "N/A"),
        ("2.6.3", "abc", {}, "abc"),
        ("2.8.8", "abc", {}, "abc"),
        ("2.8.8", "abc", {"session": "N/A"}, "N/A"),
        ("3.6.2", "abc", {"session": "N/A"}, "N/A"),
        ("3.6.2", "abc", {"session": "xyz"}, "xyz"),
        ("3.6.2", "abc", {"session": ""}, "abc"),
        ("3.6.2", "abc", {"session": None}, "abc"),
    ],
)
def test_the_session_under_which_a_prompt_is_recorded(
    version: str, cookie: str | None, fields: dict[str, Any], recorded: str
) -> None:
    with open_site(version) as site:
        client = client_of(site)
        client.session.cookies.clear()
        if cookie:
            client.session.cookies.set("mwai_session_id", cookie)
        assert client.submit(**fields).ok
        assert site.requests[-1].chat_session == recorded


def test_a_client_without_a_session_is_recorded_under_a_new_one() -> None:
    with open_site() as site:
        client = client_of(site)
        client.session.cookies.clear()
        client.submit()
        assert site.requests[-1].chat_session == client.session.cookies["mwai_session_id"]


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


# Bots


CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
TAIL = {"index": 0, "function": {"arguments": '{"city":"Oslo"}'}}
PLAIN = {"index": 1, "id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}}


@pytest.mark.parametrize("stream", [True, False])
def test_client_side_functions_are_actions(stream: bool) -> None:
    with open_site("2.6.3") as site:
        site.answer([{"tool_calls": [CALL]}, {"tool_calls": [TAIL]}, {"tool_calls": [PLAIN]}])
        response = client_of(site).submit(stream=stream)
        answer = json.loads(events(response)[-1]["data"]) if stream else response.json()
        assert answer["reply"] == ""
        assert answer["actions"] == [
            {"type": "function", "data": {"name": "get_weather", "args": {"city": "Oslo"}}},
            {"type": "function", "data": {"name": "now", "args": []}},  # PHP's only kind of array
        ]


def test_functions_are_lost_before_there_were_actions() -> None:
    with open_site("2.4.4") as site:
        site.answer([{"tool_calls": [CALL, TAIL]}])
        assert client_of(site).submit().json()["reply"] == ""


@pytest.mark.parametrize(
    ("version", "content_type"), [("2.4.4", SSE), ("2.6.3", SSE), ("2.8.8", JSON), ("2.9.9", JSON), ("3.6.2", JSON)]
)
def test_image_bots(version: str, content_type: str) -> None:
    with open_site(version, image_bots=("painter",)) as site:
        client = client_of(site)
        response = client.submit(botId="painter", stream=True)
        assert response.headers["Content-Type"] == content_type
        (end,) = events(response)
        answer = json.loads(end["data"])
        url = site.url + "/images/1.png"
        assert (answer["reply"], answer["images"]) == (f"![Image]({url})\n", [url])
        assert answer["usage"] == {"input_tokens": 2, "output_tokens": 1024, "total_tokens": 1026}
        assert requests.get(url).headers["Content-Type"] == "image/png"
        assert client.submit(botId="painter").json()["images"] == [site.url + "/images/2.png"]
        site.fail("error", message="No paint.", times=2)
        assert events(client.submit(botId="painter", stream=True)) == [{"type": "error", "data": "No paint."}]
        assert client.submit(botId="painter").json()["message"] == "No paint."
        assert client.submit(stream=True).headers["Content-Type"] == SSE  # the other bot writes


@pytest.mark.parametrize("pieces", [[" "], ["", "\n", "\t "], []], ids=str)
def test_a_stream_of_blanks_ends_with_an_empty_reply(pieces: list[str]) -> None:
    with open_site() as site:
        site.answer(pieces)
        *live, end = events(client_of(site).submit(stream=True))
        assert [event["data"] for event in live] == pieces
        answer = json.loads(end["data"])
        assert (answer["success"], answer["reply"]) == (True, "")


# Failures


@pytest.mark.parametrize(
    ("version", "site_limit", "headers", "text"),
    [
        ("2.6.3", "guests", {}, "You have reached the limit (check the Queries Tab > Limits > Guests)."),
        ("2.8.8", "guests", {}, "You have reached the limit (check the Insights Tab > Limits > Guests)."),
        ("3.6.2", "guests", {}, "You have reached the limit (check the Insights Tab > Limits > Guests)."),
        ("3.6.2", "guests", LOGIN, "You have reached the limit (check the Insights Tab > Limits > Users)."),
        ("2.4.4", "users", {}, "You have reached the limit (check the Queries Tab > Limits > Users)."),
        ("3.6.2", "system", {}, "Our chatbot went to sleep. Please try again later."),
    ],
)
def test_default_texts_of_limits(version: str, site_limit: Any, headers: dict[str, str], text: str) -> None:
    with open_site(version, site_limit=site_limit) as site:
        client = client_of(site)
        if headers:
            client.nonce = page_value(requests.get(site.url + "/", headers=headers).text, "restNonce")
        site.fail("limit", times=2)
        assert events(client.submit(stream=True, headers=headers)) == [{"type": "error", "data": text}]
        refused = client.submit(headers=headers)
        assert (refused.status_code, refused.json()) == (500, {"success": False, "message": text})


def test_a_warning_of_php_can_stand_before_the_session() -> None:
    with open_site(php_warning=True) as site:
        response = requests.post(site.url + "/wp-json" + SESSION)
        warning, brace, answer = response.text.partition("{")
        assert (response.status_code, response.headers["Content-Type"]) == (200, JSON)
        assert warning.startswith("<br />\n<b>Warning</b>:")
        assert json.loads(brace + answer)["success"] is True


def test_a_backend_that_is_cut_ends_with_an_error() -> None:
    message = "cURL error 18: transfer closed with outstanding read data remaining"
    with open_site() as site:
        site.fail("error", after=1, message=message)
        live, error = events(client_of(site).submit(stream=True))
        assert (live["data"], error) == ("Hello", {"type": "error", "data": message})


@pytest.mark.parametrize("kind", ["rejected", "limit"])
def test_failures_carry_the_nonce(kind: str) -> None:
    with open_site() as site:
        client = client_of(site)
        site.fail("success_false" if kind == "rejected" else kind, status=503)
        response = client.submit()
        assert (response.status_code, response.headers["X-WP-Nonce"]) == (503, client.nonce)
        assert (response.json()["message"] == REJECTED) is (kind == "rejected")


# Event logs


@pytest.mark.parametrize(
    ("subtype", "visibility", "metadata"),
    [
        ("status", "collapsed", None),
        ("start", "visible", {"model": "gpt-4o-mini", "id": "chatcmpl-1"}),
        ("thinking", "collapsed", None),
        ("tool_call", "visible", {"tool_name": "get_weather", "args": {"city": "Oslo"}}),
        ("debug", "hidden", {"debug_data": {"attempt": 1}}),
        ("heartbeat", "hidden", None),
        ("error", "visible", None),
        ("web_search", "visible", None),
    ],
)
def test_event_logs_have_a_subtype_and_metadata(subtype: str, visibility: str, metadata: dict[str, Any] | None) -> None:
    with open_site("2.8.3", status_events=(subtype,)) as site:
        first, *live, end = events(client_of(site).submit(stream=True))
        assert (first["type"], first["subtype"], first["visibility"]) == ("live", subtype, visibility)
        assert first.get("metadata") == metadata
        assert [event["data"] for event in live] == ["Hello", " there"]
        assert json.loads(end["data"])["reply"] == "Hello there"


def test_what_the_site_s_own_page_sends_is_understood() -> None:
    heard: list[list[dict[str, Any]]] = []

    def backend(messages: list[dict[str, Any]]) -> Iterator[str]:
        heard.append(messages)
        yield "Hello Ann."

    with Emulator(backend) as site:
        client = client_of(site)
        turns = [{"id": "x1", "role": "assistant", "content": "Hi!", "who": "AI: ", "timestamp": 1711008543688}]
        client.submit(HELLO | {"messages": turns, "chatId": "abcd1234", "contextId": None, "newFileId": None})
    assert heard == [[{"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "Hello there"}]]
