"""Waitress as ``g4f-lite serve`` runs it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import requests

from g4f_lite.contrib.server import create_app
from g4f_lite.contrib.server.serving import Server
from g4f_lite.testing import Scripted

resource = pytest.importorskip("resource")
FILES = 1024  # beyond which select() fails


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FILES, hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(FILES)]
    yield
    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_more_open_files_than_select_can_watch() -> None:
    server = Server(create_app(Scripted()), "127.0.0.1", 0, 1)
    threading.Thread(target=server._server.run, daemon=True).start()
    try:
        assert requests.get(f"{server.url}/health", timeout=10).json() == {"status": "ok"}
    finally:
        server._server.close()
