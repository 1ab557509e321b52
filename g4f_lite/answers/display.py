"""Showing an answer as it arrives, in a terminal or a notebook."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import G4FLiteError, sanitize
from .deltas import Delta, Reasoning, is_content
from .images import FetchLimit, ImageResponse
from .ipython import in_notebook
from .markdown import folded

if TYPE_CHECKING:
    from .buffer import Buffer

REDRAW_SECONDS = 0.1  # drawing more often only flickers
REST = 4  # times as long as the last drawing took, so that one of any length costs at most a fifth of the time


def print_pieces(pieces: Iterable[object], out: TextIO | None) -> None:
    """Write and flush each piece as it arrives, then a newline.

    Control characters are not written to a terminal or a notebook, which obey them.

    :param out: the file; None writes nothing, as ``print`` does in a program without standard output
    """
    for piece in pieces:
        if out is not None:
            _write(str(piece), out)
    if out is not None:
        _write("\n", out)


def print_together(pieces: Iterable[object], out: TextIO | None) -> None:
    """Write all pieces at once, with a newline, when the last one has arrived; as far as they come if they fail."""
    arrived: list[str] = []
    try:
        for piece in pieces:
            arrived.append(str(piece))
    finally:
        if arrived and out is not None:
            _write("".join([*arrived, "\n"]), out)


def _write(text: str, out: TextIO) -> None:
    # An object with write() and flush() is file enough.
    if getattr(out, "isatty", bool)() or (out is sys.stdout and in_notebook()):
        text = sanitize(text)
    try:
        out.write(text)
    except UnicodeEncodeError:  # Windows writes cp1252 to a pipe, which has few characters
        encoding = getattr(out, "encoding", None) or "utf-8"
        out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


class LiveOutput:
    """An output of a notebook cell that is drawn again when it changes, at most ten times a second::

        with LiveOutput() as output:
            output.draw(lambda: "**so far**")

    Nothing is shown before there is something to draw, and the end of the block draws what came last.
    """

    def __init__(self) -> None:
        self._content: Callable[[], str] | None = None
        self._plain: Callable[[], str] | None = None
        self._drawn = ""
        self._drawn_at = 0.0
        self._took = 0.0
        self._handle: Any = None
        self._timer: threading.Timer | None = None
        self._drawing = threading.Lock()

    def draw(self, content: Callable[[], str], plain: Callable[[], str] | None = None) -> None:
        """Draw soon.

        :param content: returns the Markdown, and is called when it is drawn
        :param plain: returns the text for a program that renders no Markdown; None for the Markdown
        """
        self._content, self._plain = content, plain
        if self._timer is not None:
            return
        wait = self._drawn_at + max(REDRAW_SECONDS, (REST + 1) * self._took) - time.monotonic()
        if wait <= 0:
            self._draw_now()
        else:  # what comes just before a silence is not held back until its end
            self._timer = threading.Timer(wait, self._draw_now)
            self._timer.daemon = True
            self._timer.start()

    def _draw_now(self) -> None:
        from IPython.display import display

        with self._drawing:
            self._drawn_at = time.monotonic()
            self._timer = None  # what comes from now on needs another one
            markdown = self._content() if self._content is not None else ""
            self._took = time.monotonic() - self._drawn_at
            if markdown == self._drawn:
                return
            data = {"text/markdown": markdown, "text/plain": sanitize(self._plain() if self._plain else markdown)}
            if self._handle is None:
                self._handle = display(data, raw=True, display_id=True)
            else:
                self._handle.update(data, raw=True)
            self._drawn = markdown  # not before: an interrupt may have kept it from being drawn

    def __enter__(self) -> LiveOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Draw what came last."""
        # The timer is not joined, as an interrupt may have kept it from starting: if it is late, it has nothing new.
        if (timer := self._timer) is not None:
            timer.cancel()
        self._draw_now()


def show_in_cell(deltas: Iterable[Delta], so_far: Buffer, markdown: Callable[[], str]) -> None:
    """Show an answer in a notebook's cell as its deltas arrive; images from elsewhere follow its text.

    The model's reasoning is folded away, in an output of its own, which stays as the reader has it while the
    answer grows.

    :param so_far: what has arrived
    :param markdown: returns the text and the images of all that, as Markdown
    """
    images: list[ImageResponse] = []
    thinking = False
    with LiveOutput() as thoughts, LiveOutput() as answer:
        try:
            for delta in deltas:
                if isinstance(delta, Reasoning):
                    if not thinking:
                        thoughts.draw(lambda: folded("Thinking …", ""))
                    thinking = True
                    continue
                if thinking and is_content(delta):
                    thinking = False
                    thoughts.draw(lambda: folded("Thoughts", so_far.reasoning))
                if isinstance(delta, ImageResponse) and not delta.urls[0].startswith("data:"):
                    images.append(delta)
                answer.draw(markdown, lambda: so_far.text)
        finally:
            if thinking:
                thoughts.draw(lambda: folded("Thoughts", so_far.reasoning))
    _show_images(images)


def _show_images(images: Iterable[ImageResponse]) -> None:
    """Show images by their bytes, which this library fetches with its checks, unlike a browser."""
    from IPython.display import display

    limit = FetchLimit()
    for image in images:
        with suppress(G4FLiteError):  # the text has a link to it
            limit.bytes_of(image)
            display(image)
