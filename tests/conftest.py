"""What all tests stand on: an environment without anybody's settings."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide keys, proxies and settings of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(("G4F_LITE_", "OPENAI_")) or name.lower().endswith("_proxy") or name == "NETRC":
            monkeypatch.delenv(name)
