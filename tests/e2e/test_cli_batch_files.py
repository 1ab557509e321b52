"""``g4f-lite batch``: no answer that was paid for is lost or paid for twice, and no file is destroyed."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import AuthenticationError, Finish, Prompt
from g4f_lite.cli import batch_output
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Echo

from .command import SECONDS, assert_failed, assert_refused, call, start


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"{number},prompt {number}\n" for number in range(6)), encoding="utf-8")
    return path


@pytest.fixture
def command(table: Path, here: list[str]) -> list[str]:
    return ["batch", str(table), "-o", str(table.with_name("out.csv")), "--prompt", "{text}", "--workers", "1", *here]


def asked(emulator: Emulator) -> list[str]:
    """Give the prompts since this was called last, as they were sent."""
    found = [each.json()["messages"][-1]["content"] for each in emulator.requests if each.step == "prompt"]
    emulator.reset()
    return found


def answers(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["answer"] for row in csv.DictReader(file)]


def numbered(*numbers: int) -> list[str]:
    return [f"prompt {number}" for number in numbers]


def test_the_same_command_pays_for_nothing_twice(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert call(*command, "--head", "2").returncode == 0
    assert asked(emulator) == numbered(0, 1)
    assert call(*command).stdout.startswith(f"6 answered (2 of them from {out}.store), 0 failed; ")
    assert asked(emulator) == numbered(2, 3, 4, 5)
    done = call(*command)
    assert (done.returncode, done.stdout) == (0, f"6 answered (6 of them from {out}.store), 0 failed\n")
    assert asked(emulator) == []
    assert answers(out) == numbered(0, 1, 2, 3, 4, 5)
    assert call(*command, "--fresh").returncode == 0
    assert len(asked(emulator)) == 6


def test_the_first_few_do_not_replace_more_answers(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    assert call(*command).returncode == 0
    asked(emulator)
    out = tmp_path / "out.csv"
    assert_refused(call(*command, "--head", "2"), f"{out} has 6 answers, more than the 2 prompts here")
    assert_refused(call(*command, "--head", "1", "--prompt", "Rate: {text}"), "more than the 1 prompt here")
    assert call(*command, "--head", "2", "-o", str(tmp_path / "few.csv"), "--store", f"{out}.store").returncode == 0
    assert asked(emulator) == []
    assert (len(answers(out)), len(answers(tmp_path / "few.csv"))) == (6, 2)


def test_answers_whose_store_was_removed_are_not_paid_for_again_unasked(
    emulator: Emulator, command: list[str], tmp_path: Path
) -> None:
    assert call(*command).returncode == 0
    store = tmp_path / "out.csv.store"
    store.unlink()
    asked(emulator)
    words = f"has 6 answers, and there are none in {store}, so that all would be asked again; pass --fresh to ask for"
    assert_refused(call(*command), words)
    store.touch()
    assert_refused(call(*command), words)
    assert asked(emulator) == []
    assert call(*command, "--fresh").returncode == 0
    assert len(asked(emulator)) == 6


def test_another_prompt_keeps_the_answers_to_the_old_one(
    emulator: Emulator, command: list[str], tmp_path: Path
) -> None:
    assert call(*command).returncode == 0
    done = call(*command, "--prompt", "Rate: {text}")
    assert done.stderr == (
        f"Note: {tmp_path / 'out.csv.store'} has 6 answers to other questions than these: another prompt, provider, "
        "URL, key, model, type or option makes another question, and 6 prompts will be sent\n"
    )
    assert len(asked(emulator)) == 12
    assert call(*command).returncode == 0
    assert call(*command, "--prompt", "Rate: {text}").returncode == 0
    assert asked(emulator) == []


def test_only_what_failed_can_be_asked_of_another_model(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    failed = str(tmp_path / "failed.csv")
    emulator.fail("status", status=400, times=1)
    done = call(*command, "--failed", failed)
    assert (done.returncode, "to other questions" in done.stderr) == (1, False)
    emulator.reset()
    advice = f"and 6 prompts will be sent; to ask only what failed, and keep the answers there are, give {failed} as IN"
    assert advice in call(*command, "--model", "other", "--failed", failed, "--estimate").stderr
    again = ["batch", failed, "-o", str(tmp_path / "more.csv"), *command[4:], "--model", "other"]
    assert call(*again).returncode == 0
    assert asked(emulator) == ["prompt 0"]


def test_answers_are_not_replaced_by_failures(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    assert call(*command).returncode == 0
    out = tmp_path / "out.csv"
    before = out.read_bytes()
    emulator.fail("status", status=400, times=None)
    done = call(*command, "--model", "other")
    assert done.returncode == 1
    assert f"{out} had 6 answers and was left as it is, and these rows are in {out}.partial" in done.stderr
    assert out.read_bytes() == before
    emulator.reset()
    emulator.fail("status", status=401, times=None)
    done = call(*command, "--fresh")
    assert_failed(done, "the batch stopped after 0 answers: ", f"; {out} is as it was")
    assert "the same command" not in done.stderr  # which would meet the wrong key again
    assert out.read_bytes() == before
    emulator.reset()
    assert call(*command).returncode == 0
    assert asked(emulator) == []
    assert not Path(f"{out}.partial").exists()


def test_an_output_that_is_something_else_is_refused(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("name,age\nAda,36\n", encoding="utf-8")
    assert_refused(call(*command), "out.csv has something else than the answers of a batch; remove it, or name another")
    (tmp_path / "out.csv").write_text("", encoding="utf-8")
    assert call(*command).returncode == 0
    (tmp_path / "mine.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    assert_refused(call(*command, "-o", str(tmp_path / "mine.jsonl")), "mine.jsonl has something else")


def test_no_two_files_are_one(emulator: Emulator, command: list[str], table: Path, tmp_path: Path) -> None:
    (tmp_path / "link.csv").hardlink_to(table)
    if sys.platform != "win32":  # where only an administrator makes such links
        (tmp_path / "link.csv").unlink()
        (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "hard.csv").hardlink_to(table)
    before = table.read_bytes()
    for options, words in (
        (["-o", str(table)], "IN and -o are the same file"),
        (["-o", str(tmp_path / "link.csv")], "IN and -o are the same file"),
        (["-o", str(tmp_path / "hard.csv")], "IN and -o are the same file"),
        (["--failed", str(tmp_path / "out.csv")], "-o and --failed are the same file"),
        (["--store", str(tmp_path / "out.csv")], "-o and --store are the same file"),
        (["--failed", str(tmp_path / "x" / ".." / "out.csv.store")], "--failed and --store are the same file"),
        (["--store", str(tmp_path / "out.csv.partial")], "--store and what is written beside -o are the same file"),
        (["--failed", str(table), "--head", "2"], "--failed would replace"),
        (["--failed", str(table), "--empty", "skip"], "--failed would replace"),
    ):
        assert_refused(call(*command, *options), words)
    assert table.read_bytes() == before
    assert asked(emulator) == []


def test_the_rows_that_failed_take_the_place_of_the_input_at_the_end(
    emulator: Emulator, command: list[str], table: Path
) -> None:
    before = table.read_bytes()
    failed = ["--failed", str(table)]
    emulator.fail("status", nth=3, status=401, times=None)
    assert call(*command, *failed).returncode == 1
    assert table.read_bytes() == before
    emulator.reset()
    emulator.fail("status", nth=2, status=400)
    assert call(*command, *failed).returncode == 1
    assert [line.split(",")[:2] for line in table.read_text(encoding="utf-8").splitlines()] == [
        ["id", "text"],
        ["3", "prompt 3"],
    ]
    again = [*command, *failed, "-o", str(table.with_name("again.csv"))]
    assert call(*again).returncode == 0
    assert table.read_text(encoding="utf-8").split() == ["id,text,call_error"]
    assert call(*again).stderr == f"Note: {table} has no prompts; nothing is sent, and no file is written\n"


@pytest.mark.parametrize(("name", "content"), [("in.csv", "question\none\n"), ("in.jsonl", '{"question": "one"}\n')])
def test_rows_of_one_column_that_failed_can_be_asked_again(
    emulator: Emulator, here: list[str], tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    failed = tmp_path / f"failed.{name}"
    emulator.fail("status", status=400)
    assert call("batch", str(tmp_path / name), "--failed", str(failed), *here).returncode == 1
    again = json.loads(call("batch", str(failed), *here).stdout)
    assert (again["question"], again["answer"]) == ("one", "one")
    assert again["call_error"].startswith("OpenAICompatible, prompt: status 400")
    assert_refused(call("batch", str(failed), "--prompt", "x", *here), "; write {question} in it")


def test_rows_that_are_kept_without_an_answer_are_no_answers(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text\none\n""\n', encoding="utf-8")
    command = ["batch", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--empty", "keep", *here]
    assert call(*command).returncode == 0
    (tmp_path / "in.csv").write_text("text\none\n", encoding="utf-8")
    assert call(*command).stdout.startswith("1 answered (1 of them from ")


def test_lines_that_failed_are_as_they_were(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes(b"if x:    return  1\r\n\tindented\there \x0b\rlast")
    emulator.fail("status", status=400, times=None)
    command = ["batch", str(source), "-o", str(tmp_path / "out.jsonl")]
    for _ in range(2):  # the second time, it reads what it has written
        assert call(*command, "--failed", str(source), *here).returncode == 1
        assert source.read_bytes() == b"if x:    return  1\n\tindented\there \x0b\nlast\n"


@pytest.mark.skipif(sys.platform == "win32", reason="only an administrator makes symbolic links there")
def test_a_link_stays_a_link_and_a_file_keeps_its_mode(command: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real.csv").touch(mode=0o600)
    (tmp_path / "out.csv").symlink_to(folder / "real.csv")
    assert call(*command).returncode == 0
    assert (tmp_path / "out.csv").is_symlink()
    assert len(answers(folder / "real.csv")) == 6
    assert (folder / "real.csv").stat().st_mode & 0o777 == 0o600
    (tmp_path / "null.csv").symlink_to(os.devnull)
    assert call(*command, "-o", str(tmp_path / "null.csv")).returncode == 0
    assert not Path(f"{os.devnull}.partial").exists()


def test_a_table_of_a_spreadsheet_stays_one(here: list[str], tmp_path: Path) -> None:
    source, out, failed = (tmp_path / name for name in ("in.csv", "out.csv", "failed.tsv"))
    for beginning in (codecs.BOM_UTF8, b""):
        source.write_bytes(beginning + "text\nGrüße\n".encode())
        out.unlink(missing_ok=True)
        for _ in range(2):  # the second time, it reads what it has written
            assert call("batch", str(source), "-o", str(out), "--failed", str(failed), *here).returncode == 0
            assert out.read_bytes().startswith(beginning + b"text,answer,")
        assert failed.read_bytes().startswith(beginning + b"text\t")


@pytest.mark.skipif(sys.platform == "win32", reason="only an administrator makes symbolic links there")
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe"])
def test_nothing_is_written_through_what_another_user_puts_beside_a_file(
    command: list[str], tmp_path: Path, kind: str
) -> None:
    precious, partial = tmp_path / "precious", tmp_path / "out.csv.partial"
    precious.write_text("mine", encoding="utf-8")
    if kind == "pipe":
        os.mkfifo(partial)
    else:
        make = partial.symlink_to if kind == "symbolic link" else partial.hardlink_to
        make(precious)
    assert call(*command).returncode == 0
    assert precious.read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "out.csv").is_symlink()
    assert len(answers(tmp_path / "out.csv")) == 6


def test_one_command_at_a_time_writes_a_file(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    with batch_output.OutputFile(tmp_path / "out.csv"):
        assert_failed(call(*command), "another command is writing", "out.csv", code=3)
    assert asked(emulator) == []
    assert_refused(call(*command, "-o", str(tmp_path / "none" / "out.csv")), "there is no folder")
    assert not (tmp_path / "none").exists()


class FullDisk(io.StringIO):
    """A file on a disk that takes three lines, and the header of a table."""

    def flush(self) -> None:
        if self.getvalue().count("\n") > 4:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_with_the_file_and_where_the_answers_are(
    emulator: Emulator, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(path: Path, mode: str) -> Iterator[Any]:
        yield FullDisk()

    with monkeypatch.context() as patch:
        patch.setattr(batch_output, "opened", opened)
        out = tmp_path / "out.csv"
        words = f"cannot write {out}.partial: No space left on device; the answers so far are in {out}.store"
        assert_failed(call(*command), words)
    assert asked(emulator)[:4] == numbered(0, 1, 2, 3)
    assert call(*command).returncode == 0
    # Prompts behind the failed line may have been answered by then, or have been on their way.
    assert asked(emulator) in (numbered(4, 5), numbered(5), [])


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
@pytest.mark.parametrize(
    "signal_number", [pytest.param(signal.SIGINT, marks=pytest.mark.once), signal.SIGTERM, signal.SIGKILL]
)
def test_an_end_at_any_time_loses_no_answer(
    emulator: Emulator, command: list[str], tmp_path: Path, interruptible: None, signal_number: int
) -> None:
    emulator.fail("stall", nth=4, times=None)
    partial = tmp_path / "out.csv.partial"
    with start(*command) as child:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends and not (
            partial.exists()
            and partial.read_bytes().count(b"\n") == 4
            and sum(request.step == "prompt" for request in emulator.requests) == 4
        ):
            time.sleep(0.01)
        child.send_signal(signal_number)
        _, said = child.communicate(timeout=SECONDS)
        assert child.wait() == -signal_number
    if signal_number != signal.SIGKILL:
        assert b"Interrupted after 3 of 6 prompts; the answers so far are in " in said
        assert b"; 1 call in progress will be sent again" in said
    assert not (tmp_path / "out.csv").exists()
    assert answers(partial) == numbered(0, 1, 2)
    emulator.reset()
    assert call(*command).returncode == 0
    assert asked(emulator) == numbered(3, 4, 5)
    assert answers(tmp_path / "out.csv") == numbered(0, 1, 2, 3, 4, 5)


def test_json_lines_are_counted_as_well(emulator: Emulator, command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert call(*command, "-o", str(out)).returncode == 0
    assert_refused(call(*command, "-o", str(out), "--head", "1"), "has 6 answers, more than the 1 prompt here")
    assert [json.loads(line)["answer"] for line in out.read_text().splitlines()] == numbered(0, 1, 2, 3, 4, 5)


def test_an_early_end_prints_what_has_come_before_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_sent = threading.Barrier(3)

    def begin(provider: Echo, prompt: Prompt) -> Iterator[Any]:
        all_sent.wait(SECONDS)
        text = prompt.messages[-1]["content"]
        if text == "one":
            raise AuthenticationError("no such key", status=401)
        yield text
        yield Finish("stop")

    monkeypatch.setattr(Echo, "begin", begin)
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), "-p", "echo", "--workers", "3")
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == ["two", "three"]
    assert "the batch stopped after 2 answers: " in done.stderr


@pytest.mark.parametrize("model", ["/etc/passwd", "weights.gguf", "in.csv"])
@pytest.mark.parametrize("provider", ["local", "echo,local"])
def test_a_row_names_no_file_for_the_embedded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"prompt": "one", "model": None}), json.dumps({"prompt": "two", "model": model})]
    (tmp_path / "in.csv").write_text("id\n1\n", encoding="utf-8")
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = call("batch", "in.jsonl", "-p", provider)
    assert_refused(done, f"prompt 2: the model '{model}' is a file, which only -m can name for the embedded model")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_a_pipe_that_is_not_text_is_not_read_once_more(here: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.txt")

    def write() -> None:
        (tmp_path / "in.txt").write_bytes(b"caf\xe9\n")

    writer = threading.Thread(target=write)
    writer.start()
    done = call("batch", str(tmp_path / "in.txt"), *here)
    writer.join(SECONDS)
    assert_refused(done, "in.txt is not UTF-8 text: invalid continuation byte; save it as UTF-8")
