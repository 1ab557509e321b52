"""Fixtures for the tests of apps that use this library; pytest finds them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..emulator import Emulator
    from . import Scripted


@pytest.fixture
def g4f_scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Let a Scripted provider answer wherever an app names none; nothing but loopback is reached."""
    from ..providers import selection as choice
    from . import Scripted

    scripted = Scripted()
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    monkeypatch.setattr(choice, "instead", scripted)
    return scripted


@pytest.fixture
def g4f_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Start an emulator of the services, which also answers wherever an app names no provider."""
    from ..emulator import Emulator

    with Emulator() as emulator:
        monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
        monkeypatch.delenv("G4F_LITE_PROVIDER", raising=False)
        monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
        yield emulator
