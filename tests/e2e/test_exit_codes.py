"""The exit codes 1 and 3: what stays wrong, and what may pass by itself; the errors in JSON; and a full disk."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from g4f_lite import RateLimitError
from g4f_lite.cli.failure import fields_of
from g4f_lite.emulator import Emulator

from .command import COMMAND, ENVIRONMENT, SECONDS, assert_failed, assert_refused, call, run

CLOSED = "Error: cannot write to standard output: it is closed\n"
NOWHERE = ["--base-url", "http://127.0.0.1:9/v1", "-m", "echo"]


@pytest.mark.parametrize("command", [["chat", "Hi"], ["models"], ["image", "A cat", "-o", "no-such-image.png"]])
def test_a_server_that_is_not_running_may_run_later(command: list[str]) -> None:
    where = NOWHERE[:2] if command == ["models"] else NOWHERE
    assert_failed(call(*command, *where), "could not connect", code=3)
    assert not Path("no-such-image.png").exists()


def test_an_error_is_an_object_in_json(emulator: Emulator, here: list[str]) -> None:
    emulator.answer(["one", " two"])
    emulator.fail("cut", after=1)
    done = call("chat", "Count", "--json", *here)
    error = json.loads(done.stdout)["error"]
    assert_failed(done, error["message"], printed=done.stdout, code=3)
    assert (error["type"], error["step"], error["partial"]) == ("StreamInterruptedError", "stream", "one")
    assert (error["status"], error["retry_after"], "errors" in error) == (None, None, False)


def test_a_wait_without_end_is_none_in_json() -> None:
    fields = fields_of(RateLimitError("busy", retry_after=math.inf))
    assert json.loads(json.dumps(fields, allow_nan=False))["retry_after"] is None


def test_an_error_in_json_has_what_the_service_says(emulator: Emulator, here: list[str]) -> None:
    emulator.fail("quota", times=None)
    error = json.loads(call("chat", "Hi", "--json", *here).stdout)["error"]
    assert (error["type"], error["status"], error["partial"]) == ("QuotaExceededError", 429, "")
    done = call("chat", "Hi", "--json", "-p", "groq,mistral", GROQ_API_KEY="", MISTRAL_API_KEY="", G4F_LITE_OFFLINE="")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["type"]) == (1, "AllProvidersFailedError")
    assert [each["type"] for each in error["errors"]] == ["AuthenticationError"] * 2
    done = call("chat", "Hi", "--json", "-p", "groq", GROQ_API_KEY="", G4F_LITE_OFFLINE="")
    assert (done.returncode, json.loads(done.stdout)["error"]["type"]) == (1, "AuthenticationError")


def test_one_object_at_most_is_printed(emulator: Emulator, here: list[str]) -> None:
    assert_refused(call("chat", "Hi", "--json", "-p", "nosuch"), "nosuch")
    emulator.answer("none")
    emulator.answer("no JSON")
    done = call("chat", "Hi", "--json", "--schema", '{"type": "object"}', *here)
    assert (done.returncode, json.loads(done.stdout)["text"]) == (1, "no JSON")


@pytest.mark.product
@pytest.mark.parametrize("rows", [3, 40])  # of 40, it stops after some
@pytest.mark.parametrize("status", [500, 429, None])
def test_a_batch_in_an_outage_may_be_sent_later(
    emulator: Emulator, here: list[str], tmp_path: Path, rows: int, status: int | None
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{number}\n" for number in range(rows)), encoding="utf-8")
    if status is not None:
        emulator.fail("status", status=status, times=None)
    files = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "--max-pause", "0"]
    done = call(*files, *(NOWHERE if status is None else here))
    assert done.returncode == 3, done.stderr
    assert "the same command " in done.stderr
    emulator.reset()
    assert call(*files, *here).returncode == 0
    assert len(emulator.requests) == rows


@pytest.mark.once
def test_the_same_command_sends_the_rows_of_a_batch_that_failed(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "--workers", "1", *here]
    kept = ["-o", str(tmp_path / "out.jsonl")]
    emulator.answer("1")
    emulator.fail("status", status=500, nth=2, times=None)
    done = call(*command, *kept, "--fresh")
    assert done.returncode == 3
    assert done.stderr.endswith("; the same command, without --fresh, sends the failed rows again\n")
    done = call(*command, *kept)
    assert done.stderr.endswith("; the same command sends the failed rows again\n")
    assert call(*command).stderr.endswith("; the same command sends all rows again\n")  # nothing is stored
    emulator.reset()
    assert call(*command, *kept).returncode == 0
    assert [request.json()["messages"][-1]["content"] for request in emulator.requests] == ["two", "three"]


def test_a_batch_in_which_one_row_stays_wrong_is_an_error(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    emulator.fail("status", status=400)
    emulator.fail("status", status=500, times=None)
    done = call("batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", *here)
    assert done.returncode == 1
    assert "2 of 2 prompts failed" in done.stderr
    assert "; the same command sends the failed rows again" in done.stderr


@pytest.mark.sampled(2)
@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes the streams")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["chat", "Hello", "-p", "echo"], 1, CLOSED),
        (["batch", "in.txt", "-p", "echo", "-o", "out.jsonl"], 0, ""),
        pytest.param(["chat", "Hello", "-p", "echo", "--json"], 1, CLOSED, marks=pytest.mark.once),
        pytest.param(["batch", "in.txt", "-p", "echo"], 1, CLOSED, marks=pytest.mark.once),
        pytest.param(["image", "A cat", "-o", "-", "-p", "openai"], 1, CLOSED, marks=pytest.mark.once),
        pytest.param(["providers"], 0, "", marks=pytest.mark.once),
    ],
)
def test_a_closed_standard_output_loses_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("Hello\n", encoding="utf-8")
    shell = ["sh", "-c", 'exec "$0" "$@" <&- >&-', sys.executable, "-m", "g4f_lite"]
    done = run(*command, program=shell)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@pytest.mark.parametrize(("command", "code"), [("chat", 1), ("chatt", 2), ("providers", 0)])
def test_a_program_without_standard_streams(emulator: Emulator, here: list[str], command: str, code: int) -> None:
    as_pythonw = "import sys; sys.stdin = sys.stdout = sys.stderr = None; from g4f_lite.cli import main; main()"
    done = run(command, *([] if command == "providers" else ["Hello", *here]), code=as_pythonw)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert emulator.requests == []


@pytest.mark.once
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "chat", "Hello", "-p", "echo"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT},
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: cannot write to standard output: No space left on device"]
