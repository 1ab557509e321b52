"""The clients that are measured: one function each, which streams the texts of an answer's pieces.

Each keeps its connections as well as its documentation allows: one session or client object for all
calls, and of ``requests``, which promises nothing about a session in two threads, one for each thread.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

Messages = list[dict[str, str]]
Stream = Callable[..., Iterator[str]]  # (base_url, messages=HELLO)
HELLO: Messages = [{"role": "user", "content": "Hello"}]

OURS, BARE = "g4f_lite", "bare requests"
HTTPX, OPENAI, LITELLM, G4F = "httpx-sse", "openai", "litellm", "g4f"
SETTINGS = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else its import fetches a list of prices


def ours() -> Stream:
    import g4f_lite

    providers: dict[str, g4f_lite.OpenAICompatible] = {}

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        if base_url not in providers:
            providers[base_url] = g4f_lite.OpenAICompatible(base_url, model="m")
        return providers[base_url].create_generator(messages=messages)  # type: ignore[return-value]

    return stream


def bare_requests() -> Stream:
    import requests

    own = threading.local()

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        body = {"model": "m", "messages": messages, "stream": True}
        response = own.session.post(base_url + "/chat/completions", json=body, stream=True)
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

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        body = {"model": "m", "messages": messages, "stream": True}
        with connect_sse(client, "POST", base_url + "/chat/completions", json=body) as source:
            for event in source.iter_sse():
                if event.data != "[DONE]":
                    text = json.loads(event.data)["choices"][0]["delta"].get("content")
                    if text:
                        yield text

    return stream


def openai() -> Stream:
    from openai import OpenAI

    clients: dict[str, Any] = {}

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        if base_url not in clients:
            clients[base_url] = OpenAI(base_url=base_url, api_key="none", max_retries=0)
        with clients[base_url].chat.completions.create(model="m", messages=messages, stream=True) as chunks:
            yield from texts(chunks)

    return stream


def litellm() -> Stream:
    import litellm

    litellm.suppress_debug_info = True

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        # It keeps a client for each address by itself.
        return texts(litellm.completion("openai/m", messages, api_base=base_url, api_key="none", stream=True))

    return stream


def g4f() -> Stream:
    from g4f.client import Client
    from g4f.client.factory import create_custom_provider

    clients: dict[str, Any] = {}

    def stream(base_url: str, messages: Messages = HELLO) -> Iterator[str]:
        if base_url not in clients:
            # It would ask the server for its models first.
            provider = create_custom_provider(base_url, api_key="none", default_model="m", models=["m"])
            clients[base_url] = Client(provider=provider, api_key="none")
        return texts(clients[base_url].chat.completions.create(messages, "m", stream=True))

    return stream


def texts(chunks: Any) -> Iterator[str]:
    """Give the texts in the chunks of a chat completion."""
    for chunk in chunks:
        text = chunk.choices[0].delta.content if chunk.choices else None
        if text:
            yield text


CLIENTS: dict[str, Callable[[], Stream]] = {
    BARE: bare_requests,
    OURS: ours,
    HTTPX: httpx_sse,
    OPENAI: openai,
    LITELLM: litellm,
    G4F: g4f,
}
