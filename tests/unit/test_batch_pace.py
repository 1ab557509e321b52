"""How many calls are in progress, and how many go out a minute."""

from __future__ import annotations

import itertools
import math
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from g4f_lite import (
    BaseProvider,
    Client,
    DeadlineExceededError,
    Finish,
    MissingDependencyError,
    Pace,
    Prompt,
    ProviderNotConfiguredError,
    Usage,
)
from g4f_lite.batch.pace import LocalMeter, tokens_of, wait_for_place
from g4f_lite.batch.workers import Workers
from g4f_lite.testing import Scripted


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def succeed(workers: Workers, times: int) -> int:
    for _ in range(times):
        workers.succeeded()
    return workers.number


def send(workers: Workers, clock: Clock, times: int, gap: float) -> list[float]:
    """Send calls as fast as is allowed, ``gap`` seconds apart at least, and return when they were sent."""
    sent = []
    for _ in range(times):
        clock.now += max(gap, workers.reserve())
        assert workers.may_send()
        sent.append(clock.now)
    return sent


def test_workers_become_more_as_calls_succeed() -> None:
    workers = Workers(clock=Clock())
    assert workers.number == 4
    assert [succeed(workers, 2), succeed(workers, 2), succeed(workers, 3)] == [5, 6, 7]
    assert succeed(workers, 2000) == 64


def test_a_refusal_takes_a_quarter_and_others_of_the_same_crowd_take_nothing() -> None:
    clock = Clock()
    workers = Workers(clock=clock)
    succeed(workers, 2000)
    send(workers, clock, 30, 0.01)
    for _ in range(10):
        workers.observe(429, {})
    assert workers.number == 48
    succeed(workers, 100)  # of calls that began before
    assert workers.number == 48
    clock.now += 1.1
    workers.observe(429, {})
    assert workers.number == 36
    assert workers.refusals == 11


def test_after_a_refusal_calls_are_sent_a_little_more_slowly_than_before() -> None:
    clock = Clock()
    workers = Workers(clock=clock)
    send(workers, clock, 300, 0.01)  # a hundred a second
    workers.observe(429, {})
    began = clock.now
    sent = send(workers, clock, 920, 0)
    assert sent[0] == began  # nobody was asked to wait
    assert 9.2 < sent[-1] - sent[0] < 9.9  # 95 a second
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert max(gaps) == pytest.approx(1 / 95, rel=0.03)


def test_the_pace_grows_again() -> None:
    clock = Clock()
    workers = Workers(clock=clock)
    send(workers, clock, 300, 0.01)
    workers.observe(429, {})
    rates = []
    for seconds in (20, 20, 20, 60):
        clock.now += seconds
        first, *_, last = send(workers, clock, 11, 0)
        rates.append(round(10 / (last - first)))
    assert rates == [97, 104, 120, 653]


def seconds_for(calls: int, is_refused: Callable[[int, float], bool], gap: float = 0.02) -> float:
    """Send calls one after the other, those that are refused with a pause of a second, and return how long it takes."""
    clock = Clock()
    workers = Workers(clock=clock)
    began = clock.now
    for number in range(1, calls + 1):
        (at,) = send(workers, clock, 1, gap)
        if is_refused(number, at):
            workers.observe(429, {"Retry-After": "1"})
        else:
            workers.succeeded()
    return clock.now - began


def test_refusals_of_a_few_calls_that_slower_calls_do_not_end_are_pauses_and_no_more() -> None:
    took = seconds_for(1500, lambda number, at: number % 41 == 0)
    assert 30 + 36 < took < 30 + 36 + 15  # the calls, the pauses, and to find out


def test_a_pace_that_is_too_fast_is_met_though_few_calls_are_refused() -> None:
    taken: Counter[int] = Counter()

    def is_refused(number: int, at: float) -> bool:
        taken[int(at)] += 1
        return taken[int(at)] > 40

    assert seconds_for(1200, is_refused) < 1200 / 40 + 10
    assert sum(max(0, count - 40) for count in taken.values()) < 6


def test_a_refusal_of_one_of_the_first_calls_slows_the_others_for_seconds() -> None:
    assert seconds_for(1500, lambda number, at: number == 3) < 30 + 20


def test_a_refusal_of_the_first_call_is_no_end() -> None:
    clock = Clock()
    workers = Workers(clock=clock)
    assert workers.may_send()
    workers.observe(429, {})
    assert workers.number == 3
    clock.now += 60
    assert max(workers.reserve() for _ in range(100)) < 3


def test_retry_after_slows_everybody() -> None:
    clock = Clock()
    workers = Workers(8, clock=clock)
    assert workers.reserve() == 0
    workers.observe(429, {"Retry-After": "3"})
    assert not workers.may_send()
    assert workers.reserve() == 3
    workers.observe(429, {"Retry-After": "1"})
    clock.now += 1
    assert workers.reserve() == 2
    assert workers.number == 8  # a number is a number
    clock.now += 2
    assert workers.may_send()


def test_never_more_than_the_service_says_is_left() -> None:
    workers = Workers(clock=Clock())
    succeed(workers, 2000)
    most = workers.number
    workers.observe(200, {"x-ratelimit-remaining-requests": "7"})
    assert workers.number == 7
    workers.observe(200, {"x-ratelimit-remaining-requests": "0"})
    assert workers.number == 1
    workers.observe(200, {"x-ratelimit-remaining-requests": "many"})
    assert workers.number == most
    workers.succeeded(200)
    workers.observe(200, {"x-ratelimit-remaining-requests": "50", "x-ratelimit-remaining-tokens": "1000"})
    assert workers.number == 5
    workers.observe(200, {"x-ratelimit-remaining-requests": "5000"})
    assert workers.number == most


def test_an_executor_gets_as_many_prompts_at_once_as_it_answers_in_three_quarters_of_a_second() -> None:
    workers = Workers(8)
    assert workers.bundle == 1
    for seconds, bundle in ((0.1, 7), (0.1, 7), (30.0, 1)):
        workers.succeeded(seconds=seconds)
        assert workers.bundle == bundle
    quick = Workers(8)
    quick.succeeded(seconds=0.0)
    assert quick.bundle == 10


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (200, {"x-ratelimit-remaining-requests": "500"})])
def test_a_service_with_limits_gets_prompts_one_by_one(status: int, headers: dict[str, str]) -> None:
    workers = Workers()
    workers.succeeded(seconds=0.001)
    assert workers.bundle == 10
    workers.observe(status, headers)
    assert workers.bundle == 1


def sent_at(meter: LocalMeter, clock: Clock, tokens: list[int]) -> list[float]:
    return [round(meter.reserve(count) + clock.now - 100, 3) for count in tokens]


def test_requests_are_spread_evenly() -> None:
    clock = Clock()
    meter = LocalMeter(rpm=120, clock=clock)
    assert sent_at(meter, clock, [1] * 4) == [0, 0.5, 1, 1.5]
    clock.now += 10
    assert sent_at(meter, clock, [1] * 3) == [10, 10.5, 11]


def test_tokens_are_counted_and_corrected() -> None:
    clock = Clock()
    meter = LocalMeter(tpm=600, clock=clock)  # ten a second, a hundred at once
    assert sent_at(meter, clock, [60, 60, 60]) == [0, 0, 2]
    clock.now += 2
    meter.correct(-40)  # the last one took 20
    assert sent_at(meter, clock, [10]) == [4]
    clock.now += 1000
    assert sent_at(meter, clock, [100, 1, 1]) == [1002, 1002, 1002.1]


def test_a_call_that_was_closed_waits_no_longer() -> None:
    slept: list[float] = []
    meter = LocalMeter(rpm=1, clock=Clock())
    meter.reserve(1)
    wait_for_place(meter, 1, lambda: len(slept) >= 3, slept.append)
    assert len(slept) == 3


def test_a_prompt_is_estimated_by_its_characters() -> None:
    assert tokens_of(Prompt.of(None, "12345678")) == 3
    assert tokens_of(Prompt.of(None, "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 8)) == 7  # three bytes each
    assert tokens_of(Prompt.of(None, "12345678", max_tokens=100)) == 103


class Answers(BaseProvider):
    def begin(self, prompt: Prompt) -> Iterator[Any]:
        yield "yes"
        yield Usage(30, 20, 50)
        yield Finish()


def test_the_pace_of_a_client_counts_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = Clock(), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("g4f_lite.batch.pace.time.monotonic", clock)
    monkeypatch.setattr("g4f_lite.batch.pace.time.sleep", sleep)
    pace = Pace(rpm=600, tpm=60_000)
    pace._meter = LocalMeter(600, 60_000, clock=clock)
    client = Client(Answers(), pace=pace)
    monkeypatch.setattr("g4f_lite.batch.pace.wait_for_place.__defaults__", (sleep, None))
    for _ in range(5):
        assert client.ask("Hello") == "yes"
    assert sum(slept) == pytest.approx(0.4)
    assert pace.meter._left == pytest.approx(10_000 - 250 + 0.4 * 1000, abs=200)  # type: ignore[attr-defined]


@pytest.mark.parametrize("settings", [{"rpm": 3}, {"tpm": 600}])
def test_a_call_does_not_wait_for_a_pace_beyond_its_time_limit(settings: dict[str, float]) -> None:
    pace = Pace(**settings)
    client = Client(scripted := Scripted("one", "two"), pace=pace)
    assert client.ask("x" * 6000) == "one"
    meter: Any = pace.meter
    before = (meter._next, meter._left)
    with pytest.raises(DeadlineExceededError, match="the pace has no place for the prompt within") as caught:
        client.ask("Hello", timeout=2)
    assert caught.value.limit == "total"
    assert len(scripted.calls) == 1
    assert meter._next == before[0]  # no place was taken
    assert meter._left >= before[1]


def test_a_batch_waits_for_the_pace_of_its_client_before_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.pace.LocalMeter.reserve", lambda meter, tokens, longest=math.inf: 0.12)
    client = Client(Scripted("one", "two"), timeout=0.1, pace=Pace(rpm=3))
    assert client.map(["a", "b"], workers=1).texts() == ["one", "two"]


def test_a_pace_can_be_pickled_without_its_counts() -> None:
    pace = Pace(rpm=5)
    assert pace.meter is not None
    assert pickle.loads(pickle.dumps(pace))._meter is None
    assert repr(pace) == "Pace(rpm=5, tpm=None)"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, TypeError, "a Pace needs rpm="),
        ({"rpm": 0}, ValueError, "rpm must be above 0"),
        ({"rpm": float("nan")}, ValueError, "rpm must be above 0"),
        ({"tpm": True}, TypeError, "tpm must be a number, not bool"),
        ({"rpm": 1, "storage": 5}, TypeError, "storage must be a URL"),
        ({"rpm": 1, "storage": "localhost"}, ValueError, "storage must be a URL"),
        ({"rpm": 1, "storage": "redis://:secret@[::1"}, ValueError, r"storage must be a URL .*, not 'redis://\*\*\*@"),
    ],
)
def test_bad_settings_of_a_pace_are_refused(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Pace(**settings)


def test_a_shared_pace_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "limits", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "g4f-lite\[batch\]"'):
        Client(Answers(), pace=Pace(rpm=5, storage="redis://127.0.0.1:1")).ask("Hello")


@pytest.mark.parametrize("url", ["memory://:secret@host", "memory://host?password=secret"])
def test_the_password_of_a_storage_is_not_pickled(url: str) -> None:
    pytest.importorskip("limits")
    client = Client(Answers(), pace=Pace(rpm=600, storage=url))
    pickled = pickle.dumps(client)
    assert b"secret" not in pickled
    again = pickle.loads(pickle.dumps(pickle.loads(pickled)))
    for _ in range(2):
        with pytest.raises(ProviderNotConfiguredError, match=r"the password of the storage memory:.* was not pickled"):
            again.ask("Hello")
    assert client.ask("Hello")


def test_a_storage_without_a_password_is_pickled() -> None:
    pytest.importorskip("limits")
    again = pickle.loads(pickle.dumps(Client(Answers(), pace=Pace(rpm=600, storage="memory://user@host/0?db=1"))))
    assert again.ask("Hello")


def test_a_storage_that_sends_back_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = pytest.importorskip("limits")

    def refuse(*_: Any, **__: Any) -> bool:
        raise RuntimeError("unknown command 'AUTH', with args beginning with: 'pass-word-7'")

    monkeypatch.setattr(limits.strategies.SlidingWindowCounterRateLimiter, "hit", refuse)
    with pytest.raises(ProviderNotConfiguredError, match=r"beginning with: '\*\*\*'") as caught:
        Client(Answers(), pace=Pace(rpm=600, storage="memory://:pass-word-7@host")).ask("Hello")
    assert "pass-word-7" not in f"{caught.value.__cause__!r} {vars(caught.value)}"


def test_an_answer_is_given_whose_tokens_a_storage_cannot_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = pytest.importorskip("limits")
    client = Client(Answers(), pace=Pace(tpm=600, storage="memory://"))
    hit = limits.strategies.SlidingWindowCounterRateLimiter.hit

    def count_few(*arguments: Any, cost: int) -> bool:
        if cost > 5:  # what the answer took beyond its prompt
            raise RuntimeError("the server went away")
        return bool(hit(*arguments, cost=cost))

    monkeypatch.setattr(limits.strategies.SlidingWindowCounterRateLimiter, "hit", count_few)
    assert client.ask("Hello") == "yes"
    assert "the tokens of a call are not counted" in caplog.text
    assert "the server went away" in caplog.text


@pytest.mark.parametrize(
    ("storage", "allowed"),
    [
        ("memory://", True),
        ("redis://127.0.0.1:6379", True),
        ("redis://:secret@redis.example:6379", False),
        ("redis+cluster://redis.example:6379", False),
    ],
)
def test_a_storage_on_another_machine_is_refused_offline(
    storage: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("redis")
    limits = pytest.importorskip("limits")
    monkeypatch.setenv("G4F_LITE_OFFLINE", "1")
    opened: list[str] = []
    monkeypatch.setattr(
        limits.storage, "storage_from_string", lambda url, **_: opened.append(url) or limits.storage.MemoryStorage()
    )
    pace = Pace(rpm=5, storage=storage)
    if allowed:
        assert pace.meter
    else:
        refusal = r"nothing but loopback, and redis\S*://redis\.example:6379 is not"
        with pytest.raises(ProviderNotConfiguredError, match=refusal):
            pace.meter  # noqa: B018  it is made now
    assert opened == ([storage] if allowed else [])


@pytest.mark.parametrize("place", ["nosuch://{}@host", "redis+cluster://{}@127.0.0.1:1"])
def test_a_storage_that_cannot_be_used_is_named_without_its_password(place: str) -> None:
    for package in ("limits", "redis"):
        pytest.importorskip(package)
    told = re.escape(f"the storage {place.format('***')} cannot be used")
    with pytest.raises(ProviderNotConfiguredError, match=told):
        Client(Answers(), pace=Pace(rpm=5, storage=place.format(":secret"))).ask("Hello")
