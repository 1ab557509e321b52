"""A site that begins to answer, and then keeps silent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from g4f_lite.emulator import Emulator

from .raw_server import PATIENCE


@contextmanager
def stalling_site(tls: ssl.SSLContext | None = None) -> Iterator[Emulator]:
    """Run an emulator that repeats a prompt word by word, and keeps silent at the word ``stall``."""
    ended = threading.Event()

    def answer(messages: list[dict[str, str]]) -> Iterator[str]:
        text = messages[-1]["content"]
        for word in text.split(" ") if "stall" in text else [text]:
            if word == "stall":
                ended.wait(PATIENCE * 6)
            yield word

    with Emulator(answer, tls=tls) as emulator:
        try:
            yield emulator
        finally:
            ended.set()
