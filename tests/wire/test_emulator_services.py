"""The emulated AiChatOnline, AiChats, OpenAI-compatible server and images."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from g4f_lite.emulator import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


# AiChatOnline


def grab_token(emulator: Emulator, session: requests.Session) -> str:
    response = session.get(emulator.url + "/api/v1/user/getUniqueId", params={"canvas": "-abcdefghi0"})
    token = response.json()["data"]
    assert isinstance(token, str)
    return token


def ask_online(emulator: Emulator, session: requests.Session, token: str, **changes: Any) -> requests.Response:
    body = {"conversationId": "abcdefghi0", "prompt": "Hello \u00e9 there"} | changes
    url = emulator.url + "/aichatonline/api/chat/gpt"
    return session.post(url, json=body, headers={"UniqueId": token})


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


def ask_chats(emulator: Emulator, session: requests.Session, *contents: str, type_: str = "chat") -> requests.Response:
    turns = [
        {"from": "chatGPT" if number % 2 else "you", "content": content} for number, content in enumerate(contents)
    ]
    return session.post(emulator.url + "/chat/send2/", json={"type": type_, "messagesHistory": turns})


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


def test_chats_draws_images(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/image/")
    response = ask_chats(emulator, session, "first", "", "A cat", type_="image")
    (url,) = [image["url"] for image in response.json()["data"]]
    assert url == emulator.url + "/images/1.png"
    image = session.get(url)
    assert image.headers["Content-Type"] == "image/png"
    assert read_png(image.content)[1] == "A cat"
    assert emulator.requests[-1].step == "image"


def test_answers_without_an_image(emulator: Emulator, session: requests.Session) -> None:
    session.get(emulator.url + "/image/")
    emulator.fail("empty", times=2)
    assert ask_chats(emulator, session, "A cat", type_="image").json() == {"data": []}
    answer = session.post(emulator.url + "/v1/images/generations", json={"prompt": "A cat"}).json()
    assert answer["data"] == []


def test_image_urls_use_the_name_by_which_the_client_called(emulator: Emulator) -> None:
    emulator.configure(require_cookies=False)
    port = emulator.url.rpartition(":")[2]
    body = {"type": "image", "messagesHistory": [{"from": "you", "content": "x"}]}
    response = requests.post(f"http://localhost:{port}/chat/send2/", json=body)
    assert response.json()["data"][0]["url"] == f"http://localhost:{port}/images/1.png"


# Images


def read_png(data: bytes) -> tuple[list[str], str]:
    """Read a grey PNG: its rows, ``#`` for a dark dot, and the text that it describes."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, content = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        position += 12 + length
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 0)
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (width + 1)
    rows = [pixels[start + 1 : start + 1 + width] for start in range(0, len(pixels), width + 1)]
    text = chunks[b"iTXt"].split(b"\0", 5)[5].decode()
    return ["".join("#" if dot < 128 else "." for dot in row) for row in rows], text


def test_the_png_shows_the_prompt(emulator: Emulator) -> None:
    answer = requests.post(emulator.url + "/v1/images/generations", json={"prompt": "h\u00ed T"}).json()
    rows, text = read_png(requests.get(answer["data"][0]["url"]).content)
    assert text == "h\u00ed T"
    inked = [row for row in rows if "#" in row]
    left = min(row.index("#") for row in inked)
    # Every other dot of every other row: the picture has twice the font's size.
    assert [row[left::2][:23].rstrip(".") for row in inked[::2]] == [
        "#...#..###........#####",
        "#...#...#...........#",
        "#...#...#...........#",
        "#####...#...........#",
        "#...#...#...........#",
        "#...#...#...........#",
        "#...#..###..........#",
    ]


def test_long_prompts_are_wrapped_and_end(emulator: Emulator) -> None:
    body = {"prompt": "word " * 1000, "response_format": "b64_json"}
    answer = requests.post(emulator.url + "/v1/images/generations", json=body).json()
    rows, _ = read_png(base64.b64decode(answer["data"][0]["b64_json"]))
    assert len(rows) < 500
    assert len(rows[0]) < 600


def test_no_such_image(emulator: Emulator) -> None:
    for number in ("0", "1", "999"):
        assert requests.get(f"{emulator.url}/images/{number}.png").status_code == 404


# OpenAI


def complete(emulator: Emulator, **changes: Any) -> requests.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi there"}]} | changes
    headers = changes.pop("headers", {})
    body.pop("headers", None)
    return requests.post(emulator.url + "/v1/chat/completions", json=body, headers=headers)


def chunks(response: requests.Response) -> list[Any]:
    assert response.headers["Content-Type"].startswith("text/event-stream")
    *blocks, done, rest = response.content.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def test_completion(emulator: Emulator) -> None:
    answer = complete(emulator).json()
    assert answer["object"] == "chat.completion"
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hi there"}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    emulator.configure(usage=False)
    assert "usage" not in complete(emulator).json()


def test_completion_stream(emulator: Emulator) -> None:
    got = chunks(complete(emulator, stream=True))
    assert [chunk["choices"][0]["delta"] for chunk in got] == [
        {"role": "assistant", "content": None},
        {"content": "Hi"},
        {"content": " there"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in got} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in got}) == 1


def test_usage_in_a_stream_is_a_chunk_without_choices(emulator: Emulator) -> None:
    last = chunks(complete(emulator, stream=True, stream_options={"include_usage": True}))[-1]
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 2


def test_reasoning_tool_calls_and_finish_reason_come_from_the_backend() -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    def backend(messages: object) -> Iterator[str | Mapping[str, Any]]:
        yield {"reasoning_content": "Hm"}
        yield {"reasoning_content": "."}
        yield "text"
        yield {"tool_calls": [call], "finish_reason": "tool_calls"}

    with Emulator(backend) as emulator:
        got = chunks(complete(emulator, stream=True))
        assert [chunk["choices"][0]["delta"] for chunk in got[1:-1]] == [
            {"reasoning_content": "Hm"},
            {"reasoning_content": "."},
            {"content": "text"},
            {"tool_calls": [call]},
        ]
        assert got[-1]["choices"][0]["finish_reason"] == "tool_calls"
        (choice,) = complete(emulator).json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"] == {
            "role": "assistant",
            "content": "text",
            "reasoning_content": "Hm.",
            "tool_calls": [call],
        }


def test_the_key_is_checked(emulator: Emulator) -> None:
    emulator.configure(api_key="right")
    assert complete(emulator).status_code == 401
    assert complete(emulator, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert requests.get(emulator.url + "/v1/models").json()["error"]["code"] == "invalid_api_key"
    assert complete(emulator, headers={"Authorization": "Bearer right"}).status_code == 200


def test_models(emulator: Emulator) -> None:
    emulator.configure(models=("a", "b"), refuse_unknown_models=True)
    listed = requests.get(emulator.url + "/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert complete(emulator, model="a").status_code == 200
    refused = complete(emulator, model="c")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("changes", [{"model": None}, {"messages": []}, {"messages": "Hi"}, {"messages": [{}]}])
def test_bad_completions(emulator: Emulator, changes: dict[str, Any]) -> None:
    response = complete(emulator, **changes)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_error_inside_a_stream(emulator: Emulator) -> None:
    emulator.fail("error", after=1)
    response = complete(emulator, stream=True)
    assert response.status_code == 200
    *_, text, error, rest = response.text.split("\n\n")
    assert json.loads(text.removeprefix("data: "))["choices"][0]["delta"] == {"content": "Hi"}
    assert json.loads(error.removeprefix("data: "))["error"]["code"] == "server_error"
    assert rest == ""


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("error", 500, "server_error"), ("limit", 429, "rate_limit_exceeded"), ("quota", 429, "insufficient_quota")],
)
def test_errors_before_the_stream(emulator: Emulator, fault: str, status: int, code: str) -> None:
    emulator.fail(fault)
    response = complete(emulator, stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_backend_that_fails_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def backend(messages: object) -> list[str]:
        raise RuntimeError("no model")

    with Emulator(backend) as emulator:
        assert complete(emulator).json()["error"]["message"] == "no model"
        assert '"no model"' in complete(emulator, stream=True).text
    assert "the backend failed" in caplog.text


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


def test_the_echo_takes_the_text_of_parts(emulator: Emulator) -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "image_url", "image_url": {"url": "x"}}]
    parts.append({"type": "text", "text": "this?"})
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
    answer = complete(emulator, messages=messages).json()
    assert answer["choices"][0]["message"]["content"] == "What is this?"


@pytest.mark.parametrize(("fault", "status"), [("error", 500), ("token", 403), ("server_error", 503)])
def test_images_can_fail(emulator: Emulator, fault: str, status: int) -> None:
    body = {"prompt": "x"}
    url = requests.post(emulator.url + "/v1/images/generations", json=body).json()["data"][0]["url"]
    emulator.fail(fault, path="/images/*")
    assert requests.get(url).status_code == status
    emulator.fail("wrong_types", step="image")
    assert requests.get(url).content == b"GIF89a, but not a PNG"


def test_event_stream_forms(emulator: Emulator) -> None:
    emulator.configure(sse_comments=True, sse_space=False, sse_last_blank=False, newline="\r\n")
    body = complete(emulator, stream=True).content
    assert body.startswith(b": keep-alive\r\n\r\ndata:{")
    assert body.endswith(b"\r\n\r\n: keep-alive\r\n\r\ndata:[DONE]\r\n")
    assert body.count(b"\n") == body.count(b"\r\n")


def test_image_requests_are_checked(emulator: Emulator) -> None:
    url = emulator.url + "/v1/images/generations"
    assert requests.post(url, json={"prompt": ""}).status_code == 400
    assert requests.post(url, json={"prompt": "a", "n": 11}).status_code == 400
    assert len(requests.post(url, json={"prompt": "a", "n": 2}).json()["data"]) == 2


def test_unknown_paths(emulator: Emulator) -> None:
    assert requests.get(emulator.url + "/nowhere").status_code == 404
    assert requests.get(emulator.url + "/v1/nowhere").json()["error"]["message"] == "Invalid URL (GET /v1/nowhere)"
    assert [request.step for request in emulator.requests] == [None, None]
