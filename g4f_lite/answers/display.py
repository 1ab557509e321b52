"""Showing an answer as it arrives, in a terminal or a notebook.  IPython is imported nowhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO

from ..errors import G4FLiteError, sanitize
from .images import ImageResponse

REDRAW_SECONDS = 0.05  # drawing more often only flickers


def in_notebook() -> bool:
    """Return whether output goes to a notebook."""
    return type(_shell()).__name__ == "ZMQInteractiveShell"


def cell_number() -> int | None:
    """Return the number of the notebook cell or IPython input that is running; None elsewhere."""
    return getattr(_shell(), "execution_count", None)


def _shell() -> object:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def print_pieces(pieces: Iterable[object], out: TextIO | None) -> None:
    """Write and flush each piece as it arrives, then a newline.

    Control characters are not written to a terminal.

    :param out: the file; None writes nothing, as ``print`` does in a program without standard output
    """
    for piece in pieces:
        if out is not None:
            _write(str(piece), out)
    if out is not None:
        _write("\n", out)


def _write(text: str, out: TextIO) -> None:
    if getattr(out, "isatty", bool)():  # an object with write() and flush() is file enough
        text = sanitize(text)
    try:
        out.write(text)
    except UnicodeEncodeError:  # Windows writes cp1252 to a pipe, which has few characters
        encoding = getattr(out, "encoding", None) or "utf-8"
        out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


def show_markdown(pieces: Iterable[object], markdown: Callable[[], str]) -> None:
    """Show one Markdown output in a notebook and update it as pieces arrive; images from elsewhere follow it.

    :param markdown: returns the Markdown of all pieces so far
    """
    from IPython.display import Markdown, display

    handle = display(Markdown(""), display_id=True)
    shown_at = 0.0
    images: list[ImageResponse] = []
    for piece in pieces:
        if isinstance(piece, ImageResponse) and not piece.urls[0].startswith("data:"):
            images.append(piece)
        if time.monotonic() - shown_at > REDRAW_SECONDS:
            handle.update(Markdown(markdown()))
            shown_at = time.monotonic()
    handle.update(Markdown(markdown()))
    for image in images:
        _show_image(image, display)


def _show_image(image: ImageResponse, display: Callable[[object], object]) -> None:
    """Show an image by its bytes, which this library fetches with its checks, unlike a browser."""
    try:
        image.bytes()
    except G4FLiteError:  # the text has a link to it
        return
    display(image)
