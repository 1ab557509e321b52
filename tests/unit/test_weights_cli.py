"""``g4f-lite local``, with a hub on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("click", reason="the extra `cli` is not installed")

from click.testing import CliRunner, Result

from g4f_lite import Local, ProviderNotConfiguredError
from g4f_lite.cli.app import app
from g4f_lite.cli.commands import local
from g4f_lite.testing import Scripted

from .fake_hub import COMMIT, REPOSITORY, FakeHub
from .weights_fixtures import MODEL, NAME, Q4, give_cache, note_waits, serve_hub  # noqa: F401  fixtures


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["local", *arguments])


def test_a_model_is_fetched_listed_and_removed(hub: FakeHub, cache: Path) -> None:
    pulled = call("pull", NAME)
    path = Path(pulled.stdout.strip())
    assert pulled.exit_code == 0
    assert path.read_bytes() == MODEL
    rows = {row.split()[0]: row.split() for row in call("list").stdout.splitlines()}
    assert rows["NAME"] == ["NAME", "SIZE", "CONTEXT", "MEMORY", "LICENCE", "WHERE"]
    assert rows["smollm2"] == ["smollm2", "98", "MB", "8,192", "0.5", "GB", "Apache-2.0", "not", "here"]
    assert rows[f"hf:{REPOSITORY}/{Q4}@{COMMIT}"] == [
        f"hf:{REPOSITORY}/{Q4}@{COMMIT}",
        "1",
        "MB",
        "unknown",
        "0.4",
        "GB",
        "apache-2.0",
        str(path),
    ]
    assert call("rm", NAME).stdout == f"{path}\n"
    assert not path.exists()


def test_the_list_goes_on_with_the_model_that_the_environment_names(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "names the model in use" not in call("list").output
    file = tmp_path / "mine.gguf"
    file.write_bytes(MODEL)
    monkeypatch.setenv("G4F_LITE_MODEL", str(file))
    assert call("list").output.endswith(f"Note: G4F_LITE_MODEL names the model in use: {file}\n")
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama")  # whose model it is then
    assert "names the model in use" not in call("list").output


def test_the_memory_is_that_of_the_context_in_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(name: str) -> list[str]:
        return next(row.split()[3:6] for row in call("list").stdout.splitlines() if row.startswith(f"{name} "))

    assert row("smollm2-1.7b") == ["8,192", "1.9", "GB"]
    monkeypatch.setenv("G4F_LITE_CONTEXT", "1024")
    assert row("smollm2-1.7b") == ["8,192", "1.5", "GB"]
    monkeypatch.setenv("G4F_LITE_CONTEXT", "100000")
    assert row("smollm2-1.7b") == ["8,192", "2.7", "GB"]
    monkeypatch.setenv("G4F_LITE_CONTEXT", "many")
    assert call("list").exit_code == 2


@pytest.mark.parametrize(("licence", "what"), [("llama3", "is llama3"), ("", "does not name a licence")])
def test_a_licence_that_is_not_a_plain_one_has_to_be_accepted(hub: FakeHub, licence: str, what: str) -> None:
    hub.licence = licence
    refused = call("pull", NAME)
    assert refused.exit_code == 1
    assert what in str(refused.exception)
    assert hub.delivered == []
    assert call("pull", NAME, "--yes").exit_code == 0
    assert call("pull", NAME).exit_code == 0


@pytest.mark.parametrize("command", ["pull", "rm"])
def test_a_file_that_is_here_needs_neither(command: str, tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    path.write_bytes(MODEL)
    done = call(command, str(path))
    assert done.exit_code == 2
    advice = "is a file of your own, and is used where it is: name it as the model, with -m or Local(…)"
    assert done.output == f"Error: Local: {path} {advice}\n"
    assert path.exists()


@pytest.mark.parametrize("arguments", [["pull", "gpt-5"], ["rm", "gpt-5"], ["rm", "qwen3-0.6b"]])
def test_what_cannot_be_is_told(arguments: list[str]) -> None:
    assert call(*arguments).exit_code != 0


def test_a_better_model_is_told_of_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir(parents=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for _ in range(2):
        local.suggest_better_models(Scripted())
        local.suggest_better_models(Local())
    assert capsys.readouterr().err.count("`g4f-lite local pull qwen3-0.6b`") == 1


def test_a_download_before_the_answer_is_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("g4f_lite.providers.local.runner.check_installed", lambda: None)
    monkeypatch.delenv("G4F_LITE_OFFLINE", raising=False)
    local.note_download(Local(download="smollm2"), None)
    noted = "Note: the weights of smollm2 (98 MB) are downloaded before the first answer, and kept\n"
    assert capsys.readouterr().err == noted
    local.note_download(Scripted(["Hello"]), None)
    assert capsys.readouterr().err == ""
    with pytest.raises(ProviderNotConfiguredError, match="only those of smollm2 are fetched without being asked for"):
        local.note_download(Local(download="smollm2"), "qwen3-0.6b")
