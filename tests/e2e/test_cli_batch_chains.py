"""``g4f-lite batch`` on a chain: what its last resort answered, and how it is asked again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from g4f_lite import ContextLengthExceededError, QuotaExceededError
from g4f_lite.cli.batch_report import Fallbacks
from g4f_lite.emulator import Emulator

from .command import assert_refused, call


@pytest.fixture
def command(emulator: Emulator, tmp_path: Path) -> list[str]:
    """Give a batch of two rows of which the emulator answers the first, and Echo the second in its place."""
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    emulator.answer("first")
    emulator.fail("status", status=401, nth=2)
    files = [str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl")]
    return ["batch", *files, "-p", f"{emulator.url}/v1", "-p", "echo", "--workers", "1"]


def answers(path: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["provider"], row["answer"]) for row in rows]


def sent(emulator: Emulator) -> int:
    return len([request for request in emulator.requests if request.step == "prompt"])


def test_what_the_last_resort_answered_is_asked_again(command: list[str], emulator: Emulator, tmp_path: Path) -> None:
    done = call(*command)
    first, last = answers(tmp_path / "out.jsonl")
    assert (done.returncode, first, last) == (0, ("OpenAICompatible", "first"), ("Echo", "two"))
    before = sent(emulator)
    told = call(*command, "--reject-provider", "echo", "--estimate").stdout
    assert told.startswith("1 prompt to send, 1 answer stored; ")
    emulator.answer("second")
    done = call(*command, "--reject-provider", "echo")
    assert (done.returncode, sent(emulator)) == (0, before + 1), done.stderr
    assert "gave" not in done.stderr
    both = [first, ("OpenAICompatible", "second")]
    assert answers(tmp_path / "out.jsonl") == both
    assert call(*command).returncode == 0
    assert (answers(tmp_path / "out.jsonl"), sent(emulator)) == (both, before + 1)


def test_a_note_counts_what_the_last_resort_answered_before(command: list[str], tmp_path: Path) -> None:
    assert "Note: Echo gave 1 of 2 answers; OpenAICompatible did not answer (" in call(*command).stderr
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    for _ in range(2):
        assert call(*command).stderr.endswith("Note: Echo gave 1 of 3 answers\n")


def test_a_note_counts_the_reasons_why_the_first_one_did_not_answer() -> None:
    fallbacks = Fallbacks()
    for tokens in (7505, 9000):
        fallbacks.add([ContextLengthExceededError(f"{tokens} tokens are too many", provider="Big", status=400)], "Echo")
    fallbacks.add([QuotaExceededError("no credit", provider="Big", status=429)], "Echo")
    assert fallbacks.in_words(Counter(Big=4, Echo=3), "Big") == (
        "Echo gave 3 of 7 answers; Big did not answer (7505 tokens are too many), 2 times; "
        "Big did not answer (no credit), 1 time"
    )
    skipped = QuotaExceededError("skipped, because it failed before", provider="Other", skipped=True)
    once = Fallbacks()
    for error in (QuotaExceededError("no credit", provider="Other", status=429), skipped, skipped):
        once.add([error], "Echo")
    assert once.in_words(Counter(Echo=3), "Other") == "Echo gave 3 of 3 answers; Other did not answer (no credit)"
    assert once.in_words(Counter(Echo=9), "Other").endswith("Other did not answer (no credit), 3 times")


def test_a_name_that_no_stored_answer_has_is_noted(command: list[str], emulator: Emulator) -> None:
    call(*command)
    before = sent(emulator)
    done = call(*command, "--reject-provider", "Eko")
    assert "Note: no stored answer is from Eko; these answers are from Echo and OpenAICompatible\n" in done.stderr
    assert (done.returncode, sent(emulator)) == (0, before)


def test_a_hosted_batch_has_no_answers_of_others(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), *here, "--hosted", str(tmp_path / "run"), "--reject-provider", "x")
    assert_refused(done, "--reject-provider cannot be used with --hosted, where the service ")


def test_only_a_hosted_batch_keeps_failures_to_ask_again(here: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    done = call("batch", str(tmp_path / "in.txt"), *here, "--retry-failed")
    assert_refused(done, "--retry-failed is for --hosted; without it, the same command sends what failed again")
