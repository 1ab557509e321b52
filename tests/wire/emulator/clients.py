"""What a client of each emulated service sends, and how it reads what comes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any

import requests

from g4f_lite.emulator import Emulator

PROMPT = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}


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


# AiChats


def ask_chats(emulator: Emulator, session: requests.Session, *contents: str, type_: str = "chat") -> requests.Response:
    turns = [
        {"from": "chatGPT" if number % 2 else "you", "content": content} for number, content in enumerate(contents)
    ]
    return session.post(emulator.url + "/chat/send2/", json={"type": type_, "messagesHistory": turns})


# OpenAI


def complete(emulator: Emulator, session: requests.Session | None = None, **changes: Any) -> requests.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi there"}]} | changes
    headers = changes.pop("headers", {})
    body.pop("headers", None)
    post = requests.post if session is None else session.post
    return post(emulator.url + "/v1/chat/completions", json=body, headers=headers)


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


# Bytes


def connect(emulator: Emulator) -> socket.socket:
    port = int(emulator.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def prompt_bytes(headers: str = "", version: str = "1.1") -> bytes:
    body = json.dumps(PROMPT).encode()
    head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    while block := connection.recv(65536):
        received += block
    return received


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
