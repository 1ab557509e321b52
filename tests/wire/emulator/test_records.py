"""What the emulator records of requests, and what it is told to answer."""

from __future__ import annotations

import queue

import pytest
import requests

from g4f_lite.emulator import Emulator, ReceivedRequest

from .clients import PROMPT, connect, prompt_bytes, wait_until


def test_records(emulator: Emulator) -> None:
    headers = {"Authorization": "Bearer secret-key", "Cookie": "a=secret-cookie; b=2"}
    requests.post(emulator.url + "/v1/chat/completions?token=secret-query&x=", json=PROMPT, headers=headers)
    (request,) = emulator.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.query == {"token": "secret-query", "x": ""}
    assert request.headers["authorization"] == request.headers["AUTHORIZATION"] == "Bearer secret-key"
    assert request.cookies == {"a": "secret-cookie", "b": "2"}
    assert request.json() == PROMPT
    assert (request.service, request.step, request.connection) == ("openai", "prompt", 1)
    assert (request.status, request.fault) == (200, None)
    wait_until(lambda: request.ended is not None)
    assert request.complete
    assert request.first_piece is not None
    assert request.ended is not None
    assert request.started <= request.first_piece <= request.ended
    assert "secret" not in repr(emulator.requests)
    size = len(request.body)
    assert repr(request) == f"<POST /v1/chat/completions: openai prompt, connection 1, {size} bytes, status 200>"


def test_cookies_that_cannot_be_read(emulator: Emulator) -> None:
    requests.get(emulator.url, headers={"Cookie": "good=1; a/b=2"})
    assert emulator.requests[0].cookies == {}


def test_records_tell_that_a_client_left(emulator: Emulator) -> None:
    emulator.configure(pace=60)
    with connect(emulator) as connection:
        connection.sendall(prompt_bytes())
        connection.recv(100)
    wait_until(lambda: emulator.requests[0].ended is not None)
    assert not emulator.requests[0].complete


def test_the_end_of_each_request_is_told() -> None:
    ended: queue.SimpleQueue[ReceivedRequest] = queue.SimpleQueue()
    with Emulator(on_end=ended.put) as emulator, requests.Session() as session:
        emulator.fail("reset")
        with pytest.raises(requests.ConnectionError):
            session.post(emulator.url + "/v1/chat/completions", json=PROMPT)
        request = ended.get(timeout=5)
        assert (request.fault, request.status, request.complete) == ("reset", None, False)
        session.get(emulator.url + "/v1/models")
        request = ended.get(timeout=5)
        assert (request.path, request.status, request.complete) == ("/v1/models", 200, True)
        assert request.ended is not None
    assert ended.empty()


def test_answers_come_in_order_and_then_the_backend_s(emulator: Emulator) -> None:
    emulator.answer("first one")
    emulator.answer(["sec", "ond"])
    body = PROMPT | {"stream": False}
    url = emulator.url + "/v1/chat/completions"
    answers = [requests.post(url, json=body).json()["choices"][0]["message"]["content"] for _ in range(3)]
    assert answers == ["first one", "second", "one two three"]


@pytest.mark.parametrize("text", ["", " ", "one", " one\n\n two ", "\u4f60\u597d  \U0001f600"])
def test_a_text_is_sent_word_by_word_and_whole(emulator: Emulator, text: str) -> None:
    emulator.answer(text)
    body = PROMPT | {"stream": False}
    answer = requests.post(emulator.url + "/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == text


def test_reset_puts_everything_back() -> None:
    with Emulator(pace=0) as emulator:
        url = emulator.url + "/v1/chat/completions"
        requests.post(url, json=PROMPT)
        emulator.answer("left over")
        emulator.fail("server_error")
        emulator.configure(framing="close", pace=1)
        emulator.stop_listening()
        emulator.reset()
        assert (emulator.requests, emulator.connections) == ([], 0)
        assert (emulator.settings.framing, emulator.settings.pace) == ("chunked", 0)
        response = requests.post(url, json=PROMPT)
        assert response.status_code == 200
        assert "left over" not in response.text
        assert emulator.connections == 1


def test_settings_can_change_while_answers_run(emulator: Emulator) -> None:
    emulator.configure(pace=0.02)
    with requests.post(emulator.url + "/v1/chat/completions", json=PROMPT, stream=True) as response:
        emulator.configure(newline="\r\n")
        assert b"\r\n" not in response.content
