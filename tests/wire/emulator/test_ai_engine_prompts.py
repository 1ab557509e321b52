"""What sites with AI Engine make of a prompt: its fields, and bots, limits, failures and event logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

from .site_client import HELLO, JSON, LOGIN, REJECTED, SSE, client_of, events, open_site, page_value

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
