"""The emulator's faults of answers, as a client sees them."""

from __future__ import annotations

import json
import socket
import time
import zlib
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, IncompleteRead

import pytest

from g4f_lite.emulator import Emulator

from .clients import ask, wait_until

MIB = 1024 * 1024


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


def test_a_status_without_a_name(emulator: Emulator, client: HTTPConnection) -> None:
    emulator.fail("status", status=599)
    response = ask(client)
    assert (response.status, response.reason) == (599, "Unknown")
    response.read()


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
