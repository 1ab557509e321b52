"""How an answer is shown, in a notebook or as plain text, without IPython imported anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO

REDRAW_SECONDS = 0.05  # a page drawn more often only flickers


def in_notebook() -> bool:
    """Tell whether output goes to a notebook's cell."""
    return type(_shell()).__name__ == "ZMQInteractiveShell"


def cell() -> int | None:
    """Give the number of the cell that runs, or of the input in IPython's terminal; None elsewhere."""
    return getattr(_shell(), "execution_count", None)


def _shell() -> object:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def show_as_it_comes(pieces: Iterable[object], out: TextIO) -> None:
    """Write each piece at once, and a newline at the end."""
    for piece in pieces:
        out.write(str(piece))
        out.flush()
    out.write("\n")
    out.flush()


def show_as_it_grows(pieces: Iterable[object], text: Callable[[], str]) -> None:
    """Show one output of Markdown, which grows with each piece.

    :param text: gives the text of all pieces so far
    """
    from IPython.display import Markdown, display

    handle = display(Markdown(""), display_id=True)
    shown_at = 0.0
    for _ in pieces:
        if time.monotonic() - shown_at > REDRAW_SECONDS:
            handle.update(Markdown(text()))
            shown_at = time.monotonic()
    handle.update(Markdown(text()))
