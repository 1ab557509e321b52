"""Fixtures for testing apps that use this library; pytest loads them automatically."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..emulator import Emulator
    from . import Scripted


@pytest.fixture
def g4f_scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Use a Scripted provider for every call that names no provider, and allow connections to loopback only."""
    from ..providers import selection
    from . import Scripted

    scripted = Scripted()
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    monkeypatch.setattr(selection, "replacement", scripted)
    return scripted


@pytest.fixture
def g4f_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Start an emulator of the services, and use it for every call that names no provider."""
    from ..emulator import Emulator

    with Emulator() as emulator:
        monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
        monkeypatch.delenv("G4F_LITE_PROVIDER", raising=False)
        monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
        yield emulator
