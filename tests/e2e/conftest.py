"""What the tests from outside share."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.providers.local import weights

from .forked import template


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Let what the command is forked from import its modules beside the first tests, which are not of this folder."""
    if hasattr(os, "fork"):
        template()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Start an emulator of the services."""
    with Emulator() as running:
        yield running


@pytest.fixture
def here(emulator: Emulator) -> list[str]:
    """Give the options that lead to the emulator."""
    return ["--base-url", f"{emulator.url}/v1", "--model", "echo"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let children get Ctrl-C, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def local_weights() -> Path:
    """Give the path of the embedded model's weights; skip where they are not on this machine."""
    if importlib.util.find_spec("xllamacpp") is None:  # not imported: the engine does that in its own way
        pytest.skip("the extra `local` is not installed")
    path = weights.find()
    if path is None:
        pytest.skip("the embedded model's weights are not here: run `g4f-lite local pull`")
    return path
