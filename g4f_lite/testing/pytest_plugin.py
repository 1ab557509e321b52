"""Fixtures for testing apps that use this library; pytest loads them automatically."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..answers.source import Stage
    from ..emulator import Emulator
    from . import Scripted


@pytest.fixture
def g4f_scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Use a Scripted provider for every call that names no provider, and allow connections to loopback only."""
    from ..providers import selection
    from . import Scripted

    scripted = Scripted()
    _leave_out_the_users_cache(monkeypatch)
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    monkeypatch.setattr(selection, "replacement", scripted)
    return scripted


@pytest.fixture
def g4f_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Start an emulator of the services, and use it for every call that names no provider."""
    from ..emulator import Emulator

    _leave_out_the_users_cache(monkeypatch)
    with Emulator() as emulator:
        monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
        monkeypatch.delenv("G4F_LITE_PROVIDER", raising=False)
        monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
        yield emulator


def _leave_out_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the answers of tests out of the cache that programs share, and its answers out of tests."""
    from ..store.cache import Cache

    plain = Cache.stage

    def stage(cache: Cache, *arguments: Any) -> Stage:
        return (lambda deltas: deltas) if cache.is_shared else plain(cache, *arguments)

    monkeypatch.setattr(Cache, "stage", stage)
