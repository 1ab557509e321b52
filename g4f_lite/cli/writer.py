"""Writing to a terminal in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console

from .live import LiveMarkdown
from .output import writing

REDRAW_SECONDS = 0.08  # drawing more often only flickers
REST = 4  # times as long as the last drawing took, so that a block of any length costs at most a fifth of the time


class MarkdownWriter:
    """Draws Markdown as it arrives, so that reading an answer never waits for a slow terminal::

        with MarkdownWriter() as writer:
            for piece in answer:
                writer.feed(piece)

    The end of the ``with`` block writes the rest, also after an error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._live = LiveMarkdown(console or Console())
        self._arrived: deque[Callable[[], None]] = deque()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="g4f-lite-terminal", daemon=True)

    def feed(self, piece: str) -> None:
        """Take a piece of the text.

        :raises click.ClickException: if an earlier one could not be written
        """
        self._take(lambda: self._live.add(piece))

    def write_image(self, markdown: str) -> None:
        """Take the Markdown of an image, which is a block of its own."""
        self._take(lambda: self._live.add_block(markdown))

    def begin_anew(self) -> None:
        """Draw the last block once more, below what another program has written, as a shell does after Ctrl-Z."""
        self._take(self._live.begin_anew)

    def __enter__(self) -> MarkdownWriter:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._take(self._live.end)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _take(self, action: Callable[[], None]) -> None:
        if self._error is not None:
            raise self._error
        self._arrived.append(action)
        self._news.set()

    def _run(self) -> None:
        try:
            with writing():
                while not self._ended.is_set():
                    self._news.wait()
                    self._news.clear()
                    began = time.monotonic()
                    self._catch_up()
                    self._live.draw()
                    self._ended.wait(max(REDRAW_SECONDS, REST * (time.monotonic() - began)))
                self._catch_up()
        except Exception as error:  # noqa: BLE001  the thread that reads raises it
            self._error = error

    def _catch_up(self) -> None:
        while self._arrived:
            self._arrived.popleft()()
