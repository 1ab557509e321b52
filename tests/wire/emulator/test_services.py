"""The emulated AiChatOnline and AiChats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator

from .clients import ask_chats, ask_online, grab_token

# AiChatOnline


def test_online_answers_one_object_a_line(emulator: Emulator, session: requests.Session) -> None:
    token = grab_token(emulator, session)
    assert len(token) == 32
    response = ask_online(emulator, session, token)
    assert response.content.decode() == (
        '{"code":200,"data":{"message":"Hello"}}\n'
        '{"code":200,"data":{"message":" \u00e9"}}\n'
        '{"code":200,"data":{"message":" there"}}\n'
    )
    assert [request.step for request in emulator.requests] == ["bootstrap", "prompt"]
    assert {request.service for request in emulator.requests} == {"ai_chat_online"}


@pytest.mark.parametrize("canvas", ["", "abcdefghij", "-short", "-ABCDEFGHIJ"])
def test_online_wants_the_canvas(emulator: Emulator, session: requests.Session, canvas: str) -> None:
    url = emulator.url + "/api/v1/user/getUniqueId"
    assert session.get(url, params={"canvas": canvas}).status_code == 400


@pytest.mark.parametrize("refusal", [401, 403, 200])
def test_online_refuses_tokens(emulator: Emulator, session: requests.Session, refusal: int) -> None:
    emulator.configure(token_refusal=refusal, token_uses=1)
    token = grab_token(emulator, session)
    assert ask_online(emulator, session, token).status_code == 200
    for refused in (token, "", "0" * 32):
        response = ask_online(emulator, session, refused)
        assert response.status_code == refusal
        assert response.json() == {"code": 401, "message": "UniqueId is not valid", "data": None}


@pytest.mark.parametrize("changes", [{"conversationId": "x"}, {"prompt": ""}, {"prompt": 7}, {"model": "gpt-4"}])
def test_online_wants_exactly_its_body(emulator: Emulator, session: requests.Session, changes: dict[str, Any]) -> None:
    assert ask_online(emulator, session, grab_token(emulator, session), **changes).status_code == 400


def test_online_error_lines(emulator: Emulator, session: requests.Session) -> None:
    token = grab_token(emulator, session)
    emulator.fail("error", after=1, message="Busy.")
    first, second = ask_online(emulator, session, token).text.splitlines()
    assert json.loads(first)["code"] == 200
    assert json.loads(second) == {"code": 500, "message": "Busy.", "data": None}
    emulator.fail("limit")
    assert ask_online(emulator, session, token).json()["code"] == 429


def test_online_wrong_types(emulator: Emulator, session: requests.Session) -> None:
    emulator.fail("wrong_types", step="bootstrap")
    url = emulator.url + "/api/v1/user/getUniqueId?canvas=-abcdefghij"
    assert isinstance(session.get(url).json()["data"], dict)
    token = grab_token(emulator, session)
    emulator.fail("wrong_types")
    assert ask_online(emulator, session, token).json()["data"]["message"] == 7


# AiChats


def test_chats_sends_raw_text(emulator: Emulator, session: requests.Session) -> None:
    page = session.get(emulator.url + "/chat/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "_csrf-front" in session.cookies
    assert len(session.cookies) == 2
    emulator.answer(["one\ntwo", " {\u00e9}", "\r\n"])
    response = ask_chats(emulator, session, "Hi")
    assert response.headers["Content-Type"] == "text/event-stream;charset=UTF-8"
    assert response.content.decode() == "data: one\\ntwo\n\ndata:  {\u00e9}\n\ndata: \\n\n\n"


def test_chats_wants_its_cookies_back(emulator: Emulator, session: requests.Session) -> None:
    assert ask_chats(emulator, session, "Hi").status_code == 403
    session.get(emulator.url + "/image/")
    assert ask_chats(emulator, session, "Hi").status_code == 200
    emulator.expire_tokens()
    assert ask_chats(emulator, session, "Hi").status_code == 403
    emulator.configure(require_cookies=False)
    assert ask_chats(emulator, requests.Session(), "Hi").status_code == 200


def test_chats_knows_its_own_cookies(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/chat/")
    session.cookies.set("_csrf-front", "forged", domain="127.0.0.1", path="/")
    assert ask_chats(emulator, session, "Hi").status_code == 403


def test_chats_hears_the_history() -> None:
    heard: list[object] = []

    def backend(messages: list[dict[str, Any]]) -> list[str]:
        heard.extend(messages)
        return ["ok"]

    with Emulator(backend, require_cookies=False) as emulator:
        ask_chats(emulator, requests.Session(), "a", "b", "c")
    assert heard == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        "no object",
        {"type": "chat", "messagesHistory": []},
        {"type": "poem", "messagesHistory": [{"from": "you", "content": "a"}]},
        {"type": "chat", "messagesHistory": [{"from": "system", "content": "a"}]},
        {"type": "chat", "messagesHistory": [{"from": "you", "content": ["a"]}]},
    ],
)
def test_chats_refuses_other_bodies(emulator: Emulator, body: object) -> None:
    emulator.configure(require_cookies=False)
    assert requests.post(emulator.url + "/chat/send2/", json=body).status_code == 400


def test_chats_free_tries_end_with_an_event(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/chat/")
    emulator.fail("limit")
    assert ask_chats(emulator, session, "Hi").text == "event: trylimit\ndata: Your free tries are used up.\n\n"
    emulator.fail("limit", after=1)
    assert ask_chats(emulator, session, "Hi you").text.startswith("data: Hi\n\nevent: trylimit\n")


def test_chats_errors(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/image/")
    emulator.fail("error", message="Broken.")
    response = ask_chats(emulator, session, "Hi", type_="image")
    assert (response.status_code, response.json()) == (500, {"error": "Broken."})
    emulator.fail("wrong_types")
    assert ask_chats(emulator, session, "Hi", type_="image").json() == {"data": [{"url": 7}]}


# Both


def test_line_services_tell_of_a_backend_that_fails(session: requests.Session) -> None:
    def backend(messages: object) -> Iterator[str]:
        yield "one"
        raise RuntimeError("no more")

    with Emulator(backend) as emulator:
        online = ask_online(emulator, session, grab_token(emulator, session))
        assert json.loads(online.text.splitlines()[1]) == {"code": 500, "message": "no more", "data": None}
        session.get(emulator.url + "/chat/")
        assert ask_chats(emulator, session, "Hi").text == "data: one\n\nevent: error\ndata: no more\n\n"


@pytest.mark.parametrize("path", ["/aichatonline/api/chat/gpt", "/chat/send2/", "/v1/chat/completions"])
def test_broken_json(emulator: Emulator, session: requests.Session, path: str) -> None:
    emulator.configure(require_cookies=False)
    headers = {"UniqueId": grab_token(emulator, session)}
    assert session.post(emulator.url + path, data="{", headers=headers).status_code == 400
