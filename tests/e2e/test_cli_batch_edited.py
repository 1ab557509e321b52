"""``g4f-lite batch``: an output that its user has edited is not overwritten."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import Finish, Prompt
from g4f_lite.cli.written_file import WrittenFile
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Echo

from .command import assert_failed, assert_refused, call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which the commands run, with three prompts."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def command(folder: Path, here: list[str]) -> list[str]:
    return ["batch", "in.txt", "-o", "out.csv", *here]


def edit(path: Path) -> str:
    """Correct an answer, and return what the file has now."""
    edited = path.read_text(encoding="utf-8").replace("two,two", "two,deux")
    assert "deux" in edited
    path.write_text(edited, encoding="utf-8")
    return edited


def sent(emulator: Emulator) -> int:
    return sum(request.step == "prompt" for request in emulator.requests)


@pytest.mark.parametrize("option", [[], ["--fresh"], ["--head", "2"]])
def test_an_edited_output_is_refused_before_anything_is_sent(
    emulator: Emulator, command: list[str], folder: Path, option: list[str]
) -> None:
    emulator.fail("status", status=400, nth=3)
    assert call(*command, "--workers", "1").returncode == 1
    edited, before = edit(folder / "out.csv"), sent(emulator)
    assert_refused(
        call(*command, *option),
        "Error: out.csv was changed after it was written, and would be replaced: name another file with -o and "
        "--store out.csv.store, so that no answer is paid for again, or move it away\n",
    )
    assert (sent(emulator), (folder / "out.csv").read_text(encoding="utf-8")) == (before, edited)
    assert call(*command, "--estimate").stdout.startswith("1 prompt to send, 2 answers stored")
    assert call(*command, "-o", "other.csv", "--store", "out.csv.store").returncode == 0
    assert sent(emulator) == before + 1
    (folder / "out.csv").rename("mine.csv")
    assert call(*command).returncode == 0
    assert sent(emulator) == before + 1


def test_a_file_as_it_was_written_is_replaced(command: list[str], folder: Path) -> None:
    assert call(*command, "--head", "2").returncode == 0
    shutil.copyfile("out.csv", "copy.csv")
    edit(folder / "out.csv")
    os.replace("copy.csv", "out.csv")
    os.utime("out.csv", (0, 0))
    for _ in range(2):
        assert call(*command).returncode == 0
    assert call(*command, "--fresh").returncode == 0
    assert edit(folder / "out.csv").count("\n") == 4


def test_a_file_that_was_moved_with_its_store_is_known(
    command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*command).returncode == 0
    monkeypatch.chdir(folder.parent)  # Windows moves no folder that a program is in
    monkeypatch.chdir(moved := folder.rename(folder.with_name("there")))
    edit(moved / "out.csv")
    assert_refused(call(*command), "out.csv was changed after it was written")


def test_a_file_of_which_nothing_is_known_is_replaced(command: list[str], folder: Path) -> None:
    assert call(*command).returncode == 0
    with closing(sqlite3.connect("out.csv.store", isolation_level=None)) as store:
        assert store.execute("DELETE FROM facts WHERE name LIKE 'written %'").rowcount == 1
    edit(folder / "out.csv")
    assert call(*command).returncode == 0
    assert "deux" not in (folder / "out.csv").read_text(encoding="utf-8")


def test_outputs_of_one_store_are_told_apart(command: list[str], folder: Path) -> None:
    several = [[*command, "--store", "store.db", "-o", name] for name in ("a.csv", "b.csv")]
    for one in several * 2:
        assert call(*one).returncode == 0
    edit(folder / "b.csv")
    assert call(*several[0]).returncode == 0
    assert_refused(call(*several[1]), "b.csv was changed after it was written")


def test_a_file_that_could_not_be_replaced_is_still_known(
    command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*command, "--head", "1").returncode == 0
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refused)
        for number in ("2", "3"):
            assert_failed(call(*command, "--head", number), "cannot replace out.csv by out.csv.partial: in use")
    assert call(*command).returncode == 0
    edit(folder / "out.csv")
    assert_refused(call(*command), "out.csv was changed after it was written")


def refused(*_: Any) -> None:
    raise PermissionError(13, "in use")


def test_an_output_that_is_edited_while_the_command_runs_is_left_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits: list[str] = []

    def begin(provider: Echo, prompt: Prompt) -> Iterator[Any]:
        if prompt.messages[-1]["content"] == "three":
            edits.append(edit(folder / "out.csv"))
        yield prompt.messages[-1]["content"]
        yield Finish("stop")

    monkeypatch.setattr(Echo, "begin", begin)
    command = ["batch", "in.txt", "-o", "out.csv", "-p", "echo"]
    assert call(*command, "--head", "2").returncode == 0
    assert_failed(
        call(*command),
        "Error: out.csv was changed meanwhile, and not replaced; move it away; the answers so far are in "
        "out.csv.store, their rows in out.csv.partial, and the same command goes on; out.csv is as it was\n",
    )
    assert [(folder / "out.csv").read_text(encoding="utf-8")] == edits
    assert (folder / "out.csv.partial").read_text(encoding="utf-8").count("\n") == 4


def test_an_edited_output_of_a_hosted_batch_is_refused(emulator: Emulator, command: list[str], folder: Path) -> None:
    emulator.configure(batch_polls=0)
    hosted = [*command, "--hosted", "run.json", "--poll", "0.01"]
    for _ in range(2):
        assert call(*hosted).returncode == 0
    edited = edit(folder / "out.csv")
    words = "Error: out.csv was changed after it was written, and would be replaced: name another file with -o, or move"
    assert_refused(call(*hosted), words)
    assert (folder / "out.csv").read_text(encoding="utf-8") == edited


def test_a_name_that_is_not_text_is_one(tmp_path: Path) -> None:
    (new := tmp_path / "new").touch()
    WrittenFile(tmp_path / "out\udcff.csv", tmp_path / "store").note(new)
