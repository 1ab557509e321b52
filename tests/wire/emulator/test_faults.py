"""Whom a fault of the emulator strikes, and those of connections and of time."""

from __future__ import annotations

import json
import socket
import time
import zlib
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from g4f_lite.emulator import FAULTS, Emulator

from .clients import ask, read_pieces, wait_until

# Whom a fault strikes


def test_a_fault_strikes_once_and_only_prompts(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("server_error")
    client.request("GET", "/v1/models")
    response = client.getresponse()
    response.read()
    assert response.status == 200
    statuses = []
    for _ in range(2):
        response = ask(client)
        response.read()
        statuses.append(response.status)
    assert statuses == [503, 200]
    assert [request.fault for request in emulator.requests] == [None, "server_error", None]


@pytest.mark.parametrize(
    ("selection", "struck"),
    [
        ({"nth": 3}, [3]),
        ({"nth": 2, "times": 2}, [2, 3]),
        ({"times": None}, [1, 2, 3, 4]),
        ({"path": "/v1/*"}, [1]),
        ({"path": "/chat/*", "times": None}, []),
        ({"service": "openai"}, [1]),
        ({"service": "ai_chats"}, []),
        ({"step": "models"}, []),
        ({"step": "prompt"}, [1]),
        ({"reused": True}, [2]),
    ],
    ids=str,
)
def test_selection(emulator: Emulator, client: HTTPConnection, selection: dict[str, Any], struck: list[int]) -> None:
    emulator.fail("server_error", **selection)
    for _ in range(4):
        ask(client).read()
    assert [n for n, request in enumerate(emulator.requests, 1) if request.fault] == struck


def test_faults_wait_for_one_another(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("server_error", status=500)
    emulator.fail("rate_limit")
    statuses = []
    for _ in range(3):
        response = ask(client)
        response.read()
        statuses.append(response.status)
    assert statuses == [500, 429, 200]


def test_a_fault_before_the_answer_uses_up_no_answer(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.answer("kept")
    emulator.fail("server_error")
    ask(client).read()
    assert read_pieces(ask(client)) == (["kept"], None)


def test_mistakes_are_told_when_the_fault_is_asked_for(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="no fault is called 'rest'; there are: refuse, reset"):
        emulator.fail("rest")
    with pytest.raises(TypeError, match="fault 'reset': got an unexpected keyword argument 'seconds'"):
        emulator.fail("reset", seconds=1)
    with pytest.raises(ValueError, match="count from 1"):
        emulator.fail("reset", times=0)


def test_every_fault_is_documented() -> None:
    for name, fault in FAULTS.items():
        assert fault.__doc__, name
        assert fault.__doc__.splitlines()[0].endswith((".", ",", ";", ":")), name


# Connections


def test_refuse(emulator: Emulator) -> None:
    emulator.fail("refuse", times=2)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2]))) as connection:
            connection.settimeout(5)
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
    client = HTTPConnection(emulator.url.removeprefix("http://"), timeout=5)
    assert ask(client).status == 200
    client.close()
    assert emulator.connections == 3


def test_a_closed_port(emulator: Emulator, client: HTTPConnection) -> None:
    ask(client).read()
    url = emulator.url
    emulator.stop_listening()
    fresh = HTTPConnection(url.removeprefix("http://"), timeout=5)
    with pytest.raises(ConnectionRefusedError):
        ask(fresh)
    fresh.close()
    assert ask(client).read()  # what is open stays open
    emulator.listen()
    assert emulator.url == url
    assert ask(fresh).read()
    fresh.close()


@pytest.mark.parametrize("after", [None, "headers"])
def test_reset_before_and_in_the_headers(emulator: Emulator, client: HTTPConnection, after: str | None) -> None:
    emulator.fail("reset", after=after)
    with pytest.raises(ConnectionResetError):
        ask(client)


@pytest.mark.parametrize(("after", "expected"), [(0, 0), (3, 3), (9, 4), ("end", 4)])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_reset_in_mid_stream(
    emulator: Emulator, client: HTTPConnection, framing: str, after: int | str, expected: int
) -> None:
    emulator.configure(framing=framing)
    emulator.fail("reset", after=after)
    pieces, error = read_pieces(ask(client))
    assert len(pieces) == expected
    assert isinstance(error, ConnectionResetError) or (framing == "length" and error is None and expected == 4)
    assert not emulator.requests[0].complete


def test_cut_before_the_headers_sends_no_byte(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("cut")
    with pytest.raises(RemoteDisconnected):
        ask(client)


def test_cut_of_a_kept_connection(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("cut", reused=True)
    assert ask(client).read()
    with pytest.raises(RemoteDisconnected):
        ask(client)
    assert ask(client).read()


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_cut_in_mid_stream(emulator: Emulator, client: HTTPConnection, framing: str) -> None:
    emulator.configure(framing=framing)
    emulator.fail("cut", after=3)
    with ask(client) as response, pytest.raises(IncompleteRead) as caught:
        response.read()
    assert caught.value.partial.count(b'"content": "') == 3


def test_a_cut_body_without_length_looks_complete(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.configure(framing="close")
    emulator.fail("cut", after=2)
    assert read_pieces(ask(client)) == (["one", " two"], None)


@pytest.mark.parametrize(
    ("after", "expected"), [(0, []), (2, ["one", " two"]), (None, ["one", " two", " three", " four"])]
)
def test_end_without_the_end_marker(
    emulator: Emulator, client: HTTPConnection, after: int | None, expected: list[str]
) -> None:
    emulator.fail("end", after=after)
    body = ask(client).read()
    assert body.count(b'"content": "') == len(expected)
    assert b"[DONE]" not in body
    assert b'"stop"' not in body
    with ask(client) as response:  # a proper end: the connection is still good
        assert response.status == 200
    assert emulator.connections == 1


@pytest.mark.beside
def test_stall_before_the_headers_ends_when_the_client_leaves(emulator: Emulator) -> None:
    emulator.fail("stall")
    client = HTTPConnection(emulator.url.removeprefix("http://"), timeout=0.15)
    with pytest.raises(TimeoutError):
        ask(client)
    client.close()
    wait_until(lambda: emulator.requests and emulator.requests[0].ended is not None)
    assert emulator.requests[0].status is None


def test_stall_in_mid_stream_ends_when_the_emulator_closes() -> None:
    with Emulator() as emulator:
        emulator.fail("stall", after=2)
        client = HTTPConnection(emulator.url.removeprefix("http://"), timeout=5)
        response = ask(client)
        while b" two" not in response.read1(65536):
            pass
        started = time.monotonic()
    assert time.monotonic() - started < 4
    with response, pytest.raises(IncompleteRead):
        response.read()
    client.close()


@pytest.mark.parametrize("after", [None, "headers", 0, 2, "end"])
def test_stall_for_a_while(emulator: Emulator, client: HTTPConnection, after: int | str | None) -> None:
    emulator.fail("stall", after=after, seconds=0.05)
    started = time.monotonic()
    assert read_pieces(ask(client)) == (["one", " two", " three", " four"], None)
    assert 0.05 <= time.monotonic() - started < 4


def test_dripping_headers(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("drip", part="headers", interval=0.001)
    started = time.monotonic()
    response = ask(client)
    assert time.monotonic() - started > 0.1
    assert response.read()


def test_a_drip_is_in_single_bytes(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("drip", interval=0.005)
    with ask(client) as response:
        assert [len(response.read1(65536)) for _ in range(5)] == [1] * 5


@pytest.mark.parametrize("settings", [{"encoding": "gzip"}, {"write_size": 50}, {"framing": "length"}], ids=str)
def test_faults_of_time_in_every_framing(emulator: Emulator, client: HTTPConnection, settings: dict[str, Any]) -> None:
    emulator.configure(require_cookies=False, **settings)
    emulator.fail("stall", after=1, seconds=0.05)
    emulator.fail("drip", interval=0.0001)
    bodies = []
    started = time.monotonic()
    for _ in range(2):
        body = {"type": "chat", "messagesHistory": [{"from": "you", "content": "x"}]}
        client.request("POST", "/chat/send2/", json.dumps(body))
        data = client.getresponse().read()
        bodies.append(zlib.decompress(data, 31) if "encoding" in settings else data)
    assert time.monotonic() - started > 0.05
    assert bodies == [b"data: x\n\n"] * 2
