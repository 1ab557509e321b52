"""``g4f-lite doctor``: which settings are in effect, and which that are set are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from g4f_lite import Fallback
from g4f_lite.cli.commands import doctor
from g4f_lite.cli.commands.doctor import Target
from g4f_lite.cli.effective_settings import effective_settings
from g4f_lite.cli.embedded_model import named_model
from g4f_lite.emulator import Emulator
from g4f_lite.providers.selection import choose_provider

from .command import asked, assert_refused, call

ELSEWHERE = "http://127.0.0.1:9/v1"
KEY = "sk-proj-canary4567890canary4567890"
URL = "http://alice:canary@127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("given", "provider", "shown"),
    [
        ({}, "", (ELSEWHERE, "G4F_LITE_BASE_URL")),
        ({}, "echo", (f"{ELSEWHERE} (not used: G4F_LITE_PROVIDER goes first)", "G4F_LITE_BASE_URL")),
        ({"provider": "echo"}, "", (f"{ELSEWHERE} (not used: the named provider goes first)", "G4F_LITE_BASE_URL")),
        ({"provider": "vllm", "base_url": "http://gpu.test/v1"}, "", ("http://gpu.test/v1", "command line")),
    ],
)
def test_a_url_that_is_not_used_is_shown_as_such(
    given: dict[str, str], provider: str, shown: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_BASE_URL", ELSEWHERE)
    monkeypatch.setenv("G4F_LITE_PROVIDER", provider)
    (row,) = [row for row in effective_settings(given) if row.name == "base_url"]
    assert (row.value, row.source) == shown


@pytest.mark.parametrize(
    ("given", "variable", "note"),
    [
        ({}, "", " (chooses no server; set G4F_LITE_BASE_URL)"),
        ({}, "G4F_LITE_BASE_URL", ""),
        ({}, "G4F_LITE_PROVIDER", ""),
        ({"provider": "OpenAICompatible", "base_url": ELSEWHERE}, "", ""),
    ],
)
def test_the_variable_of_openais_client_is_told_to_choose_no_server(
    given: dict[str, str], variable: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("G4F_LITE_PROVIDER", "G4F_LITE_BASE_URL"):
        monkeypatch.setenv(name, ELSEWHERE if name == variable else "")
    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE)
    (row,) = [row for row in effective_settings(given) if row.name == "OPENAI_BASE_URL"]
    assert (row.value, row.source) == (f"{ELSEWHERE}{note}", "OPENAI_BASE_URL")


def test_the_host_of_ollama_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://ada:secret@gpu.test:11500")
    (row,) = [row for row in effective_settings({}) if row.name == "OLLAMA_HOST"]
    assert row.source == "environment"
    assert "gpu.test:11500" in row.value
    assert "secret" not in row.value


@pytest.mark.parametrize(
    ("providers", "model", "models", "embedded"),
    [
        (f"{ELSEWHERE},local", "llama3", ["llama3", "smollm2"], ("smollm2", "")),
        (f"{ELSEWHERE}:qwen3,local:qwen3-0.6b", "llama3", ["qwen3", "qwen3-0.6b"], ("qwen3-0.6b", "G4F_LITE_PROVIDER")),
        (f"local,{ELSEWHERE}", "qwen3-0.6b", ["qwen3-0.6b", "qwen3-0.6b"], ("qwen3-0.6b", "G4F_LITE_MODEL")),
    ],
)
def test_members_of_a_chain_are_tested_with_the_models_that_a_call_asks(
    providers: str, model: str, models: list[str], embedded: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G4F_LITE_PROVIDER", providers)
    monkeypatch.setenv("G4F_LITE_MODEL", model)
    chosen = [target for target in doctor.targets((), None, None) if target.counts]
    assert [doctor.make_target(target, {}, {}).get_model() for target in chosen] == models
    chain = choose_provider()
    assert isinstance(chain, Fallback)
    assert [member.get_model() for member in chain.providers] == models
    assert named_model({}) == embedded


def test_the_model_of_the_call_is_tested_and_not_that_behind_a_name(emulator: Emulator) -> None:
    done = call("doctor", f"{emulator.url}/v1:mine", "local", "-m", "toy")
    assert asked(emulator)["model"] == "toy"
    assert "  model            toy  (command line)\n" in done.stdout
    assert "or let this one use its own, and write the model with the provider that has it, as in -p" in done.stdout


@pytest.mark.parametrize(("source", "is_told"), [("the default", True), ("G4F_LITE_PROVIDER", False)])
def test_a_server_that_works_here_can_become_the_default(
    source: str, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, found = Target("Scripted", source), Target("Echo", "on this machine, if running", counts=False)
    monkeypatch.setattr(doctor, "targets", lambda *_: [chosen, found])
    lines = call("doctor").stdout.splitlines()
    assert f"Scripted ({source}): it works" in lines
    more = "; G4F_LITE_PROVIDER=Echo makes it the default" if is_told else ""
    assert f"Echo (on this machine, if running): it works{more}" in lines


def test_a_provider_that_takes_long_is_told_with_the_time_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []

    @contextmanager
    def line_if_late(line: str) -> Iterator[None]:
        lines.append(line)
        yield

    monkeypatch.setattr(doctor, "line_if_late", line_if_late)
    assert call("doctor", "echo", "--timeout", "5").returncode == 0
    assert lines == ["testing echo, at most 5 s for each step …"]


def test_the_url_and_the_key_of_several_are_those_of_the_server_of_ones_own(emulator: Emulator, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-secret", encoding="utf-8")
    emulator.configure(api_key="sk-secret")
    own = ["--base-url", f"{emulator.url}/v1", "--api-key-file", str(key)]
    done = call("doctor", "echo", "openaicompatible", *own)
    assert (done.returncode, "sk-secret" in done.stdout) == (0, False)
    assert f"OpenAICompatible at {emulator.url}/v1 (named): it works\n" in done.stdout
    assert_refused(
        call("doctor", "echo", "groq", *own), "--base-url needs a single provider, or of several one that is"
    )


@pytest.mark.parametrize("name", [KEY, URL, f"{URL}:model", f"echo,{URL}", f"echo,{KEY}"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_secret_in_the_place_of_a_name_is_hidden(name: str, options: list[str]) -> None:
    for done in (call("doctor", *options, name), call("doctor", *options, G4F_LITE_PROVIDER=name)):
        assert done.returncode == 1
        assert "***" in done.stdout
        assert "canary" not in done.stdout + done.stderr


def test_a_key_in_the_place_of_a_host_is_hidden() -> None:
    done = call("doctor", "ollama", OLLAMA_HOST=KEY)
    assert "Ollama at http://***:11434/v1" in done.stdout
    assert "canary" not in done.stdout + done.stderr
