"""Showing an answer as it arrives, in a terminal or a notebook.  IPython is imported nowhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO

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


def print_pieces(pieces: Iterable[object], out: TextIO) -> None:
    """Write and flush each piece as it arrives, then a newline."""
    for piece in pieces:
        out.write(str(piece))
        out.flush()
    out.write("\n")
    out.flush()


def show_markdown(pieces: Iterable[object], text: Callable[[], str]) -> None:
    """Show one Markdown output in a notebook and update it as pieces arrive.

    :param text: returns the text of all pieces so far
    """
    from IPython.display import Markdown, display

    handle = display(Markdown(""), display_id=True)
    shown_at = 0.0
    for _ in pieces:
        if time.monotonic() - shown_at > REDRAW_SECONDS:
            handle.update(Markdown(text()))
            shown_at = time.monotonic()
    handle.update(Markdown(text()))
