"""Under eventlet: greenlets in place of threads, with the same limits and the same ends."""

from __future__ import annotations

import importlib.util
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .raw_server import PATIENCE

SCRIPT = Path(__file__).with_name("eventlet_script.py")

pytestmark = pytest.mark.skipif(importlib.util.find_spec("eventlet") is None, reason="eventlet is not installed")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_under_eventlet(scheme: str, tls: ssl.SSLContext, authority_file: str) -> None:
    ended = threading.Event()

    def answer(messages: list[dict[str, str]]) -> Iterator[str]:
        """Repeat a prompt word by word, and keep silent at the word ``stall``."""
        text = messages[-1]["content"]
        for word in text.split(" ") if "stall" in text else [text]:
            if word == "stall":
                ended.wait(PATIENCE * 6)
            yield word

    with Emulator(answer, tls=tls if scheme == "https" else None) as site:
        authority = [authority_file] if scheme == "https" else []
        try:
            done = subprocess.run(
                [sys.executable, SCRIPT, site.url, *authority],
                capture_output=True,
                text=True,
                timeout=PATIENCE * 6,
                check=False,
            )
        finally:
            ended.set()
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
