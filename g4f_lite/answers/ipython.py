"""What IPython knows of the caller's code, if it runs it: in a notebook, or in its terminal."""

from __future__ import annotations

import sys
from typing import Any


def in_notebook() -> bool:
    """Return whether output goes to a notebook, or to another program that runs a Jupyter kernel."""
    return getattr(_shell(), "kernel", None) is not None


def in_ipython() -> bool:
    """Return whether IPython runs the caller's code: in a notebook, or in its terminal."""
    return _shell() is not None


def cell_number() -> int | None:
    """Return the number of the notebook cell or IPython input that is running; None elsewhere."""
    return getattr(_shell(), "execution_count", None)


def bind(name: str, value: Any) -> None:
    """Give a value a name among the variables of whoever uses IPython."""
    variables = getattr(_shell(), "user_ns", None)
    if variables is not None:
        variables[name] = value


def _shell() -> object:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def is_watched() -> bool:
    """Return whether somebody may see output as it arrives, and not only in a notebook that a program executes.

    Programs such as nbconvert let the kernel ask for no input.  They keep each text that is flushed as an output of
    its own, and export each with lines of its own, where JupyterLab joins them.
    """
    return getattr(getattr(_shell(), "kernel", None), "_allow_stdin", True) is not False
