"""Real notebooks: their kernels, and the emulator that answers them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests only in the environment that is made for them, whatever else is installed."""
    for item in items:
        if "notebook" in item.path.parts:
            item.add_marker(pytest.mark.long)
            item.add_marker(pytest.mark.filterwarnings("default"))  # those of Jupyter's packages


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def environment_of(emulator: Emulator) -> dict[str, str]:
    """Give the environment of a process whose prompts the emulator answers."""
    own = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "G4F_LITE_MODEL": "gpt-4", "G4F_LITE_OFFLINE": "1"}
    return {**os.environ, **own}


@pytest.fixture
def kernel_environment(emulator: Emulator) -> dict[str, str]:
    return environment_of(emulator)


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


@pytest.fixture
def kernel(kernel_environment: dict[str, str]) -> Iterator[Kernel]:
    kernel = Kernel()
    with kernel.client.setup_kernel(env=kernel_environment):
        kernel.run("%load_ext g4f_lite")
        yield kernel
