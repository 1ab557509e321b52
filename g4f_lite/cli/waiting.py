"""What is told while something takes long, such as a server that loads a model before it answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from ..answers.stream import AnswerStream
from ..http.deadline import leave_interrupts_to_main_thread
from ..providers.fallback import Fallback
from .notes import is_quiet

SECONDS = 3.0  # after which somebody wonders whether it works


def told_if_late(stream: AnswerStream) -> AbstractContextManager[None]:
    """Say on a terminal what is waited for, if a ``with`` block takes long, and remove the line after it."""
    if stream.provider == "Local":
        return line_if_late("reading the prompt …")
    return line_if_late(f"waiting for {'an answer' if stream.provider == Fallback.__name__ else stream.provider} …")


@contextmanager
def line_if_late(line: str) -> Iterator[None]:
    """Show a line on a terminal if a ``with`` block takes long, and remove it after the block.

    It leaves the cursor at its beginning, so that a note which comes meanwhile is written over it.
    """
    if is_quiet() or not (sys.stderr.isatty() and sys.stdout.isatty()):
        yield
        return
    told = threading.Event()

    def tell_now() -> None:
        _write(f"{line}\r")
        told.set()

    try:
        with if_late(SECONDS, tell_now):
            yield
    finally:
        if told.is_set():
            _write(f"{' ' * len(line)}\r")


@contextmanager
def if_late(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Call a function in a thread of its own if a ``with`` block takes longer than some seconds."""
    over = threading.Event()

    def wait() -> None:
        leave_interrupts_to_main_thread()
        if not over.wait(seconds):
            act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
