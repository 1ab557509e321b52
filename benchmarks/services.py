"""The providers of the emulated services, and the emulator itself under load."""

from __future__ import annotations

import json
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from .background import background
from .clients import OURS
from .emulator import PIECES, TEXT
from .link import ROUND_TRIP
from .table import Bar, Numbers

CALLS, THREADS = 1000, 8
STREAMS, PACE = 64, 0.02  # seconds between two pieces of a stream
SERVICES = ("AiChatOnline", "AiChats", "Chatgpt4Online", "AiEngine", "OpenAICompatible")
SERVICE_BARS = {f"{name}, {what}": [Bar(THREADS)] for name in SERVICES for what in ("bootstraps", "connections")}
ROUND_TRIP_BARS = {
    **{f"{name}, cold": [Bar(2 if name == "OpenAICompatible" else 3)] for name in SERVICES},
    **{f"{name}, warm": [Bar(1)] for name in SERVICES},
}


def warm_services() -> dict[str, Numbers]:
    """Bootstraps and new connections that 1,000 calls of a provider on 8 threads make, and calls a second."""
    numbers: Numbers = {}
    with background("emulator", 0) as (port, received):
        for provider in _providers(port):
            with provider:
                began = time.perf_counter()
                with ThreadPoolExecutor(THREADS) as pool:
                    for answer in pool.map(lambda _, ask=provider.create: ask(messages="Hello"), range(CALLS)):
                        assert answer == TEXT * PIECES
                seconds = time.perf_counter() - began
            counts = received()
            assert counts["prompts"] == CALLS, provider
            numbers[f"{provider.name}, bootstraps"] = counts["bootstraps"]
            numbers[f"{provider.name}, connections"] = counts["connections"]
            numbers[f"{provider.name}, calls/s"] = CALLS / seconds
    return {OURS: numbers}


def round_trips() -> dict[str, Numbers]:
    """Round trips of a first call and of the next one, through the same link: counted, and as its time divided by 100
    ms."""
    numbers: Numbers = {}
    with background("emulator", 0) as (target, _), background("link", target) as (port, passed):
        for provider in _providers(port):
            with provider:
                for manner in ("cold", "warm"):
                    passed()
                    began = time.perf_counter()
                    assert provider.create(messages="Hello") == TEXT * PIECES
                    seconds = time.perf_counter() - began
                    numbers[f"{provider.name}, {manner}"] = passed()["round_trips"]
                    numbers[f"{provider.name}, {manner}, time"] = seconds / ROUND_TRIP
    return {OURS: numbers}


def emulator_streams() -> dict[str, Numbers]:
    """Milliseconds by which the latest piece of all streams is late, counted from its stream's first, at a pace of 20
    ms."""
    with background("emulator", PACE) as (port, _):
        moments = _read_at_once(int(port))
    late = [moment - times[0] - number * PACE for times in moments for number, moment in enumerate(times)]
    return {OURS: {"ms": max(late) * 1000}}


def _providers(port: str) -> list[Any]:
    import g4f_lite

    url = f"http://127.0.0.1:{port}"
    made = [getattr(g4f_lite, name)(base_url=url) for name in SERVICES[:-1]]
    return [*made, g4f_lite.OpenAICompatible(f"{url}/v1", model="m")]


def _read_at_once(port: int) -> list[list[float]]:
    """Read all streams; give the moments at which each one's pieces came."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: emulator\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    moments: dict[socket.socket, list[float]] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(STREAMS):
            connection = socket.create_connection(("127.0.0.1", port))
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
