"""The providers of the emulated services, and the emulator itself under load."""

from __future__ import annotations

import json
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

from .emulator import PIECES, TEXT, emulator
from .table import OURS, Figures

CALLS, THREADS = 1000, 8
STREAMS, PACE = 64, 0.02  # seconds between two pieces of a stream


def warm_services(rounds: int) -> Figures:
    """Bootstraps and new connections that 1,000 calls of a provider on 8 threads make, and calls a second."""
    from g4f_lite import AiChatOnline, AiChats, AiEngine, Chatgpt4Online, OpenAICompatible

    figures = Figures()
    for _ in range(rounds):
        with emulator() as (url, received):
            providers: list[Any] = [made(base_url=url) for made in (AiChatOnline, AiChats, Chatgpt4Online, AiEngine)]
            providers.append(OpenAICompatible(f"{url}/v1", model="m"))
            for provider in providers:
                with provider:
                    seconds = _call(provider)
                counts = received()
                assert counts["prompts"] == CALLS, provider
                figures.add(
                    OURS,
                    {
                        f"{provider.name} bootstraps": counts["bootstraps"],
                        f"{provider.name} connections": counts["connections"],
                        f"{provider.name} calls/s": CALLS / seconds,
                    },
                )
    return figures


def emulator_streams(rounds: int) -> Figures:
    """Milliseconds by which the latest piece of 64 streams at once is late, counted from its stream's first, at a pace
    of 20 ms."""
    figures = Figures()
    for _ in range(rounds):
        with emulator(PACE) as (url, _received):
            moments = _read_at_once(url)
        late = [moment - times[0] - number * PACE for times in moments for number, moment in enumerate(times)]
        figures.add(OURS, {"ms": max(late) * 1000})
    return figures


def _call(provider: Any) -> float:
    """Make the calls; give the seconds that they took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for answer in pool.map(lambda _: provider.create(messages="Hello"), range(CALLS)):
            assert answer == TEXT * PIECES
    return time.perf_counter() - began


def _read_at_once(url: str) -> list[list[float]]:
    """Read all streams; give the moments at which each one's pieces came."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: emulator\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    moments: dict[socket.socket, list[float]] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(STREAMS):
            connection = socket.create_connection((address.hostname, address.port))
            moments[connection] = []
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(head + body)
        while selector.get_map():
            for key, _ in selector.select():
                connection = cast(socket.socket, key.fileobj)
                block = connection.recv(65536)
                moments[connection] += [time.monotonic()] * block.count(f'"content": "{TEXT}"'.encode())
                if not block or b"[DONE]" in block:
                    selector.unregister(connection)
                    connection.close()
    assert all(len(times) == PIECES for times in moments.values())
    return list(moments.values())
