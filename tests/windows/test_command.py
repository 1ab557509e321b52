"""The command on Windows: line ends, code pages, paths.  On other systems tests/e2e has all of it, and more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

pytestmark = pytest.mark.skipif(os.name != "nt", reason="tests/e2e is for this system")

SECONDS = 60.0


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setenv("G4F_LITE_MODEL", "echo")
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    with Emulator() as running:
        monkeypatch.setenv("G4F_LITE_BASE_URL", f"{running.url}/v1")
        yield running


def run(*arguments: str, program: tuple[str, ...] = ("-m", "g4f_lite"), stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    given = {"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        [sys.executable, *program, *arguments], **given, capture_output=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_help() -> None:
    code, said, complained = run("--help")
    assert (code, complained) == (0, b"")
    assert b"chat" in said


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "Grüße – Ада"), ("cp1252", "Grüße – ???"), ("ascii", "Gr??e ? ???")]
)
def test_an_answer_in_a_pipe(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    emulator.answer("Grüße – Ада")
    assert run("chat", "Как дела?") == (0, f"{shown}{os.linesep}".encode(encoding), b"")
    assert emulator.requests[-1].json()["messages"][-1]["content"] == "Как дела?"


def test_an_answer_in_a_file(emulator: Emulator, tmp_path: Path) -> None:
    emulator.answer("Blue.")
    with (tmp_path / "answer.txt").open("wb") as file:
        subprocess.run([sys.executable, "-m", "g4f_lite", "chat", "Why?"], stdout=file, timeout=SECONDS, check=True)
    assert (tmp_path / "answer.txt").read_text() == "Blue.\n"


def test_a_failure_is_one_line(emulator: Emulator) -> None:
    emulator.fail("reset", times=None)
    code, said, complained = run("chat", "Why?")
    assert (code, said) == (3, b"")
    assert complained.startswith(b"Error: ")
    assert complained.count(b"\n") == 1


def test_a_conversation_in_a_path_with_blanks_and_another_script(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    folder = tmp_path / "Мои беседы"
    folder.mkdir()
    file = folder / "чат 1.json"
    for option, prompt in (("--save", "Как дела?"), ("--continue", "А у вас?")):
        assert run("chat", prompt, option, str(file))[0] == 0
    said = [message["content"] for message in json.loads(file.read_text(encoding="utf-8"))]
    assert said == ["Как дела?", "Как дела?", "А у вас?", "А у вас?"]


def test_without_standard_streams(emulator: Emulator) -> None:
    as_pythonw = "import sys; sys.stdin = sys.stdout = sys.stderr = None; from g4f_lite.cli import main; main()"
    assert run("providers", program=("-c", as_pythonw)) == (0, b"", b"")
    assert run("chat", "Why?", program=("-c", as_pythonw)) == (1, b"", b"")  # its answer would be lost
    assert run("chatt", program=("-c", as_pythonw)) == (2, b"", b"")
    assert emulator.requests == []
