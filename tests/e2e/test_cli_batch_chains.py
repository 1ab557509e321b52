"""``g4f-lite batch`` on a chain: what its last resort answered, and how it is asked again."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from g4f_lite import Answer, QuotaExceededError
from g4f_lite.batch.result import Result
from g4f_lite.cli.batch_fallbacks import Fallbacks
from g4f_lite.emulator import Emulator

from .command import SECONDS, assert_refused, call, start


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
    told = call(*command, "--estimate").stdout
    assert told.startswith("0 prompts to send, 2 answers stored (1 by Echo); ")
    assert told.endswith("; with --reject-provider Echo, what Echo gave is asked again\n")
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


FAILED = "OpenAICompatible did not answer (refused with status 401"


def test_a_note_says_once_and_at_once_that_the_last_resort_answers(
    command: list[str], emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    emulator.fail("status", status=401, nth=2)
    first, last = call(*command).stderr.splitlines()
    again = "; the same command with --reject-provider Echo asks for such rows again later"
    assert (first.startswith(f"Note: {FAILED}"), first.endswith(f"), and Echo answers instead{again}")) == (True, True)
    assert last.startswith("Note: Echo gave 2 of 3 answers; ")


def test_no_note_without_a_store_names_an_option_for_stored_answers(command: list[str], emulator: Emulator) -> None:
    without_output = [*command[:2], *command[4:]]
    first, last = call(*without_output).stderr.splitlines()
    assert first.endswith("), and Echo answers instead")
    assert last.startswith(f"Note: Echo gave 1 of 2 answers; {FAILED}")
    emulator.fail("status", status=401)
    assert call(*without_output, "--quiet").stderr == ""


def test_a_batch_that_goes_on_still_knows_why_the_last_resort_answered(command: list[str], tmp_path: Path) -> None:
    told = "Note: Echo gave 1 of {} answers; the same command {} --reject-provider Echo asks for it again; " + FAILED
    assert told.format(2, "with") in call(*command).stderr
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    for _ in range(2):
        done = call(*command)
        assert done.stderr.startswith(told.format(3, "with")), done.stderr
    assert call(*command, "--fresh").stderr == ""


def test_a_note_of_a_command_that_asks_for_all_again_names_one_that_does_not(command: list[str]) -> None:
    told = "the same command without --fresh and with --reject-provider Echo asks for "
    first, last = call(*command, "--fresh").stderr.splitlines()
    assert first.endswith(f"; {told}such rows again later")
    assert f"; {told}it again; " in last


@pytest.mark.once
@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process of Windows at once")
def test_the_text_of_an_interrupt_counts_what_the_last_resort_answered(
    command: list[str], emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    emulator.fail("stall", nth=2)  # beside the request that fails
    with start(*command) as child:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends and sent(emulator) < 3:
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=SECONDS)
    told = "Interrupted after 2 of 3 prompts; Echo gave 1 of 2 answers; the same command with --reject-provider Echo "
    assert f"{told}asks for it again; the answers so far are in " in said.decode()


BIG = "Big did not answer "


@pytest.mark.parametrize(
    ("reasons", "answers", "told"),
    [
        (
            ["7505 tokens are too many", "9000 tokens are too many", "no credit"],
            {"Big": 4, "Echo": 3},
            ["Echo gave 3 of 7 answers", f"{BIG}(7505 tokens are too many), 2 times", f"{BIG}(no credit), 1 time"],
        ),
        (
            ["skipped, because it failed before (no quota)", "no credit", "skipped, because it failed before"],
            {"Echo": 3},
            ["Echo gave 3 of 3 answers", f"{BIG}(no credit)"],
        ),
        (["no credit"], {"Echo": 2}, ["Echo gave 2 of 2 answers", f"{BIG}(no credit), 1 time"]),
        (
            ["status 500", "status 503"],
            {"Echo": 2},
            ["Echo gave 2 of 2 answers", f"{BIG}(status 500), 1 time", f"{BIG}(status 503), 1 time"],
        ),
        (["skipped: no images"], {"Echo": 1}, ["Echo gave 1 of 1 answer", "Big is skipped: no images"]),
        ([], {"Echo": 1}, ["Echo gave 1 of 1 answer"]),
        ([], {"Big": 1}, [""]),
    ],
)
def test_a_note_counts_the_reasons_why_the_first_one_did_not_answer(
    reasons: list[str], answers: dict[str, int], told: list[str]
) -> None:
    fallbacks = Fallbacks("Big", is_kept=False)
    for reason in reasons:
        fallbacks.add(Result(0, "a", passed_over={"Big": reason}))
    assert fallbacks.told_with_reasons(answers) == "; ".join(told)


def test_providers_that_are_asked_again_are_named_as_a_shell_reads_them() -> None:
    others = {"Here": 1, "Local": 1, "Server (127.0.0.1:80)": 1}
    assert Fallbacks("Here", is_kept=True).told(others) == (
        "Local gave 1 and Server (127.0.0.1:80) gave 1 of 3 answers; the same command with --reject-provider Local "
        '--reject-provider "Server (127.0.0.1:80)" asks for these 2 again'
    )


def test_a_note_says_of_each_other_provider_once_that_it_answers() -> None:
    told: list[str] = []
    fallbacks = Fallbacks("One", is_kept=False)
    tell = fallbacks.teller(told.append)
    for answering in ("One", "Two", "Three", "Two", "Three"):
        tell([QuotaExceededError("no credit", provider="One")], answering)
    assert told == [f"One did not answer (no credit), and {name} answers instead" for name in ("Two", "Three")]
    fallbacks.add(Result(0, "a", Answer("yes", provider="One"), passed_over={"Two": "no credit"}))
    assert fallbacks.told_with_reasons({"One": 1}) == ""


@pytest.mark.parametrize(
    ("options", "slower"),
    [([], "--rpm N, the most requests per minute,"), (["--rpm", "6000"], "a smaller --rpm")],
)
def test_a_rate_limit_that_is_not_waited_for_leads_to_fewer_requests_a_minute(
    options: list[str], slower: str, command: list[str], emulator: Emulator
) -> None:
    emulator.reset()
    emulator.fail("rate_limit", retry_after=60)
    first, last = call(*command, *options).stderr.splitlines()
    told = f"; {slower} keeps the command within the rate limit"
    assert first.endswith(f"; the same command with --reject-provider Echo asks for such rows again later{told}")
    assert f" asks for these 2 again{told}; OpenAICompatible did not answer (" in last


def test_a_quota_has_nothing_to_do_with_requests_a_minute(command: list[str], emulator: Emulator) -> None:
    emulator.reset()
    emulator.fail("quota")
    assert "--rpm" not in call(*command).stderr


def test_another_chain_is_told_how_to_ask_again_only_what_one_provider_gave(command: list[str]) -> None:
    call(*command)
    told = (
        ", and 1 prompt will be sent; its answers are from Echo and OpenAICompatible: to ask again only for "
        "those of one, name the providers as before, with --reject-provider NAME\n"
    )
    assert call(*command[:-4], "--estimate").stderr.endswith(told)
    assert call(*command[:-4], "--estimate", "--reject-provider", "Echo").stderr.endswith(told)


def test_who_asks_again_for_what_one_provider_gave_is_not_told_how(command: list[str]) -> None:
    call(*command, "--system", "Be brief.")
    call(*command)
    done = call(*command, "--estimate", "--reject-provider", "OpenAICompatible", "--reject-provider", "Echo")
    assert done.stderr.endswith(", and 2 prompts will be sent\n")


def test_a_fallback_comes_and_goes_and_what_the_first_provider_gave_stays(
    command: list[str], emulator: Emulator, tmp_path: Path
) -> None:
    chain, alone = command, command[:-4]
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    assert call(*alone).returncode == 0
    (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
    assert call(*chain, "--estimate").stdout.startswith("1 prompt to send, 1 answer stored; ")
    done = call(*chain)
    assert (done.returncode, "other questions" in done.stderr, "gave 1 of 2" in done.stderr) == (0, False, True)
    assert answers(tmp_path / "out.jsonl") == [("OpenAICompatible", "first"), ("Echo", "two")]
    told = call(*chain[:-2], "-p", "local", "--workers", "1", "--estimate").stdout
    assert told.startswith("1 prompt to send, 1 answer stored; ")
    emulator.answer("second")
    before = sent(emulator)
    assert call(*alone).returncode == 0
    assert answers(tmp_path / "out.jsonl") == [("OpenAICompatible", "first"), ("OpenAICompatible", "second")]
    assert sent(emulator) == before + 1


def test_a_stored_answer_has_the_name_that_its_provider_has_beside_others(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    emulator.answer("first")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "-p", f"{emulator.url}/v1"]
    address = emulator.url.removeprefix("http://")
    chain = [*command, "-p", "http://127.0.0.1:9/v1"]
    for arguments, name in (
        (command, ""),
        (chain, f" ({address})"),
        ([*chain, "--fresh"], f" ({address})"),
        (command, ""),
    ):
        done = call(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        assert answers(tmp_path / "out.jsonl")[0][0] == f"OpenAICompatible{name}"
    assert sent(emulator) == 2


def test_a_preset_is_the_same_with_a_fallback_and_without(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
    command = ["batch", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.jsonl"), "-p", "ollama:m"]
    for more in ((), ("-p", "echo"), ("-p", "ollama:other"), ()):
        assert call(*command, *more, OLLAMA_HOST=emulator.url).returncode == 0
    assert sent(emulator) == 1


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
