"""Real notebooks: their kernels, and the emulator that answers them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from g4f_lite.emulator import Emulator

if TYPE_CHECKING:
    from .kernels import Kernel


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests only in the environment that is made for them, whatever else is installed."""
    folder = os.path.dirname(__file__) + os.sep
    for item in items:
        if str(item.path).startswith(folder):  # pathlib's way took a second for all tests
            item.add_marker(pytest.mark.long)
            item.add_marker(pytest.mark.filterwarnings("default"))  # those of Jupyter's packages


def environment_of(emulator: Emulator) -> dict[str, str]:
    """Give the environment of a process whose prompts the emulator answers."""
    own = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "G4F_LITE_MODEL": "gpt-4", "G4F_LITE_OFFLINE": "1"}
    return {**os.environ, **own}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    server.reset()
    return server


@pytest.fixture(scope="module")
def one_kernel(server: Emulator) -> Iterator[Kernel]:
    from .kernels import Kernel

    kernel = Kernel()
    with kernel.client.setup_kernel(env=environment_of(server)):
        kernel.run("%load_ext g4f_lite")
        yield kernel


@pytest.fixture
def kernel(one_kernel: Kernel) -> Kernel:
    """Give a kernel whose conversation begins."""
    one_kernel.run("%reload_ext g4f_lite")
    return one_kernel
