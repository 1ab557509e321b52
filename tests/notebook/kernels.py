"""A kernel that executes the cells of a notebook."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")


class Kernel:
    """A notebook that is executed cell by cell, in a kernel of its own."""

    def __init__(self) -> None:
        self.notebook = nbformat.v4.new_notebook()
        self.client = nbclient.NotebookClient(self.notebook, kernel_name="python3", timeout=60, allow_errors=True)

    def add(self, source: str) -> tuple[Any, int]:
        """Add a cell, and give it with its number."""
        self.notebook.cells.append(nbformat.v4.new_code_cell(source))
        return self.notebook.cells[-1], len(self.notebook.cells) - 1

    def run(self, source: str) -> Any:
        """Execute another cell, and give it with its outputs; an error is one of them."""
        return self.client.execute_cell(*self.add(source))

    def interrupt(self) -> float:
        """Interrupt the kernel, and give the time."""
        began = time.monotonic()
        asyncio.run(self.client.km.interrupt_kernel())
        return began
