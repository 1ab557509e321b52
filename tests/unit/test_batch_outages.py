"""Outages in a batch: what waits for the end of one, what is tried meanwhile, and what stops the batch."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from g4f_lite import (
    AllProvidersFailedError,
    BatchStoppedError,
    Client,
    DeadlineExceededError,
    Fallback,
    ProviderError,
    RateLimitError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.batch.causes import is_outage, is_unmistakable
from g4f_lite.batch.summary import told_of_pause
from g4f_lite.batch.workers import Workers

from .batch_providers import Refuses, numbered


@pytest.fixture(autouse=True)
def _moments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_TRY", "_LAST_TRY"):
        monkeypatch.setattr(f"g4f_lite.batch.workers.{name}", 0.001)


def goes_down(is_down: Callable[[str, int], bool]) -> Refuses:
    """Make a provider that is out of reach for some of its calls.

    :param is_down: gets the prompt and the number of the call, from 1
    """
    message = "could not connect to http://127.0.0.1:9: Connection refused"
    return Refuses(lambda text, count: TransportError(message) if is_down(text, count) else None)


@pytest.mark.parametrize("workers", [1, 4, "auto"])
def test_an_outage_is_waited_for_and_fails_no_prompt(workers: int | str) -> None:
    provider = goes_down(lambda text, count: 5 < count <= 60)
    results = Client(provider).map(numbered(20), workers=workers, progress=False)
    assert results.texts() == [text.upper() for text in numbered(20)]
    assert len(provider.asked) == 20 + 55
    assert (results.usage.failures, results.usage.calls, results.outage) == (0, 20, 0)


def test_an_outage_of_all_members_of_a_chain_fails_no_prompt() -> None:
    members = [goes_down(lambda text, count: 5 < count <= 10), goes_down(lambda text, count: True)]
    chain = Fallback(members, clock=itertools.count(step=0.25).__next__)  # 30 s of a breaker are 120 looks at it
    results = Client(chain).map(numbered(9), workers=1, progress=False)
    assert results.texts() == [text.upper() for text in numbered(9)]


def test_a_service_that_never_answered_stops_the_batch() -> None:
    provider = goes_down(lambda text, count: True)
    with pytest.raises(BatchStoppedError, match=r"after 0 answers and 7 failures: .*Connection refused; it stops"):
        Client(provider).map(numbered(50), workers=1, max_failures_in_a_row=7, progress=False).texts()
    assert len(provider.asked) == 7


def test_a_service_that_has_answered_for_the_store_is_waited_for(tmp_path: Path) -> None:
    provider = goes_down(lambda text, count: 3 < count <= 40)
    client, store = Client(provider), tmp_path / "answers.db"
    assert client.map(numbered(3), workers=1, store=store, progress=False).texts() == [
        "PROMPT 0",
        "PROMPT 1",
        "PROMPT 2",
    ]
    results = client.map(numbered(9), workers=1, store=store, max_failures_in_a_row=7, progress=False)
    assert results.texts() == [text.upper() for text in numbered(9)]
    assert (results.usage.stored, results.usage.failures, len(provider.asked)) == (3, 0, 9 + 37)


def test_a_service_that_has_answered_an_earlier_reading_is_waited_for() -> None:
    provider = goes_down(lambda text, count: 3 < count <= 40)
    results = Client(provider).map(numbered(9), workers=1, max_failures_in_a_row=7, progress=False)
    assert results.head(3).texts() == ["PROMPT 0", "PROMPT 1", "PROMPT 2"]
    assert results.texts() == [text.upper() for text in numbered(9)]


def test_an_outage_that_lasts_too_long_stops_the_batch_and_fails_no_prompt() -> None:
    is_back = threading.Event()
    provider = goes_down(lambda text, count: count > 3 and not is_back.is_set())
    results = Client(provider).map(numbered(9), workers=1, max_outage=0.01, progress=False)
    stopped = r"after 3 answers: .*Connection refused; it was out of reach for the max_outage of 0\.01 s$"
    with pytest.raises(BatchStoppedError, match=stopped):
        results.texts()
    assert results.failed == []
    is_back.set()
    assert results.texts() == [text.upper() for text in numbered(9)]


def test_without_an_outage_that_is_waited_for_each_prompt_fails() -> None:
    provider = goes_down(lambda text, count: count == 3)
    results = Client(provider).map(numbered(5), workers=1, max_outage=0, progress=False)
    assert [result.index for result in results if result.error] == [2]


def test_a_prompt_at_which_a_service_fails_is_not_an_outage_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the last one, so that no other answer ends the outage."""
    monkeypatch.setattr("g4f_lite.batch.workers._ALONE_SECONDS", 0.01)

    def lost(text: str, count: int) -> TransportError | None:
        if text != "prompt 4":
            return None
        error = TransportError("lost the connection to http://127.0.0.1:9: the server closed the connection")
        error.__cause__ = ConnectionResetError()
        return error

    provider = Refuses(lost)
    results = Client(provider).map(numbered(5), workers=1, progress=False)
    assert [result.index for result in results if result.error] == [4]
    assert len(provider.asked) > 5


def test_a_prompt_that_alone_finds_the_service_out_of_reach_has_failed() -> None:
    provider = goes_down(lambda text, count: text == "prompt 1")
    results = Client(provider).map(numbered(5), workers=1, progress=False)
    assert [result.index for result in results if result.error] == [1]
    assert provider.asked.count("prompt 1") == 2


def test_one_call_at_a_time_tries_a_service_that_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.workers._FIRST_TRY", 1.0)
    monkeypatch.setattr("g4f_lite.batch.workers._LAST_TRY", 15.0)
    now = 100.0
    workers = Workers(8, clock=lambda: now)
    waits = []
    assert workers.missed(now, 0) == 1
    while True:
        waits.append(workers.paused)
        now += workers.paused
        assert [workers.may_send(), workers.may_send()] == [True, False]
        assert workers.missed(now, 0) == 1
        if workers.outage >= 60:
            break
    assert waits == [1, 1, 2, 4, 8, 15, 15, 15]
    assert workers.outage == 61
    workers.reached(now - 70)  # it was on its way when the outage began
    assert workers.outage == 61
    workers.reached(now)
    assert (workers.outage, workers.paused, workers.may_send(), workers.may_send()) == (0, 0, True, True)
    now += 5
    assert [workers.missed(now - 6, 0), workers.outage] == [1, 0]  # it began before the end
    assert workers.missed(now - 4, 0) == 2


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (TransportError("could not connect"), True),
        (StreamInterruptedError("cut"), False),  # what has begun may be paid for again, and is sent once more
        (ServiceError("overloaded", status=503, partial="Hel"), False),
        (ServiceError("overloaded", status=503, step="stream"), False),
        (DeadlineExceededError("no connection", limit="connect"), True),
        (DeadlineExceededError("silence", limit="read"), False),
        (ServiceError("bad gateway", status=502), True),
        (ServiceError("boom", status=500), False),
        (ServiceError("content filtered", status=400), False),
        (RateLimitError("busy", status=503), False),
        (AllProvidersFailedError("none", errors=[TransportError("a"), ServiceError("b", status=503)]), True),
        (AllProvidersFailedError("none", errors=[TransportError("a"), ServiceError("b", status=400)]), False),
        (ProviderError("skipped", retry_after=30), True),
        (ProviderError("skipped"), False),  # after what does not pass by itself
        (ValueError("an option"), False),
    ],
)
def test_which_errors_say_that_a_service_is_out_of_reach(error: Exception, is_one: bool) -> None:
    assert is_outage(error) is is_one


def lost() -> TransportError:
    error = TransportError("lost the connection")
    error.__cause__ = ConnectionResetError()
    return error


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (TransportError("could not connect"), True),
        (lost(), False),
        (DeadlineExceededError("no connection", limit="connect"), True),
        (ProviderError("a bad gateway", status=502), False),
        (AllProvidersFailedError("none", errors=[TransportError("could not connect")]), True),
        (AllProvidersFailedError("none", errors=[TransportError("could not connect"), lost()]), False),
        (AllProvidersFailedError("none", errors=[ProviderError("it failed before", skipped=True)]), True),
    ],
)
def test_which_outages_no_prompt_can_be_the_reason_of(error: Exception, is_one: bool) -> None:
    assert is_unmistakable(error) is is_one


def test_an_outage_is_told_with_the_time_until_the_next_try() -> None:
    assert told_of_pause(8.2, 23.4) == "out of reach for 23 s, tried again in 8 s"
    assert told_of_pause(0, 150) == "out of reach for 2 min"
