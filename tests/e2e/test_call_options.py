"""The options of a call on the command line, and what is said on standard error beside an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .command import asked, assert_failed, assert_refused, call


def test_options_reach_the_provider(emulator: Emulator, here: list[str]) -> None:
    options = [
        "--temperature",
        "0.5",
        "--max-tokens",
        "9",
        "--stop",
        "x",
        "--stop",
        "y",
        "-o",
        "top_p=0.9",
        "-o",
        "seed=1",
    ]
    done = call("chat", "hello", *here, *options, "-o", "user=ada")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    body = asked(emulator)
    assert {name: body[name] for name in ("temperature", "max_tokens", "stop", "top_p", "seed", "user")} == {
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["x", "y"],
        "top_p": 0.9,
        "seed": 1,
        "user": "ada",
    }


def test_a_schema(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    file = tmp_path / "a city.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    emulator.answer('{"city": "Paris"}')
    assert call("chat", "Where?", *here, "--schema", str(file)).stdout == '{"city": "Paris"}\n'
    assert asked(emulator)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "a_city", "schema": schema},
    }


def test_an_answer_that_is_not_json(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    file = tmp_path / "any.json"
    file.write_text("{}", encoding="utf-8")
    assert_failed(
        call("chat", "Where?", *here, "--schema", str(file)), "expected an answer in JSON", printed="Where?\n"
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["-o", "top_p"], "KEY=VALUE"),
        (["-o", "=1"], "KEY=VALUE"),
        (["-o", "timeout=1"], "--timeout"),
        (["-o", "tools=[]"], "tools"),
        (["-o", "top_p=1", "-o", "top_p=1"], "twice"),
        (["--temperature", "1", "-o", "temperature=1"], "twice"),
        (["--temperature", "nan"], "temperature"),
        (["--schema", "/no/such/file"], "cannot read"),
        (["--schema", __file__], "is not JSON"),
    ],
)
def test_options_that_are_not_valid(here: list[str], options: list[str], word: str) -> None:
    assert_refused(call("chat", "hello", *here, *options), word)


def test_an_answer_that_is_cut_says_so(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["half an ans", {"finish_reason": "length"}])
    done = call("chat", "hello", *here)
    assert (done.returncode, done.stdout) == (0, "half an ans\n")
    assert "cut" in done.stderr


def test_names_of_providers_are_completed() -> None:
    words = {"COMP_WORDS": "g4f-lite chat --provider oll", "COMP_CWORD": "3", "_G4F_LITE_COMPLETE": "bash_complete"}
    assert call(**words).stdout == "plain,ollama\n"


def test_a_server_that_does_not_run() -> None:
    done = call("chat", "hello", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert_failed(done, "is the server running? `g4f-lite doctor`, with the same --provider or --base-url, tests it\n")


def test_a_provider_that_did_not_work() -> None:
    done = call("chat", "hello", "--provider", "AiChatOnline")
    assert done.stderr.startswith("Note: AiChatOnline did not work when it was last tested")
    assert "doctor AiChatOnline" in done.stderr
