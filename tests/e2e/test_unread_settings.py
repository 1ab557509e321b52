"""What the command says of settings that it does not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from g4f_lite.providers import selection
from g4f_lite.testing import Echo

from .command import call

OPENAI = "https://api.openai.com/v1"
ELSEWHERE = "http://127.0.0.1:9/v1"
EMBEDDED = "Note: no provider is named, and the embedded model answers; "
OF_OPENAI = f"{EMBEDDED}-p {ELSEWHERE} uses OPENAI_BASE_URL\n"
OF_GROQ = f"{EMBEDDED}-p groq uses GROQ_API_KEY\n"
OF_TWO = f"{EMBEDDED}-p openai uses OPENAI_API_KEY, -p xai uses XAI_API_KEY\n"
OF_SERVER = (
    "Note: G4F_LITE_BASE_URL is not used, as G4F_LITE_PROVIDER is vllm,local; openaicompatible there is its server\n"
)
OF_VARIABLE = "Note: G4F_LITE_MODEL is not used, as G4F_LITE_PROVIDER is vllm:small\n"
OF_OPTION = "Note: the model small of --provider is not used, as --model is big\n"
OF_FILE = "Note: the file .env is not read; set G4F_LITE_PROVIDER, G4F_LITE_MODEL in the environment\n"
OF_MODEL = "Note: the file .env is not read; set G4F_LITE_MODEL in the environment\n"
LINES = "# G4F_LITE_TIMEOUT=5\nG4F_LITE_PROVIDER=ollama\n export G4F_LITE_MODEL = 'llama3.2'\nOTHER=G4F_LITE_PROXY=x\n"


@pytest.mark.parametrize(
    ("options", "environment", "text", "notes"),
    [
        ([], {}, None, ""),
        ([], {"OPENAI_BASE_URL": ELSEWHERE}, None, OF_OPENAI),
        ([], {}, LINES, OF_FILE),
        ([], {}, "OTHER=1\n", ""),
        ([], {"OPENAI_BASE_URL": ELSEWHERE}, LINES, OF_OPENAI + OF_FILE),
        ([], {"OPENAI_BASE_URL": ELSEWHERE, "G4F_LITE_PROVIDER": "echo"}, LINES, OF_MODEL),
        ([], {"G4F_LITE_PROVIDER": "echo", "G4F_LITE_MODEL": "x"}, LINES, ""),
        ([], {"G4F_LITE_BASE_URL": ELSEWHERE}, None, ""),
        ([], {"G4F_LITE_BASE_URL": ELSEWHERE, "G4F_LITE_PROVIDER": "vllm,local"}, None, OF_SERVER),
        ([], {"G4F_LITE_BASE_URL": ELSEWHERE, "G4F_LITE_PROVIDER": "openaicompatible:big,local"}, None, ""),
        ([], {"G4F_LITE_BASE_URL": ELSEWHERE, "G4F_LITE_PROVIDER": f"echo,{ELSEWHERE}"}, None, ""),
        (["-p", "echo"], {"G4F_LITE_BASE_URL": ELSEWHERE, "G4F_LITE_PROVIDER": "vllm"}, None, ""),
        ([], {"G4F_LITE_MODEL": "big", "G4F_LITE_PROVIDER": "vllm:small"}, None, OF_VARIABLE),
        ([], {"G4F_LITE_MODEL": "small", "G4F_LITE_PROVIDER": "vllm:small"}, None, ""),
        ([], {"G4F_LITE_MODEL": "big", "G4F_LITE_PROVIDER": "vllm:small,local"}, None, ""),
        ([], {"G4F_LITE_MODEL": "big", "G4F_LITE_PROVIDER": ELSEWHERE}, None, ""),
        (["-p", "echo:small", "-m", "big"], {}, None, OF_OPTION),
        (["-p", "echo:big", "-m", "big"], {}, None, ""),
        (["-p", "echo", "-m", "big"], {}, None, ""),
        (["-p", "echo"], {"OPENAI_BASE_URL": ELSEWHERE}, LINES, ""),
        ([], {"GROQ_API_KEY": "gsk-1"}, None, OF_GROQ),
        ([], {"XAI_API_KEY": "x-1", "OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": ""}, None, OF_TWO),
        ([], {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": ELSEWHERE}, None, OF_OPENAI),
        ([], {"OPENAI_BASE_URL": OPENAI}, None, f"{EMBEDDED}-p openai uses OPENAI_BASE_URL\n"),
        ([], {"OPENAI_BASE_URL": f"{OPENAI}?key=sk-1"}, None, f"{EMBEDDED}-p openai uses OPENAI_BASE_URL\n"),
        ([], {"OPENAI_BASE_URL": ELSEWHERE, "G4F_LITE_MODEL": "model.gguf"}, None, ""),
        ([], {"GROQ_API_KEY": "gsk-1", "G4F_LITE_PROVIDER": "local"}, None, ""),
        ([], {"GROQ_API_KEY": "gsk-1", "G4F_LITE_MODEL": "model.gguf"}, None, ""),
        (["-p", "echo"], {"GROQ_API_KEY": "gsk-1"}, None, ""),
        (["--quiet"], {"GROQ_API_KEY": "gsk-1"}, None, ""),
    ],
)
def test_settings_that_choose_no_provider_are_noted(
    options: list[str],
    environment: dict[str, str],
    text: str | None,
    notes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(".env").write_text(text)
    monkeypatch.setattr(selection, "replacement", Echo())
    done = call("chat", "Hello", *options, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello\n", notes)


def test_doctor_shows_the_settings_in_a_file_that_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(LINES)
    shown = call("doctor", "echo", G4F_LITE_PROVIDER="echo").stdout
    assert "  G4F_LITE_MODEL  (.env, which is not read)\n" in shown


@pytest.mark.parametrize(("named", "told"), [(ELSEWHERE, True), ("https://api.openai.com/v1", False), ("", False)])
def test_an_error_of_openai_tells_that_another_server_was_named(named: str, told: bool) -> None:
    done = call("chat", "Hello", "-p", "openai", G4F_LITE_OFFLINE="0", OPENAI_BASE_URL=named)
    assert done.stderr.startswith("Error: OpenAI: no key: ")
    assert done.stderr.endswith("; OPENAI_BASE_URL does not change this URL: pass that as --base-url\n") == told
