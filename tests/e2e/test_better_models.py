"""The command where a model is not there, or is named as other places name it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import g4f_lite
from g4f_lite import AiEngine, G4FLiteError, OpenAICompatible, ResponseFormatError, TransportError
from g4f_lite.cli.diagnosis import diagnose
from g4f_lite.emulator import Emulator

from .command import assert_refused, call


def test_a_path_without_its_ending_comes_with_it(tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    done = call("chat", "Hello", "-m", str(tmp_path / "mine"))
    assert_refused(done, f"Local: there is no file {tmp_path / 'mine'}; did you mean {tmp_path / 'mine'}.gguf?\n")


@pytest.mark.parametrize("listed", [[], ["a"]])
def test_models_of_a_program_that_has_none(listed: list[str], emulator: Emulator) -> None:
    emulator.configure(models=listed)
    done = call("models", "-p", "ollama", "--base-url", f"{emulator.url}/v1")
    told = "" if listed else "Ollama has no model yet: get one with `ollama pull llama3.2`.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "".join(f"{name}\n" for name in listed), told)


@pytest.mark.parametrize(
    ("names", "options", "verdict", "remedy"),
    [
        ([], ["-p", "ollama"], "it has no model", "get one with `ollama pull llama3.2`"),
        (
            ["toy"],
            ["-p", "ollama", "-m", "x"],
            "it has no such model",
            "name another model; `g4f-lite models --base-url",
        ),
    ],
)
def test_a_model_that_is_not_there(
    names: list[str], options: list[str], verdict: str, remedy: str, emulator: Emulator
) -> None:
    emulator.configure(models=names, refuse_unknown_models=True)
    done = call("doctor", *options, "--base-url", f"{emulator.url}/v1")
    assert f"Ollama at {emulator.url}/v1 (named): {verdict}\n" in done.stdout
    assert f"To do: {remedy}" in done.stdout


def test_the_command_that_downloads_the_model_is_whole() -> None:
    assert "To do: run `g4f-lite local pull qwen3-0.6b`.\n" in call("doctor", G4F_LITE_MODEL="qwen3-0.6b").stdout


def test_the_address_of_another_server_is_not_openais(monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = TransportError("could not find api.openai.com", cause="dns")
    openai = OpenAICompatible.preset("openai")
    assert "check the URL" in diagnose(unreachable, openai)[1]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert diagnose(unreachable, openai)[1].startswith("OPENAI_BASE_URL does not change its URL; ")
    assert "check the URL" in diagnose(unreachable, OpenAICompatible.preset("groq"))[1]


def test_the_end_of_an_address_is_that_of_an_openai_compatible_server() -> None:
    page = ResponseFormatError("expected JSON, got a web page")
    assert diagnose(page, OpenAICompatible("http://server.example"))[1].endswith("usually ends in /v1")
    assert diagnose(page, AiEngine("http://server.example"))[1] == "check the URL"


def test_a_file_is_not_for_a_server(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    done = call("chat", "Hello", "-m", str(file), G4F_LITE_PROVIDER="groq", G4F_LITE_OFFLINE="")
    note, error = done.stderr.splitlines()
    assert note == f"Note: {file} is a file on this machine, which Groq cannot read; write -p local:{file}"
    assert error.startswith("Error: Groq: no key")
    assert "Note" not in call("chat", "Hello", "-m", str(file)).stderr


@pytest.mark.parametrize(
    ("options", "variables", "row"),
    [
        (["ollama:mistral"], {}, "mistral  (command line)"),
        (["ollama"], {}, "the provider's own  (default)"),
        ([], {"G4F_LITE_PROVIDER": "ollama:mistral,groq"}, "mistral  (G4F_LITE_PROVIDER)"),
    ],
)
def test_doctor_shows_the_model_in_the_name_of_a_provider(
    options: list[str], variables: dict[str, str], row: str
) -> None:
    settings = call("doctor", *options, **variables).stdout.partition("\n\n")[0]
    assert re.search(rf"(?m)^  model +{re.escape(row)}$", settings)


def test_the_name_of_a_provider_is_no_url_and_is_led_to_its_place() -> None:
    told = " must be a URL such as http://localhost:8080/v1, not 'ollama'; the name of a provider is for"
    with pytest.raises(ValueError, match=r"OpenAICompatible\.preset\(…\)$") as caught:
        OpenAICompatible("ollama")
    assert str(caught.value).startswith(f"base_url{told}")
    assert call("chat", "Hello", "--base-url", "ollama").stderr == f"Error: --base-url{told} --provider\n"
    done = call("chat", "Hello", G4F_LITE_BASE_URL="ollama")
    assert done.stderr == f"Error: G4F_LITE_BASE_URL{told} G4F_LITE_PROVIDER\n"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("localhost:11434/v1", "; did you mean http://localhost:11434/v1?"),
        ("http:/localhost:11434/v1", "; did you mean http://localhost:11434/v1?"),
        ("api.groq.com/openai/v1", "; did you mean https://api.groq.com/openai/v1?"),
        (
            "localhost:11434",
            "; did you mean http://localhost:11434/v1, as most servers have it, or http://localhost:11434?",
        ),
        ("ftp://x.example/v1", ""),
    ],
)
def test_a_url_without_its_beginning_is_shown_with_it(url: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f" must be a URL such as http://localhost:8080/v1, not {url!r}{meant}"
    assert call("chat", "Hello", "--base-url", url).stderr == f"Error: --base-url{told}\n"
    if url.startswith("localhost:"):
        assert call("chat", "Hello", "-p", url).stderr == f"Error: the address of a server{told}\n"
    monkeypatch.setenv("G4F_LITE_BASE_URL", url)
    with pytest.raises(G4FLiteError) as caught:
        g4f_lite.ask("hi")
    assert str(caught.value) == f"G4F_LITE_BASE_URL{told}"
    assert call("chat", "Hello").stderr == f"Error: G4F_LITE_BASE_URL{told}\n"
