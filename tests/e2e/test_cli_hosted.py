"""``g4f-lite batch --hosted``: a batch that the service answers in its own time."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .command import SECONDS, assert_refused, call, start


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_hosted_batch_is_answered_by_the_service(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(batch_polls=2, batch_failed=(1,))
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("in.txt", "out.jsonl", "failed.jsonl", "run.json")]
    hosted = [
        "batch",
        files[0],
        "-o",
        files[1],
        "--failed",
        files[2],
        "--hosted",
        files[3],
        "--poll",
        "0.01",
        "-m",
        "m",
    ]
    done = call(*hosted, "--estimate", *here)
    assert done.stdout.startswith("3 prompts to send, 0 answers stored"), done.stderr
    assert emulator.requests == []
    for _ in range(2):  # the second time from the files
        done = call(*hosted, *here)
        assert (done.returncode, done.stdout[:20]) == (1, "2 answered, 1 failed"), done.stderr
        assert "1 of 3 prompts failed: " in done.stderr
        assert [line["answer"] for line in lines(tmp_path / "out.jsonl")] == ["one", None, "three"]
        assert [line["prompt"] for line in lines(tmp_path / "failed.jsonl")] == ["two"]
    assert [request.method for request in emulator.requests if request.step == "batches"] == ["POST", "GET", "GET"]
    for limit in ("--max-time", "--max-cost", "--max-failures"):
        assert_refused(call(*hosted, limit, "5", *here), f"{limit} cannot be used with --hosted")
    assert call(*hosted, "--estimate", *here).stdout.startswith("0 prompts to send, 2 answers stored, 1 failed; ")
    (tmp_path / "in.txt").write_text("other\nones\nhere\n", encoding="utf-8")
    assert_refused(call(*hosted, *here), "belongs to a batch of other prompts")


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        (["1000,500000"], ", about $1.50"),
        (["echo=1000,500000", "other=0,0"], ", about $1.50"),
        (["other=1,2"], ""),
        ([], ""),
    ],
)
def test_a_hosted_batch_has_the_price_that_is_given(
    here: list[str], tmp_path: Path, prices: list[str], told: str
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo words\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("in.txt", "out.jsonl", "run.json")]
    given = [part for price in prices for part in ("--price", price)]
    command = ["batch", files[0], "-o", files[1], "--hosted", files[2], "--poll", "0.01", *given, *here]
    assert call(*command).stdout == f"2 answered, 0 failed; 3 tokens of prompts and 3 of answers{told}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
def test_ctrl_c_leaves_a_hosted_batch_to_the_service(emulator: Emulator, here: list[str], tmp_path: Path) -> None:
    emulator.configure(batch_polls=2)
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    hosted = ["batch", str(tmp_path / "in.txt"), "--hosted", str(tmp_path / "run.json"), "-m", "m", *here]
    with start(*hosted) as running:
        assert running.stderr is not None
        assert b"in_progress; waiting" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=SECONDS)
    assert b"the service goes on, and the same command fetches the answers" in told
    done = call(*hosted)
    assert json.loads(done.stdout)["answer"] == "one", done.stderr


def test_an_answer_that_does_not_fit_the_schema_is_sent_again_by_itself(
    emulator: Emulator, here: list[str], tmp_path: Path
) -> None:
    emulator.configure(batch_polls=0)
    (tmp_path / "in.txt").write_text('{"city": 1}\nno\n', encoding="utf-8")
    files = ["-o", str(tmp_path / "out.jsonl"), "--hosted", str(tmp_path / "run.json"), "--poll", "0.01"]
    command = ["batch", str(tmp_path / "in.txt"), *files, "--schema", '{"required": ["city"]}', *here]
    done = call(*command)
    assert (done.returncode, done.stdout[:20]) == (1, "1 answered, 1 failed"), done.stderr
    assert done.stderr.endswith("; the same command with --retry-failed asks for them again\n")
    emulator.answer('{"city": 2}')
    assert call(*command, "--retry-failed").returncode == 0
    assert [line["output"] for line in lines(tmp_path / "out.jsonl")] == [{"city": 1}, {"city": 2}]
