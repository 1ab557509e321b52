"""What a terminal shows while the embedded model reads a long prompt, and nothing of the answer has come."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..answers.stream import AnswerStream
from ..http.deadline import leave_interrupts_to_main_thread

SECONDS = 3.0  # after which somebody wonders whether it works
LINE = "reading the prompt …"


@contextmanager
def told_if_late(stream: AnswerStream) -> Iterator[None]:
    """Say on a terminal that the embedded model works, if a ``with`` block takes long, and remove the line after it.

    The line leaves the cursor at its beginning, so that a note which comes meanwhile is written over it.
    """
    if stream.provider != "Local" or not (sys.stderr.isatty() and sys.stdout.isatty()):
        yield
        return
    over, told = threading.Event(), threading.Event()

    def tell_later() -> None:
        leave_interrupts_to_main_thread()
        if not over.wait(SECONDS):
            _write(f"{LINE}\r")
            told.set()

    thread = threading.Thread(target=tell_later, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if told.is_set():
            _write(f"{' ' * len(LINE)}\r")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
