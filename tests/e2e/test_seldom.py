"""What seldom happens on the command line: settings that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import assert_refused, call


def test_a_file_with_a_key_is_for_one_provider(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-secret")
    done = call("doctor", "--api-key-file", str(key), "echo", "scripted")
    assert done.returncode == 2
    assert "--api-key-file needs a single provider" in done.stderr


@pytest.mark.parametrize(
    ("key", "note"),
    [("sk 1", "contains a space"), ("sk-canary-1", "11 characters; not used, because G4F_LITE_BASE_URL is not set")],
)
def test_what_is_wrong_with_a_key_is_said_beside_it(key: str, note: str) -> None:
    done = call("doctor", "echo", G4F_LITE_API_KEY=key)
    line = next(line for line in done.stdout.splitlines() if "G4F_LITE_API_KEY" in line)
    assert note in line
    assert key not in done.stdout


@pytest.mark.parametrize(
    ("setting", "words"),
    [("rate_limit:date=perhaps", "true or false"), ("drip:part=tail", "headers"), ("stall:seconds=soon", "a number")],
)
def test_a_value_that_a_fault_cannot_have_is_refused(setting: str, words: str) -> None:
    assert_refused(call("demo", "--fail", setting), words)


def test_values_of_each_kind_are_understood() -> None:
    faults = ["--fail", "rate_limit:date=true,retry_after=0", "--fail", "stall:after=headers,seconds=0.001"]
    done = call("demo", "--backend", "echo", *faults)
    assert done.returncode == 0, done.stderr
    assert "fault rate_limit" in done.stdout
    assert "fault stall" in done.stdout
