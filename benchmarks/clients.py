"""The clients that are measured: one function each, which streams the texts of an answer's pieces.

Each keeps its connection as well as its documentation allows: one session or client object for all
calls.  A client whose package is missing is left out.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator

Stream = Callable[[str], Iterator[str]]
MESSAGES = [{"role": "user", "content": "Hello"}]


def ours() -> Stream:
    import g4f_lite

    providers: dict[str, g4f_lite.OpenAICompatible] = {}

    def stream(base_url: str) -> Iterator[str]:
        if base_url not in providers:
            providers[base_url] = g4f_lite.OpenAICompatible(base_url, model="m", session=None)
        return providers[base_url].create_generator(messages=MESSAGES)  # type: ignore[return-value]

    return stream


def bare_requests() -> Stream:
    import requests

    session = requests.Session()

    def stream(base_url: str) -> Iterator[str]:
        body = {"model": "m", "messages": MESSAGES, "stream": True}
        response = session.post(base_url + "/chat/completions", json=body, stream=True)
        for line in response.iter_lines():
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if text:
                    yield text

    return stream


def httpx_sse() -> Stream:
    import httpx
    from httpx_sse import connect_sse

    client = httpx.Client()

    def stream(base_url: str) -> Iterator[str]:
        body = {"model": "m", "messages": MESSAGES, "stream": True}
        with connect_sse(client, "POST", base_url + "/chat/completions", json=body) as source:
            for event in source.iter_sse():
                if event.data != "[DONE]":
                    text = json.loads(event.data)["choices"][0]["delta"].get("content")
                    if text:
                        yield text

    return stream


def openai() -> Stream:
    from openai import OpenAI

    clients: dict[str, OpenAI] = {}

    def stream(base_url: str) -> Iterator[str]:
        if base_url not in clients:
            clients[base_url] = OpenAI(base_url=base_url, api_key="none", max_retries=0)
        with clients[base_url].chat.completions.create(model="m", messages=MESSAGES, stream=True) as chunks:  # type: ignore[call-overload]
            for chunk in chunks:
                text = chunk.choices[0].delta.content
                if text:
                    yield text

    return stream


def litellm() -> Stream:
    import litellm

    def stream(base_url: str) -> Iterator[str]:
        for chunk in litellm.completion("openai/m", MESSAGES, api_base=base_url, api_key="none", stream=True):
            text = chunk.choices[0].delta.content
            if text:
                yield text

    return stream


def g4f() -> Stream:
    from g4f.client import Client
    from g4f.Provider import OpenaiTemplate

    def stream(base_url: str) -> Iterator[str]:
        server = type("Server", (OpenaiTemplate,), {"base_url": base_url, "api_key": "none", "working": True})
        client = Client(provider=server, api_key="none")
        for chunk in client.chat.completions.create(MESSAGES, "m", stream=True):
            text = chunk.choices[0].delta.content
            if text:
                yield text

    return stream


_ALL: dict[str, tuple[str, Callable[[], Stream]]] = {
    "bare requests": ("requests", bare_requests),
    "g4f_lite": ("g4f_lite", ours),
    "httpx-sse": ("httpx_sse", httpx_sse),
    "openai": ("openai", openai),
    "litellm": ("litellm", litellm),
    "g4f": ("g4f", g4f),
}


def installed() -> dict[str, Callable[[], Stream]]:
    """Give those whose package is there, by name, in the order of the table's columns."""
    return {name: make for name, (module, make) in _ALL.items() if importlib.util.find_spec(module)}
