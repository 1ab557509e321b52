"""How much memory a model takes, and what is shown of it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Local
from g4f_lite.cli.effective_settings import effective_settings
from g4f_lite.http.deadline import Deadline
from g4f_lite.providers.local import runner
from g4f_lite.providers.local.catalogue import WEIGHTS
from g4f_lite.providers.local.memory import free_memory, memory_for
from g4f_lite.timeout import Timeout

from .gguf_files import SMOLLM2, gguf

AT_MOST = "{} of at most 8192 tokens, of the embedded model"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "local.md"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file whose model can have a context of 8,192; nothing of it is loaded."""
    file = tmp_path / "mine.gguf"
    file.write_bytes(gguf({**SMOLLM2, "llama.context_length": 8192}))
    monkeypatch.setattr(runner, "check_installed", lambda: None)
    return file


@pytest.mark.parametrize(
    ("size", "token_bytes", "context", "gigabytes"),
    [(98_362_432, 23_040, 4096, 0.51), (98_362_432, 23_040, 1024, 0.24), (1_055_609_536, 196_608, 4096, 1.9)],
)
def test_what_was_measured_is_computed(size: int, token_bytes: int, context: int, gigabytes: float) -> None:
    assert memory_for(size, token_bytes, context) / 1e9 == pytest.approx(gigabytes, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory is free")
def test_the_free_memory_is_some_of_all_that_there_is() -> None:
    free = free_memory()
    assert free is not None
    assert 0 < free < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_documentation_has_the_numbers_of_each_model() -> None:
    text = DOCUMENTED.read_text(encoding="utf-8")
    for name, file in WEIGHTS.items():
        row = re.search(rf"^\| `{re.escape(name)}` \|(.*)\|$", text, re.MULTILINE)
        assert row is not None, name
        memory = memory_for(file.size, file.token_bytes, 4096)
        expected = [f"{file.size / 1e6:,.0f} MB", f"{file.context:,}", f"{memory / 1e9:.1f} GB"]
        assert [cell.strip() for cell in row[1].split("|")][:3] == expected


@pytest.mark.parametrize(
    ("given", "variables", "context", "source"),
    [
        ({}, {"G4F_LITE_CONTEXT": "16384"}, "8192 (the model's most)", "G4F_LITE_MODEL"),
        ({}, {"G4F_LITE_CONTEXT": "2048"}, AT_MOST.format(2048), "G4F_LITE_MODEL"),
        ({}, {}, AT_MOST.format(4096), "G4F_LITE_MODEL"),
        ({"provider": "local"}, {"G4F_LITE_CONTEXT": "16384"}, "8192 (the model's most)", "command line"),
        ({}, {"G4F_LITE_PROVIDER": "groq, local"}, AT_MOST.format(4096), "G4F_LITE_MODEL"),
    ],
)
def test_doctor_shows_the_model_in_effect_with_its_context_and_its_memory(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str | None],
    variables: dict[str, str],
    context: str,
    source: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if given:
        given = {**given, "model": str(path)}
    else:
        monkeypatch.setenv("G4F_LITE_MODEL", str(path))
    monkeypatch.setattr("g4f_lite.cli.effective_settings.free_memory", lambda: None)
    rows = {row.name: row for row in effective_settings(given)}
    assert rows["context"].value == context
    assert (rows["embedded model"].value, rows["embedded model"].source) == (str(path), source)
    memory = "0.2" if context == AT_MOST.format(2048) else "0.4"
    assert rows["its memory"].value == f"about {memory} GB, with this context"


@pytest.mark.parametrize(
    ("variables", "value", "source"),
    [
        ({"G4F_LITE_MODEL": "no-such.gguf"}, r"there is no file .*no-such\.gguf; give", "G4F_LITE_MODEL"),
        ({"G4F_LITE_PROVIDER": "local:no-such.gguf"}, "there is no file", "G4F_LITE_PROVIDER"),
        ({"G4F_LITE_PROVIDER": "ollama", "G4F_LITE_MODEL": "llama3.2"}, "", ""),
        ({"G4F_LITE_BASE_URL": "http://127.0.0.1:9/v1", "G4F_LITE_MODEL": "llama3.2"}, "", ""),
    ],
)
def test_doctor_says_what_is_wrong_with_the_model_and_nothing_of_a_servers(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], value: str, source: str
) -> None:
    for name, setting in variables.items():
        monkeypatch.setenv(name, setting)
    row = next(row for row in effective_settings({}) if row.name == "embedded model")
    assert re.match(value, row.value)
    assert row.source == source or not source
    assert "llama3.2" not in row.value


@pytest.mark.parametrize(
    ("settings", "variable", "asked"),
    [({"context": 16384}, "", "context=16384"), ({}, "1000000", "G4F_LITE_CONTEXT=1000000")],
)
def test_a_context_that_the_model_cannot_have_is_warned_of_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], variable: str, asked: str
) -> None:
    monkeypatch.setenv("G4F_LITE_CONTEXT", variable)
    monkeypatch.setattr(runner, "engine_for", lambda settings, *_: settings)
    local = Local(path, **settings)
    message = f"mine.gguf can have a context of 8192 tokens at most, and gets that instead of {asked}$"
    with pytest.warns(UserWarning, match=message):
        local.runner.engine(str(path), Deadline(Timeout(1)))
    local.runner.engine(str(path), Deadline(Timeout(1)))  # another warning would be an error


def test_the_usual_context_is_not_warned_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(gguf({**SMOLLM2, "llama.context_length": 2048}))
    monkeypatch.setattr(runner, "engine_for", lambda settings, *_: settings)
    assert Local(path).runner.engine(str(path), Deadline(Timeout(1))).context == 2048  # type: ignore[attr-defined]
