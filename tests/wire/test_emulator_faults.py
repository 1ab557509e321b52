"""Each fault of the emulator, as a client sees it."""

from __future__ import annotations

import json
import socket
import time
import zlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from g4f_lite.emulator import FAULTS, Emulator

MIB = 1024 * 1024


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(emulator.url.removeprefix("http://"), timeout=5)
    yield connection
    connection.close()


def ask(client: HTTPConnection, text: str = "one two three four", *, stream: bool = True) -> HTTPResponse:
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}
    client.request("POST", "/v1/chat/completions", json.dumps(body))
    return client.getresponse()


def read_pieces(response: HTTPResponse) -> tuple[list[str], Exception | None]:
    """Read until the end, or the error that ends it; gives the pieces of text that arrived."""
    received, error = b"", None
    try:
        while block := response.read1(65536):
            received += block
    except (IncompleteRead, OSError) as caught:
        error = caught
    finally:
        response.close()
    pieces = []
    for line in received.decode(errors="replace").splitlines():
        if line.startswith("data: {") and line.endswith("}"):
            delta: dict[str, Any] = json.loads(line[6:])["choices"][0]["delta"]
            if delta.get("content"):
                pieces.append(delta["content"])
    return pieces, error


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


def test_stall_before_the_headers_ends_when_the_client_leaves(emulator: Emulator) -> None:
    emulator.fail("stall")
    client = HTTPConnection(emulator.url.removeprefix("http://"), timeout=0.05)
    with pytest.raises(TimeoutError):
        ask(client)
    client.close()
    wait_until(lambda: emulator.requests[0].ended is not None)
    assert emulator.requests[0].status is None


def test_stall_in_mid_stream_ends_when_the_emulator_closes() -> None:
    with Emulator() as emulator:
        emulator.fail("stall", after=2)
        client = HTTPConnection(emulator.url.removeprefix("http://"), timeout=5)
        response = ask(client)
        while b" two" not in response.read1(65536):
            pass
        started = time.monotonic()
    assert time.monotonic() - started < 1
    with response, pytest.raises(IncompleteRead):
        response.read()
    client.close()


@pytest.mark.parametrize("after", [None, "headers", 0, 2, "end"])
def test_stall_for_a_while(emulator: Emulator, client: HTTPConnection, after: int | str | None) -> None:
    emulator.fail("stall", after=after, seconds=0.1)
    started = time.monotonic()
    assert read_pieces(ask(client)) == (["one", " two", " three", " four"], None)
    assert 0.1 <= time.monotonic() - started < 1


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


def test_a_status_without_a_name(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("status", status=599)
    response = ask(client)
    assert (response.status, response.reason) == (599, "Unknown")
    response.read()


# Answers that stop, or go on


def test_truncate_cuts_inside_a_character(emulator: Emulator, client: HTTPConnection) -> None:
    client.request("GET", "/api/v1/user/getUniqueId?canvas=-abcdefghij")
    token = json.loads(client.getresponse().read())["data"]
    emulator.answer(["a", "\u00e9", "b"])
    emulator.fail("truncate", after=1)
    body = json.dumps({"conversationId": "abcdefghij", "prompt": "x"})
    client.request("POST", "/aichatonline/api/chat/gpt", body, {"UniqueId": token})
    assert client.getresponse().read() == (b'{"code":200,"data":{"message":"a"}}\n{"code":200,"data":{"message":"\xc3')


def test_truncate_cuts_json_in_the_middle(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("truncate")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(ask(client, stream=False).read())


def test_empty(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("empty", times=2)
    body = ask(client).read()
    assert b'"content": "' not in body
    assert body.endswith(b"[DONE]\n\n")
    assert json.loads(ask(client, stream=False).read())["choices"][0]["message"]["content"] == ""


def test_no_body(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("no_body")
    response = ask(client)
    assert (response.status, response.read()) == (200, b"")


def test_trailing(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("trailing", size=100_000)
    _, end, rest = ask(client).read().partition(b"data: [DONE]\n\n")
    assert end
    assert rest == b"\n" * 100_000


# Statuses


def test_status(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail(
        "status", status=418, body="tea", content_type="text/plain", retry_after=3, headers=[("X-Pot", "small")]
    )
    response = ask(client)
    assert (response.status, response.read()) == (418, b"tea")
    got = [response.headers[name] for name in ("Content-Type", "Retry-After", "X-Pot")]
    assert got == ["text/plain", "3", "small"]


def test_rate_limit(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("rate_limit")
    emulator.fail("rate_limit", retry_after=7)
    emulator.fail("rate_limit", retry_after=60, date=True)
    waits = []
    for _ in range(3):
        response = ask(client)
        response.read()
        assert response.status == 429
        waits.append(response.headers["Retry-After"])
    assert waits[:2] == [None, "7"]
    assert 55 < parsedate_to_datetime(waits[2]).timestamp() - time.time() <= 60


@pytest.mark.parametrize("status", [200, 403, 503])
def test_challenge(emulator: Emulator, client: HTTPConnection, status: int) -> None:
    emulator.fail("challenge", status=status)
    response = ask(client)
    page = response.read()
    assert response.status == status
    assert b"Just a moment..." in page
    assert b"cf-" in page


def test_redirect(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("redirect")
    emulator.fail("redirect", status=307, location="http://example.test/")
    for status, location in ((302, emulator.url + "/elsewhere"), (307, "http://example.test/")):
        response = ask(client)
        response.read()
        assert (response.status, response.headers["Location"]) == (status, location)


def test_token(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("token")
    response = ask(client)
    assert (response.status, json.loads(response.read())["error"]["code"]) == (401, "invalid_api_key")


def test_success_false_is_each_service_s_rejection(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("success_false", status=200)
    client.request("POST", "/wp-json/mwai-ui/v1/chats/submit", b"{}")
    response = client.getresponse()
    assert response.status == 200
    assert json.loads(response.read()) == {"success": False, "message": "Sorry, your query has been rejected."}


# What the protocol does not say


def test_not_json(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("not_json", after=1)
    lines = [line for line in ask(client).read().decode().splitlines() if line]
    damaged = [n for n, line in enumerate(lines) if "'" in line]
    assert damaged == [2]  # the role, the first piece, the second
    assert lines[-1] == "data: [DONE]"


def test_wrong_types(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("wrong_types", after=1)
    _role, text, wrong, rest = ask(client).read().decode().split("\n\n")
    assert "one" in text
    assert json.loads(wrong[6:])["choices"] == "none"
    assert rest == ""
    emulator.fail("wrong_types", step="models")
    client.request("GET", "/v1/models")
    assert json.loads(client.getresponse().read())["choices"] == "none"


def test_endless_line(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("endless_line", size=3 * MIB + 5, after=1)
    with ask(client) as response, pytest.raises(IncompleteRead) as caught:
        response.read()
    assert caught.value.partial.endswith(b"\n" + b"x" * (3 * MIB + 5))


def test_endless_line_ends_when_the_client_leaves(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("endless_line")
    with ask(client) as response:
        response.read(MIB)
        client.close()
    wait_until(lambda: emulator.requests[0].ended is not None)


def test_endless_headers(emulator: Emulator) -> None:
    emulator.fail("endless_headers", size=MIB)
    with socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2]))) as connection:
        connection.settimeout(5)
        body = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        connection.sendall(body)
        received = b""
        while block := connection.recv(MIB):
            received += block
    head, end, answer = received.partition(b"\r\n\r\n")
    assert len(head) == pytest.approx(MIB, rel=0.01)
    assert end
    assert json.loads(answer)["choices"]


def test_bomb(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.configure(encoding="deflate")  # the bomb has its own
    emulator.fail("bomb", size=8 * MIB)
    response = ask(client)
    assert response.headers.get_all("Content-Encoding") == ["gzip"]
    body = response.read()
    assert len(body) < 64 * 1024
    assert zlib.decompress(body, 31) == b" " * (8 * MIB)


def wait_until(condition: Any) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
