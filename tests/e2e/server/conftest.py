"""``g4f-lite serve`` as a child, and the emulator as the service behind it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import openai
import pytest
import requests

from g4f_lite.emulator import Emulator

from ..command import SECONDS, WITHOUT_WAITS, read_past, start

Serve = Callable[..., "Served"]

# The server, but that it looks more often whether its clients are still there.
ATTENTIVE = f"""
from g4f_lite.contrib.server import streams
streams.CHECK_SECONDS = 0.02
{WITHOUT_WAITS}
"""


class Served:
    """A server while it runs: its address, and what it wrote to standard error."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout
        assert child.stderr
        self.child = child
        self.clients = ExitStack()
        self.said, _ = read_past(child.stdout.fileno(), b"Why is the sky blue?", b"")
        self.url = re.findall(r"http://[\d.]+:\d+", self.said.decode())[0]
        self._log: list[bytes] = []
        self.reader = threading.Thread(target=lambda: self._log.extend(child.stderr), daemon=True)
        self.reader.start()

    def client(self, api_key: str = "none") -> openai.OpenAI:
        """Give OpenAI's own client for the server; it asks once."""
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=api_key, max_retries=0)
        return self.clients.enter_context(client)

    def post(self, body: Any, path: str = "/v1/chat/completions", **arguments: Any) -> requests.Response:
        """Send a request as JSON."""
        return requests.post(f"{self.url}{path}", json=body, timeout=SECONDS, **arguments)

    def get(self, path: str, method: str = "GET", **arguments: Any) -> requests.Response:
        """Send a request without a body."""
        return requests.request(method, f"{self.url}{path}", timeout=SECONDS, **arguments)

    def end(self) -> str:
        """Stop the server, and give what it wrote to standard error."""
        self.child.terminate()
        assert self.child.wait(SECONDS) == 0
        self.reader.join(SECONDS)
        return b"".join(self._log).decode()


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[Served]:
    """Run the server on a free port; it does not wait before it asks the service again."""
    with start("serve", "--port", "0", *arguments, code=ATTENTIVE, **environment) as child:
        try:
            server = Served(child)
            with server.clients:
                yield server
        finally:
            child.kill()
        server.reader.join(SECONDS)  # it must not read what is closed next


@pytest.fixture(scope="module")
def upstream() -> Iterator[Emulator]:
    """Run the service that the server asks."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def _one_for_all(upstream: Emulator) -> Iterator[Served]:
    with served(G4F_LITE_BASE_URL=f"{upstream.url}/v1") as running:
        yield running


@pytest.fixture
def server(upstream: Emulator, _one_for_all: Served) -> Served:
    """Give the server of this file, and a service that knows nothing of the test before."""
    upstream.reset()
    return _one_for_all


@pytest.fixture
def serve(upstream: Emulator) -> Iterator[Serve]:
    """Give a function that starts a server with options of its own."""
    upstream.reset()
    with ExitStack() as stack:
        settings = {"G4F_LITE_BASE_URL": f"{upstream.url}/v1"}
        yield lambda *arguments, **environment: stack.enter_context(served(*arguments, **settings, **environment))


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> float:
    """Wait until something is so, and give the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.005)
    return time.monotonic() - began
