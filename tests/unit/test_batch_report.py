"""What ``g4f-lite batch`` says at its end: refusals, cut answers, the reasons of failures, and what was paid for."""

from __future__ import annotations

import io
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("click")

from g4f_lite import (
    BaseProvider,
    Client,
    EmptyResponseError,
    Finish,
    Prompt,
    Refusal,
    RefusalError,
    ServiceError,
    Usage,
)
from g4f_lite.batch.result import Result
from g4f_lite.batch.results import BatchResults
from g4f_lite.batch.summary import BatchUsage
from g4f_lite.cli.batch_report import Progress, told_after, told_of_cost, told_of_done
from g4f_lite.cli.batch_run import _terminated_as_interrupted, reasons_of
from g4f_lite.cli.failure import Failure
from g4f_lite.messages import last_user_message


class Refuses(BaseProvider):
    """A provider that refuses a prompt, or answers nothing, where the prompt says so."""

    def begin(self, prompt: Prompt) -> Iterator[Any]:
        text = last_user_message(prompt.messages)
        if text == "refuse":
            yield Refusal("I cannot do that.")
        elif text == "say nothing":
            raise EmptyResponseError("an empty answer", usage=Usage(5, 3, 8))
        else:
            yield "yes"
        yield Usage(5, 1, 6)
        yield Finish()


def test_refusals_are_told_and_what_failed_answers_took_is_counted() -> None:
    results = Client(Refuses()).map(["one", "refuse", "say nothing"], progress=False)
    assert [result.refusal for result in results] == [None, "I cannot do that.", None]
    assert results[2].usage == Usage(5, 3, 8)
    usage = results.usage
    assert (usage.refused, usage.prompt_tokens, usage.completion_tokens) == (1, 15, 5)


def test_a_refusal_in_the_place_of_json_is_a_refusal() -> None:
    results = Client(Refuses()).map(["refuse"], output={"type": "object"}, progress=False)
    assert isinstance(results[0].error, RefusalError)
    assert (results[0].refusal, results.usage.refused) == ("I cannot do that.", 1)


def test_why_an_answer_without_text_ended_is_told() -> None:
    error = EmptyResponseError("empty", finish_reason="content_filter")
    assert Result(0, "one", error=error).finish_reason == "content_filter"
    assert Result(0, "one", error=ServiceError("no")).finish_reason is None


def failed(*messages: str) -> list[Result[Any]]:
    return [Result(index, "one", error=ServiceError(message)) for index, message in enumerate(messages)]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (["filtered", "filtered"], ["filtered"]),
        (["boom (3 attempts in 1.2 s)", "boom"], ["boom (3 attempts in 1.2 s)"]),
        (["empty after 3 tokens", "filtered", "empty after 4 tokens"], ["2 × empty after 3 tokens", "1 × filtered"]),
        (
            [*"abcdefghijbklmn"],
            ["2 × b", "1 × a", *(f"1 × {letter}" for letter in "cdefghijkl"), "2 for other reasons"],
        ),
    ],
)
def test_failures_are_told_by_their_reasons(messages: list[str], told: list[str]) -> None:
    assert reasons_of(failed(*messages)) == told


def test_each_reason_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Failure("3 of 9 prompts failed", ["2 × give a longer timeout=", "1 × two\nlines"]).show()
    assert capsys.readouterr().err.splitlines() == [
        "Error: 3 of 9 prompts failed",
        "  2 × give a longer --timeout",
        "  1 × two; lines",
    ]


def test_cut_answers_and_refusals_are_told_at_the_end() -> None:
    assert told_after(BatchUsage(done=20, cut=19, refused=2), 0, None) == (
        "20 answered, 0 failed, 2 refused by the model; 19 of the answers CUT, by a limit of tokens or a filter"
    )
    assert told_after(BatchUsage(done=2, empty=1), 0, None) == "2 answered, 0 failed; 1 of the answers WITHOUT A TEXT"


@pytest.mark.parametrize(("stored", "told"), [(0, ""), (2, "this run took ")])
def test_the_tokens_of_a_run_are_told_apart_from_those_of_stored_answers(stored: int, told: str) -> None:
    usage = BatchUsage(done=3, stored=stored, prompt_tokens=9, completion_tokens=6, total_tokens=15)
    assert (
        told_after(usage, 0, None, told_of_cost(usage, 0.5))
        == f"3 answered, 0 failed; {told}9 tokens of prompts and 6 of answers, about $0.5"
    )


def test_calls_whose_tokens_the_service_did_not_report_are_told_beside_the_cost() -> None:
    usage = BatchUsage(done=3, prompt_tokens=9, completion_tokens=6, total_tokens=15)
    taken = "; 9 tokens of prompts and 6 of answers"
    assert told_of_cost(usage, 0.5, 2) == f"{taken}, about $0.5, and what 2 calls more cost is not known"
    assert told_of_cost(usage, 0.5) == f"{taken}, about $0.5"
    assert told_of_cost(BatchUsage(done=3), None, 3) == "; what 3 calls cost is not known"
    assert told_of_cost(BatchUsage(done=3), None) == ""


class Late:
    """A lock of counts, which others hold until a result is counted whole."""

    def __init__(self, usage: BatchUsage) -> None:
        self._usage = usage

    def __enter__(self) -> None:
        self._usage.done = self._usage.failures

    def __exit__(self, *_: object) -> None:
        pass


def test_a_result_that_is_being_counted_is_told_whole_or_not_at_all() -> None:
    usage = BatchUsage(done=4, failures=5)  # between two lines of add()
    usage._lock = Late(usage)
    assert usage.in_words() == "0 answers and 5 failures"
    usage.done = 4
    assert usage.copy().done == 5


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process of Windows at once")
def test_a_signal_to_terminate_is_an_interrupt_and_then_the_end() -> None:
    ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), _terminated_as_interrupted():
            signal.raise_signal(signal.SIGTERM)
        with _terminated_as_interrupted():
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [signal.SIGTERM]


FAIL: list[Any] = ["one", "say nothing", "say nothing"]


@pytest.mark.parametrize("read", [BatchResults.texts, BatchResults.outputs])
def test_a_column_warns_of_failures_that_it_does_not_show(read: Callable[[Any], Any]) -> None:
    with pytest.warns(UserWarning, match="^2 of 3 prompts failed: .*an empty answer; .*results.failed") as caught:
        assert read(Client(Refuses()).map(FAIL)) == ["yes", None, None]
    assert [warning.filename for warning in caught] == [__file__]


def test_failures_that_are_shown_or_are_to_be_silent_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(Refuses())
    assert client.map(FAIL, progress=False).texts() == ["yes", None, None]
    assert [result.text for result in client.map(FAIL)] == ["yes", None, None]
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    told = "failed: Refuses, stream: an empty answer"
    assert sorted(logged) == [f"prompts[{index}] {told}" for index in (1, 1, 2, 2)]


@pytest.mark.parametrize(
    ("done", "in_progress", "line"),
    [
        (0, 4, "0 of 9 done, 4 in progress, 0:01:00 so far"),
        (1, 4, "1 of 9 done, 4 in progress, 0:01:00 so far"),  # as if there were one worker
        (4, 4, "4 of 9 done, 4 in progress, 0:01:00 so far, 4 a minute, 75 s left"),
        (8, 1, "8 of 9 done, 1 in progress, 0:01:00 so far, 8 a minute, 8 s left"),
        (9, 0, "9 of 9 done"),
    ],
)
def test_a_time_left_is_told_when_each_worker_has_had_time_to_answer(
    done: int, in_progress: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("g4f_lite.cli.batch_report.time", SimpleNamespace(monotonic=lambda: now[0]))
    progress = Progress(lambda: BatchUsage(done=done, calls=done), 9, in_progress=lambda: in_progress)
    now[0] += 60.0
    assert progress.line() == line


@pytest.mark.parametrize(
    ("usage", "done"),
    [
        (BatchUsage(), 6),
        (BatchUsage(done=3, stored=2, calls=1), 7),
        (BatchUsage(done=4, stored=3, elsewhere=1, calls=1), 8),  # one of which another program gave meanwhile
    ],
)
def test_the_progress_begins_with_what_is_known_to_be_stored(usage: BatchUsage, done: int) -> None:
    assert Progress(lambda: usage, 9, stored=6).line().startswith(f"{done} of 9 done, ")


def test_results_say_how_many_prompts_are_in_progress() -> None:
    seen: list[int] = []

    class Looks(BaseProvider):
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            seen.append(results.in_progress)
            yield "yes"
            yield Finish()

    results = Client(Looks()).map(["one", "two"], workers=1, progress=False)
    assert results.in_progress == 0
    assert results.texts() == ["yes", "yes"]
    assert (seen, results.in_progress) == ([1, 1], 0)


def test_the_progress_is_one_line_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = threading.Event()
    usage = BatchUsage(done=3, calls=2, stored=1, failures=1)

    def counts() -> BatchUsage:
        shown.set()
        return usage

    monkeypatch.setattr("g4f_lite.cli.batch_report.TERMINAL_SECONDS", 0.001)
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setenv("TERM", "xterm")
    with Progress(counts, 10, is_shown=False):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
    with Progress(counts, 10):
        assert shown.wait(60.0)
    text = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("\r3 of 10 done, 1 failed, ")
    assert text.endswith("\r")
    progress = Progress(counts, 10)
    progress._write("3 of 10 done")
    progress.note("Echo answers instead")
    assert sys.stderr.getvalue().endswith("\r3 of 10 done\r            \rNote: Echo answers instead\n")  # type: ignore[attr-defined]
    line = Progress(counts, 10, pace=lambda: 3.21, cost=lambda: 0.123).line()
    assert re.fullmatch(
        r"3 of 10 done, 1 failed, about \$0.12, 0:.+ so far, .+ a minute, paced at 3.2/s, .+ left", line
    ), line


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (BatchUsage(done=3), "5 of 1,200 prompts"),
        (BatchUsage(done=1_000, failures=4), "1,002 of 1,200 prompts, of which 4 failed"),
    ],
)
def test_the_text_of_an_interrupt_counts_what_is_stored_and_what_failed(usage: BatchUsage, told: str) -> None:
    assert told_of_done(usage, 2, 1_200) == told
