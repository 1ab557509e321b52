"""Pauses of a batch that the service asks for: what is sent after them, and what is said of them."""

from __future__ import annotations

import io
import itertools
import math
import re
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import responses

from g4f_lite import (
    AllProvidersFailedError,
    BatchStoppedError,
    Client,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    ProviderNotConfiguredError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    ToolCallDelta,
)
from g4f_lite.batch.causes import wait_named_by
from g4f_lite.batch.pace import LocalMeter
from g4f_lite.batch.progress import Progress
from g4f_lite.batch.result import Result
from g4f_lite.batch.summary import told_of_pause
from g4f_lite.batch.workers import Workers
from g4f_lite.http.deadline import Deadline
from g4f_lite.providers import turns
from g4f_lite.testing import Scripted

from .batch_providers import Refuses, numbered

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")

MOMENT = 0.001  # seconds
DAY = 86_400


@pytest.fixture(autouse=True)
def _moments_are_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.causes.LEAST_PAUSE", 0.0)


def refusal(seconds: float | None = MOMENT) -> RateLimitError:
    return RateLimitError("too many requests", retry_after=seconds, attempts=3)


def test_prompts_that_are_refused_for_now_are_sent_again_after_the_others() -> None:
    provider = Refuses(lambda text, count: refusal() if count <= 2 else None)
    results = Client(provider).map(numbered(5), workers=1)
    assert results.texts() == [text.upper() for text in numbered(5)]
    assert provider.asked == [f"prompt {number}" for number in (0, 1, 2, 3, 4, 0, 1)]
    assert (results.usage.failures, results.failed) == (0, [])


@pytest.mark.parametrize("error", [refusal(), ServiceError("overloaded", status=503, step="prompt")])
def test_a_prompt_whose_functions_have_been_called_is_not_sent_again(error: G4FLiteError) -> None:
    pytest.importorskip("msgspec", reason="the extra typed is not installed")
    booked: list[str] = []

    def book(city: str) -> str:
        booked.append(city)
        return "booked"

    call = [ToolCallDelta(0, "c0", "book", '{"city": "Oslo"}')]
    provider = Scripted("Hello.", call, error, "Booked.")
    results = Client(provider).map(["hello", "book"], tools=[book], workers=1, progress=False)
    assert (results.texts(), results[1].error, booked) == (["Hello.", None], error, ["Oslo"])


def test_a_service_that_takes_one_prompt_in_each_pause_answers_all() -> None:
    provider = Refuses(lambda text, count: refusal() if count % 2 == 0 else None)
    results = Client(provider).map(numbered(40), workers=1)
    assert results.texts() == [text.upper() for text in numbered(40)]


def test_a_refusal_of_the_last_prompts_again_is_a_failure() -> None:
    provider = Refuses(lambda text, count: refusal() if text == "prompt 1" else None)
    results = Client(provider).map(numbered(3), workers=1)
    assert results.texts() == ["PROMPT 0", None, "PROMPT 2"]
    # Once before the others were answered, once after them, and once more.
    assert provider.asked.count("prompt 1") == 3


def test_a_prompt_that_is_refused_again_is_no_failure_while_others_are_still_to_be_read() -> None:
    answered = threading.Event()
    provider = Refuses(lambda text, count: refusal() if count < 4 else answered.set())

    def prompts() -> Iterator[str]:
        yield "prompt 0"
        answered.wait(20)
        yield "prompt 1"

    assert [result.text for result in Client(provider).map(prompts(), workers=1)] == ["PROMPT 0", "PROMPT 1"]
    assert provider.asked == ["prompt 0"] * 4 + ["prompt 1"]


def test_a_service_that_goes_on_refusing_stops_the_batch_and_nothing_has_failed() -> None:
    provider = Refuses(lambda text, count: refusal())
    results = Client(provider).map(numbered(200), workers=1, max_failures_in_a_row=7)
    with pytest.raises(BatchStoppedError, match=r"the batch stopped after 0 answers: .*too many requests") as caught:
        results.texts()
    assert isinstance(caught.value.error, RateLimitError)
    assert len(provider.asked) == 7
    assert results.failed == []


@pytest.mark.parametrize("most", [0, 3599.0])
def test_a_wait_that_is_too_long_stops_the_batch_and_nothing_has_failed(most: float) -> None:
    provider = Refuses(lambda text, count: refusal(3600) if count == 2 else None)
    results = Client(provider).map(numbered(4), workers=1, max_pause=most)
    with pytest.raises(BatchStoppedError, match=r"the batch stopped after 1 answer: .*too many requests") as caught:
        results.texts()
    assert isinstance(caught.value.error, RateLimitError)
    assert caught.value.error.retry_after == 3600
    assert results.failed == []
    assert results.texts() == [text.upper() for text in numbered(4)]  # an hour later


@pytest.mark.parametrize(("long", "level"), [(60.0, "INFO"), (MOMENT / 2, "WARNING")])
def test_a_pause_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, long: float, level: str
) -> None:
    monkeypatch.setattr("g4f_lite.batch.again.LONG_PAUSE", long)
    caplog.set_level("INFO", logger="g4f_lite")
    provider = Refuses(lambda text, count: refusal() if count == 1 else None)
    assert Client(provider).map(numbered(2), workers=1).texts() == ["PROMPT 0", "PROMPT 1"]
    (record,) = [record for record in caplog.records if record.name == "g4f_lite.batch.again"]
    assert record.getMessage().startswith("the batch waits: Refuses, stream: too many requests (3 attempts in ")
    assert record.levelname == level


def test_who_has_a_place_when_a_pause_begins_takes_another_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all who waited for their places would go at once."""
    asked: list[int] = []
    looks = itertools.count()

    def reserve(meter: LocalMeter, tokens: int, longest: float = math.inf) -> float:
        asked.append(tokens)
        if len(asked) == 1:
            results._plan.workers.pause(0.05, 0.0)
        return 0.0

    monkeypatch.setattr(LocalMeter, "reserve", reserve)
    results = Client(Refuses(lambda text, count: None)).map(["one", "two"], workers=1, rpm=60_000)
    monkeypatch.setattr(results._plan.workers, "_clock", lambda: next(looks) / 200)  # seconds at each look
    assert results.texts() == ["ONE", "TWO"]
    assert [tokens > 0 for tokens in asked] == [True, False, True]


def test_a_crowd_that_is_refused_at_once_counts_as_one_failure_in_a_row() -> None:
    clock = [100.0]
    workers = Workers(4, clock=lambda: clock[0])
    assert [workers.pause(30, 99), workers.pause(30, 99), workers.pause(31, 100)] == [True, False, False]
    assert workers.paused == 31
    clock[0] += 32
    assert workers.paused == 0
    assert not workers.pause(5, 130)  # it was sent before the pause ended
    assert workers.pause(5, 137)


def test_what_stops_a_batch_ends_a_pause() -> None:
    is_sent = threading.Event()

    def error_of(text: str, count: int) -> G4FLiteError | None:
        if text != "prompt 0":
            is_sent.wait()  # else the pause may begin before, and hold it back
            return refusal(3600)
        is_sent.set()
        while not results.paused:
            pass
        return QuotaExceededError("no credit is left")

    results = Client(Refuses(error_of)).map(numbered(3), workers=2, progress=False)
    with pytest.raises(BatchStoppedError, match="no credit is left"):
        results.texts()


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (refusal(60), 60),
        (refusal(0), 0),
        (refusal(DAY), DAY),
        (refusal(DAY + 1), None),
        (refusal(None), None),
        (QuotaExceededError("no credit", retry_after=60), None),
        (ServiceError("busy", retry_after=60), None),
        (
            AllProvidersFailedError("none", errors=[ResponseStatusError("down", status=503), refusal(60), refusal(30)]),
            30,
        ),
        (AllProvidersFailedError("none", errors=[refusal(60), ResponseStatusError("filtered", status=400)]), None),
        (AllProvidersFailedError("none", errors=[ProviderNotConfiguredError("no key"), refusal(60)]), 60),
        (AllProvidersFailedError("none", errors=[ServiceError("down", retry_after=5)]), None),
        (AllProvidersFailedError("none", errors=[refusal(60), refusal(None)]), None),
        (AllProvidersFailedError("none", errors=[refusal(60), refusal(0)]), 0),
        (ValueError("an option"), None),
    ],
)
def test_which_errors_name_a_wait_that_a_batch_keeps(error: Exception, wait: float | None) -> None:
    assert wait_named_by(error) == wait


def test_a_wait_of_more_than_a_day_is_no_pause() -> None:
    workers = Workers(clock=lambda: 100.0)
    workers.observe(429, {"Retry-After": str(DAY + 1)})
    assert (workers.paused, workers.reserve()) == (0, 0)
    workers.observe(429, {"Retry-After": str(DAY)})
    assert workers.paused == DAY


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, ""),
        (0.2, "paused by the service for 1 s"),
        (58.2, "paused by the service for 58 s"),
        (600, "paused by the service for 10 min"),
        (7200, "paused by the service for 2.0 h"),
    ],
)
def test_a_pause_is_told_in_the_unit_that_suits_it(seconds: float, told: str) -> None:
    assert told_of_pause(seconds) == told


def test_the_results_say_for_how_long_the_service_has_asked_to_wait() -> None:
    results = Client(Refuses(lambda text, count: None)).map(["one"])
    assert results.paused == 0
    results._plan.workers.observe(429, {"Retry-After": "600"})
    assert 0 < results.paused <= 600


@pytest.mark.parametrize("total", [4, None])
def test_the_progress_bar_shows_a_pause_in_the_place_of_a_time_left(
    monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    progress = Progress(True, total)

    def shown() -> str:
        return screen.getvalue().rpartition("\r")[2]

    try:
        progress.add(Result(0, "one"))
        progress.tick(58.4)
        assert "paused by the service for 58 s]" in shown()
        assert "prompt/s" not in shown()
        assert ("1/4 [" if total else "1 prompt [") in shown()
        size = len(screen.getvalue())
        progress.tick(58.1)
        assert len(screen.getvalue()) == size  # the same second is not drawn again
        progress.tick(0)
        assert "paused" not in shown()
    finally:
        progress.close()


def test_the_progress_bar_shows_the_cost_and_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    now = [100.0]
    monkeypatch.setattr("g4f_lite.batch.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    spent, pace = [(0.5, 2)], [None, 3.21]
    progress = Progress(True, 3, 0, lambda: spent[-1], lambda: pace[-1])
    told = []
    try:
        for now_spent in ((0.5, 2), (0.62, 2), (0.7, 3)):  # nothing, a priced call, and one whose price is not known
            spent.append(now_spent)
            progress.add(Result(0, "one"))
            for seconds in (58, 0):  # at the end of a pause the bar is drawn at once
                progress.tick(seconds)
            told.append(screen.getvalue().rpartition("\r")[2])
            now[0] += 10
    finally:
        progress.close()
    assert [re.findall(r"about \$[\d.]+[^,]*", text) for text in told] == [[], ["about $0.12"], ["about $0.2 or more"]]
    assert all("paced at 3.2/s]" in text for text in told), told


def test_the_pace_is_told_where_calls_wait_for_it() -> None:
    now = [100.0]
    workers = Workers(clock=lambda: now[0])
    for _ in range(40):  # 40 a second
        assert workers.may_send()
        workers.succeeded(0, 0.01)
        now[0] += 0.025
    assert workers.pace is None
    assert workers.may_send()
    workers.observe(429, {})
    assert workers.pace == pytest.approx(38, abs=1)  # a little less than that
    workers.succeeded(0, 1000)  # the answers take so long that the workers are slower
    assert workers.pace is None
    fixed = Workers(4, clock=lambda: now[0])
    fixed.observe(429, {})
    assert fixed.pace is None


def test_the_progress_bar_is_told_of_a_pause_while_a_result_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr("g4f_lite.batch.run._LOOK_SECONDS", MOMENT)
    go = threading.Event()

    def tick(_: Progress, seconds: float, outage: float, in_progress: int) -> None:
        told.append(seconds)
        if seconds > 0:
            assert in_progress == 1
            go.set()

    monkeypatch.setattr(Progress, "tick", tick)

    def error_of(text: str, count: int) -> G4FLiteError | None:
        results._plan.workers.observe(429, {"Retry-After": "600"})  # as a call does that waits by itself
        go.wait()
        results._plan.workers._waits_until = 0.0
        return None

    results = Client(Refuses(error_of)).map(["one"])
    assert results.texts() == ["ONE"]
    assert 0 < max(told) <= 600


def test_a_long_pause_is_a_warning_where_no_progress_is_shown(
    recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("g4f_lite.batch.progress.time.monotonic", lambda: now[0])
    for wanted, seconds in ((None, 59.0), (False, 3600.0), (None, 3600.0)):
        progress = Progress(wanted, 3)
        for _ in range(3):  # once
            progress.tick(seconds)
            now[0] += 1
    progress = Progress(None, 3)
    for seconds in (3600, 0, 3600, 0):  # a chain, whose other provider has answered
        progress.tick(seconds)
        now[0] += 1
    told = "the batch is paused by the service for 60 min; max_pause= limits such a wait, and progress=True shows it"
    assert [str(warning.message) for warning in recwarn] == [told]


@pytest.mark.parametrize("given", [{}, {"retry": None}])
@pytest.mark.parametrize("members", [1, 2])
@responses.activate
def test_a_wait_that_is_too_long_for_the_batch_is_not_waited_for_by_its_calls(
    monkeypatch: pytest.MonkeyPatch, members: int, given: dict[str, Any]
) -> None:
    def fail(*_: object) -> None:
        pytest.fail("the call waited")

    monkeypatch.setattr(Deadline, "sleep", fail)
    monkeypatch.setattr(turns, "wait_for", fail)
    asked = [server(number, 429, {"Retry-After": "25"}) for number in range(members)]
    providers = [OpenAICompatible(f"https://{number}.test/v1", model="m") for number in range(members)]
    client = Client(providers[0] if members == 1 else Fallback(providers))
    results = client.map(numbered(4), workers=1, max_pause=5, **given)
    with pytest.raises(BatchStoppedError):
        results.texts()
    assert [one.call_count for one in asked] == [1] * members
    assert results.failed == []


@responses.activate
def test_a_batch_without_retries_sends_each_prompt_once() -> None:
    asked = server(0, 500)
    client = Client(OpenAICompatible("https://0.test/v1", model="m"))
    assert client.map(numbered(2), workers=1, retry=None).texts() == [None, None]
    assert asked.call_count == 2


def server(number: int, status: int, headers: dict[str, str] | None = None) -> responses.BaseResponse:
    """Let a service answer with a status."""
    return responses.post(f"https://{number}.test/v1/chat/completions", status=status, headers=headers, json={})
