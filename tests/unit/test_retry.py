"""The policy in numbers: waits, attempts, the budget."""

from __future__ import annotations

import math
import os
import pickle
import random
import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import tenacity

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    ChallengeError,
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    HookError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    QuotaExceededError,
    RateLimitError,
    RefusalError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    TransportError,
)
from g4f_lite.http.cooldown import CoolDowns
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.exchange import Exchange
from g4f_lite.http.pool import PooledSession
from g4f_lite.http.retry import RetryBudget, attempts, is_retryable, may_pass, retrying
from g4f_lite.timeout import Allowance


class Call(Deadline):
    """A call whose sleeps are noted, and take no time but the clock's."""

    def __init__(self, total: float | None = None, *, has_fallback: bool = False) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        super().__init__(Timeout(total=total), Allowance(has_fallback=has_fallback), clock=lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def _run(policy: RetryPolicy | None, call: Call, error: G4FLiteError, **more: Any) -> int:
    """Fail with ``error`` until the policy gives up; give the number of attempts."""
    attempts = 0

    def action() -> None:
        nonlocal attempts
        attempts += 1
        raise error

    more = {"budget": RetryBudget(), "draw": lambda low, high: high, **more}
    budget = more.pop("budget")
    with pytest.raises(type(error)) as caught:
        retrying(policy, call, budget, lambda *_: None, **more)(action)
    assert caught.value is error
    return attempts


def test_the_defaults() -> None:
    policy = RetryPolicy()
    assert (policy.attempts, policy.backoff, policy.max_backoff, policy.max_retry_after) == (3, 0.5, 8.0, 60.0)
    assert policy.statuses == {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert RetryPolicy(statuses={500}).statuses == frozenset({500})  # type: ignore[arg-type]


@pytest.mark.parametrize("attempts", [0, -1])
def test_fewer_than_one_attempt_is_a_value_error(attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts"):
        RetryPolicy(attempts=attempts)


@pytest.mark.parametrize("attempts", [1.5, True, "3", None])
def test_half_an_attempt_is_a_type_error(attempts: Any) -> None:
    with pytest.raises(TypeError, match="attempts"):
        RetryPolicy(attempts=attempts)


@pytest.mark.parametrize("name", ["backoff", "max_backoff", "max_retry_after"])
@pytest.mark.parametrize("bad", [-1, math.nan])
def test_no_wait_is_negative(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**{name: bad})  # type: ignore[arg-type]


def test_waits_grow_to_a_limit() -> None:
    call = Call()
    assert _run(RetryPolicy(attempts=8), call, TransportError("x")) == 8
    assert call.slept == [0.5, 1, 2, 4, 8, 8, 8]


def test_each_wait_is_drawn_from_zero_to_its_limit() -> None:
    drawn: list[tuple[float, float]] = []
    call = Call()
    _run(RetryPolicy(), call, TransportError("x"), draw=lambda low, high: drawn.append((low, high)) or 0.1)
    assert drawn[:2] == [(0, 0.5), (0, 1)]
    assert call.slept == [0.1, 0.1]


@pytest.mark.once
def test_the_draw_is_uniform() -> None:
    """All of the range is used, or threads that failed together come back together."""
    random.seed(7)
    call = Call()
    for _ in range(500):
        _run(RetryPolicy(attempts=2, backoff=2), call, TransportError("x"), draw=random.uniform)
    seeded, call.slept = call.slept, []
    random.seed(7)
    for _ in range(500):  # as it is where nothing is given
        with pytest.raises(TransportError):
            retrying(RetryPolicy(attempts=2, backoff=2), call, RetryBudget(), lambda *_: None)(_fail)
    assert call.slept == seeded
    assert 0 <= min(seeded) < 0.02
    assert 1.98 < max(seeded) <= 2
    assert sum(seeded) / len(seeded) == pytest.approx(1, abs=0.1)


def _fail() -> None:
    raise TransportError("x")


@pytest.mark.once
def test_a_great_many_attempts_do_not_overflow() -> None:
    assert _run(RetryPolicy(attempts=2000, budget=math.inf), Call(), TransportError("x")) == 2000


def test_none_is_one_attempt() -> None:
    call = Call()
    assert _run(None, call, TransportError("x")) == 1
    assert call.slept == []


@pytest.mark.parametrize(
    ("asked", "total", "attempts", "waits"),
    [
        (5, None, 3, [5, 5]),
        (60, None, 3, [60, 60]),
        (60.5, None, 1, []),
        (math.inf, None, 1, []),
        (5, 12, 3, [5, 5]),
        (5, 7, 2, [5]),
        (8, 10, 2, [8]),
        (8.1, 10, 1, []),  # less than a fifth of the time would be left for the answer
        (5, 5, 1, []),
        (5, 4, 1, []),
    ],
)
def test_retry_after_is_waited_for_where_it_fits(
    asked: float, total: float | None, attempts: int, waits: list[float]
) -> None:
    call = Call(total)
    assert _run(RetryPolicy(), call, RateLimitError("slow", status=429, retry_after=asked)) == attempts
    assert call.slept == waits


@pytest.mark.parametrize("asked", [0, 0.05])
def test_a_moment_that_is_asked_for_again_and_again_is_kept_once(asked: float) -> None:
    call = Call(None)
    assert _run(RetryPolicy(attempts=4), call, RateLimitError("slow", status=429, retry_after=asked)) == 4
    assert call.slept[0] == asked
    assert min(call.slept[1:]) > asked


@pytest.mark.parametrize("who", ["this call", "another call"])
def test_a_timeout_says_what_was_a_wait_for_the_service(who: str) -> None:
    call = Call(total=8)
    service = SimpleNamespace(
        name="mine",
        on_retry=None,
        budget=RetryBudget(),
        cool_downs=CoolDowns(clock=lambda: call.now, draw=lambda low, high: low),
    )
    limits = [RateLimitError("slow", retry_after=6)]
    if who == "another call":
        service.cool_downs.begin("m", 6, 60)
        limits.clear()

    def action() -> None:
        if limits:
            raise limits.pop()
        call.now = 8
        call.check()

    with (
        pytest.raises(DeadlineExceededError) as caught,
        Exchange(PooledSession(requests.Session()), call, name="mine") as exchange,
    ):
        attempts(service, exchange, action, RetryPolicy(), model="m")
    assert caught.value.waited == 6
    assert "the total time limit of 8 s passed" in str(caught.value)
    assert str(caught.value).endswith("; the call waited 6.0 s because the service had asked for it")
    assert pickle.loads(pickle.dumps(caught.value)).waited == 6


@pytest.mark.parametrize(
    ("retry", "has_fallback", "times"),
    [
        (RetryPolicy(), False, 3),
        (RetryPolicy(), True, 1),
        (tenacity.Retrying(stop=tenacity.stop_after_attempt(2)), True, 2),
    ],
)
@pytest.mark.parametrize("limit", ["connect", "read"])
def test_after_a_timeout_another_provider_is_asked_where_there_is_one(
    retry: RetryPolicy | tenacity.Retrying, has_fallback: bool, times: int, limit: str
) -> None:
    tried: list[int] = []

    def action() -> None:
        tried.append(1)
        raise DeadlineExceededError("no connection", limit=limit)

    service = SimpleNamespace(name="mine", on_retry=None, budget=RetryBudget(), cool_downs=CoolDowns())
    with (
        pytest.raises(DeadlineExceededError),
        Exchange(PooledSession(requests.Session()), Call(has_fallback=has_fallback), name="mine") as exchange,
    ):
        attempts(service, exchange, action, retry, model="m")
    assert len(tried) == times


def test_no_sleep_passes_the_total_limit() -> None:
    call = Call(total=1.6)
    assert _run(RetryPolicy(attempts=9), call, TransportError("x")) == 3
    assert call.slept == [0.5, 1]


def test_a_closed_call_is_not_tried_again() -> None:
    call = Call()
    call.end("closed")
    assert _run(RetryPolicy(), call, TransportError("x")) == 1


def test_the_budget_is_20_and_a_success_gives_half_back() -> None:
    budget = RetryBudget()
    assert [budget.take() for _ in range(21)] == [True] * 20 + [False]
    budget.give_back()
    assert not budget.take()
    budget.give_back()
    assert budget.take()
    assert not budget.take()
    for _ in range(100):
        budget.give_back()
    assert [budget.take() for _ in range(21)] == [True] * 20 + [False]


def test_a_copy_of_a_budget_is_full() -> None:
    budget = RetryBudget()
    while budget.take():
        pass
    assert pickle.loads(pickle.dumps(budget)).take()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # newer Pythons warn of threads at a fork
def test_a_child_is_not_locked_out_by_a_thread_of_its_parent() -> None:
    taking = threading.Event()

    class Slow(RetryBudget):
        @property
        def spent(self) -> float:
            taking.set()
            time.sleep(0.05)  # in the middle of take()
            return 0.0

        @spent.setter
        def spent(self, value: float) -> None: ...

    budget = Slow()
    taking.clear()
    thread = threading.Thread(target=budget.take)
    thread.start()
    assert taking.wait(5)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os._exit(0 if budget.take() else 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_budget_there_is_one_attempt_and_only_retries_cost() -> None:
    budget = RetryBudget()
    for _ in range(10):
        assert _run(RetryPolicy(), Call(), TransportError("x"), budget=budget) == 3
    assert _run(RetryPolicy(), Call(), TransportError("x"), budget=budget) == 1
    budget = RetryBudget()
    for _ in range(30):
        assert _run(RetryPolicy(), Call(), ServiceError("x"), budget=budget) == 1
    assert sum(budget.take() for _ in range(30)) == 20


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransportError("x"), True),
        (TransportError("x", cause="dns"), True),
        (TransportError("x", cause="tls"), False),
        (TransportError("x", cause="proxy"), False),
        (DeadlineExceededError("x", limit="connect"), True),
        (DeadlineExceededError("x", limit="read"), True),
        (DeadlineExceededError("x", limit="total"), False),
        (DeadlineExceededError("x", limit="first"), False),
        (ResponseStatusError("x", status=503), True),
        (ResponseStatusError("x", status=501), False),
        (RateLimitError("x", status=429), True),
        (RateLimitError("x", status=200), True),
        (RateLimitError("x", status=403), True),
        (RateLimitError("x"), True),
        (RateLimitError("x", retry_after=61), False),
        (QuotaExceededError("x", status=429), False),
        (QuotaExceededError("x"), False),
        (AuthenticationError("x", status=401), False),
        (ServiceError("x", status=500), True),
        (ServiceError("x", status=500, may_retry=False), False),
        (ServiceError("x", status=501), False),
        (ServiceError("x", status=200), False),
        (ServiceError("x"), False),
        (ProviderError("x", status=503), True),
        (ResponseFormatError("x", status=503), False),
        (HookError("x", status=503), False),
        (ChallengeError("x", status=503), False),
        (EmptyResponseError("x"), False),
        (StreamInterruptedError("x"), False),
        (None, False),
        (KeyError("x"), False),
    ],
)
def test_what_may_be_sent_again(error: BaseException | None, expected: bool) -> None:
    assert is_retryable(error, RetryPolicy(), math.inf) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RateLimitError("too many requests"), True),
        (QuotaExceededError("no credit is left"), False),
        (QuotaExceededError("no tokens are left today", retry_after=3600), True),
        (TransportError("could not connect"), True),
        (TransportError("no such name", cause="dns"), True),
        (TransportError("a certificate that has expired", cause="tls"), False),
        (TransportError("the proxy wants a password", cause="proxy"), False),
        (DeadlineExceededError("too late", limit="total"), True),
        (StreamInterruptedError("cut"), True),
        (ServiceError("overloaded", status=529), True),
        (ServiceError("in trouble", status=500), True),
        (ResponseStatusError("out of order", status=503), True),
        (ResponseStatusError("wrong", status=400), False),
        (ResponseStatusError("wrong now", status=400, retry_after=5), True),
        (ServiceError("wrong", status=200), False),
        (ProviderError("skipped", retry_after=30), True),
        (ProviderError("skipped"), False),
        (ChallengeError("are you human?", status=503, retry_after=5), False),
        (AuthenticationError("a wrong key", status=401, retry_after=5), False),
        (HookError("a mistake", status=503), False),
        (ModelNotSupportedError("no such model"), False),
        (ProviderNotConfiguredError("no weights"), False),
        (RuntimeError("a mistake"), False),
        (AllProvidersFailedError("none"), False),
        (AllProvidersFailedError("none", errors=[RefusalError("no"), RateLimitError("x")]), True),
        (AllProvidersFailedError("none", errors=[AuthenticationError("a wrong key")]), False),
    ],
)
def test_what_may_pass_by_itself(error: BaseException, expected: bool) -> None:
    assert may_pass(error) is expected


def test_a_policy_without_429_does_not_retry_it() -> None:
    policy = RetryPolicy(statuses=frozenset({503}))
    assert not is_retryable(RateLimitError("x", status=429), policy, math.inf)
    assert is_retryable(ResponseStatusError("x", status=503), policy, math.inf)
