"""A chain whose members are all blocked by a rate limit waits for the one that is free first, if a call may wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tenacity

from g4f_lite import (
    AllProvidersFailedError,
    AuthenticationError,
    Client,
    Fallback,
    ModelNotSupportedError,
    Prompt,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    TransportError,
)
from g4f_lite.errors import G4FLiteError
from g4f_lite.providers import turns
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS
from g4f_lite.testing import Scripted


class Clock:
    """A clock that goes on when somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.meanwhile: Callable[[], object] = list
        monkeypatch.setattr(turns, "wait_for", self.wait)

    def __call__(self) -> float:
        return self.now

    def wait(self, event: Any, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    @property
    def waited(self) -> float:
        return self.now - 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def slow(seconds: float) -> RateLimitError:
    return RateLimitError("slow down", retry_after=seconds)


def blocked(clock: Clock, *members: Scripted, each: float | None = None) -> Fallback:
    """Make a chain whose members have each failed once."""
    chain = Fallback(members, clock=clock, each=each)
    with pytest.raises(AllProvidersFailedError):
        chain.ask("first", retry=None)
    return chain


def test_the_one_that_is_free_first_is_waited_for_and_asked(clock: Clock) -> None:
    first, second = Scripted(slow(40), "one"), Scripted(slow(20), "two")
    chain = blocked(clock, first, second)
    assert chain.ask("Hello") == "two"
    assert (clock.waited, len(first.calls), len(second.calls)) == (20, 1, 2)


def test_each_prompt_of_a_job_gets_its_answer(clock: Clock) -> None:
    first, second = Scripted(slow(5), "1", slow(5), "3"), Scripted(TransportError("down"), *["2"] * 9)
    client = Client(Fallback([first], clock=clock))
    with pytest.raises(AllProvidersFailedError):
        client.ask("0")
    assert client.ask("1") == "1"
    with pytest.raises(AllProvidersFailedError):
        client.ask("2")
    assert client.ask("3") == "3"
    assert (clock.waited, second.calls) == (10, [])


def test_nobody_is_waited_for_while_another_answers(clock: Clock) -> None:
    chain = Fallback([Scripted(slow(5)), Scripted("two", "two")], clock=clock)
    assert [chain.ask("Hello") for _ in range(2)] == ["two", "two"]
    assert clock.waited == 0


def test_who_is_blocked_is_waited_for_where_the_others_fail(clock: Clock) -> None:
    down = TransportError("down")
    chain = blocked(clock, Scripted(slow(30), "one"), Scripted(down, down))
    assert chain.ask("Hello") == "one"
    assert clock.waited == 30


def test_each_is_asked_once(clock: Clock) -> None:
    first, second = Scripted(slow(20), slow(9)), Scripted(slow(40), slow(8))
    chain = blocked(clock, first, second)
    with pytest.raises(AllProvidersFailedError) as caught:
        chain.ask("Hello")
    assert [str(error) for error in caught.value.errors] == [
        f"Scripted: slow down; the call waited {waited} s because the service had asked for it; {asked}"
        for waited, asked in (("20.0", "try again in 9 s"), ("40.0", "try again in 8 s"))
    ]
    assert (clock.waited, len(first.calls), len(second.calls)) == (40, 2, 2)


@pytest.mark.parametrize(
    ("seconds", "options", "waits"),
    [
        (59, {}, True),
        (61, {}, False),
        (20, {"timeout": 26}, True),
        (20, {"timeout": 24}, False),  # less than a fifth of the time would be left for the answer
        (20, {"timeout": Timeout(total=None)}, True),
        (20, {"retry": None}, False),
        (20, {"retry": RetryPolicy(attempts=1)}, True),
        (20, {"retry": RetryPolicy(max_retry_after=19)}, False),
        (90, {"retry": RetryPolicy(max_retry_after=100)}, True),
        (20, {"retry": tenacity.Retrying(stop=tenacity.stop_after_attempt(2))}, True),
    ],
)
def test_what_a_call_waits_for(seconds: float, options: dict[str, Any], waits: bool, clock: Clock) -> None:
    member = Scripted(slow(seconds), "one")
    chain = blocked(clock, member)
    if waits:
        assert chain.ask("Hello", **options) == "one"
        assert clock.waited == seconds
    else:
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.ask("Hello", **options)
        assert (caught.value.retry_after, len(member.calls), clock.waited) == (seconds, 1, 0)
        assert "skipped, because it failed before" in str(caught.value)


@pytest.mark.parametrize("retry", [None, RetryPolicy(max_retry_after=10)])
def test_the_policy_is_that_of_the_member(retry: RetryPolicy | None, clock: Clock) -> None:
    impatient, patient = Scripted(slow(20), "one"), Scripted(slow(30), "two")
    impatient.retry = retry  # type: ignore[attr-defined]
    assert blocked(clock, impatient, patient).ask("Hello") == "two"
    assert clock.waited == 30


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (slow(20), True),
        (ResponseStatusError("busy", status=503, retry_after=20), True),
        (QuotaExceededError("used up", retry_after=20), False),
        (TransportError("down"), False),
        (ProviderError("down"), False),
    ],
)
def test_only_a_wait_that_the_service_asked_for_is_waited_for(error: G4FLiteError, waits: bool, clock: Clock) -> None:
    member = Scripted(*[error] * FAILURES_TO_OPEN, "again")
    chain = Fallback([member], clock=clock)
    for number in range(FAILURES_TO_OPEN):
        clock.now = 1000.0 - 20 * (FAILURES_TO_OPEN - 1 - number)
        with pytest.raises(AllProvidersFailedError):
            chain.ask("Hello")
    assert clock.now == 1000
    if waits:
        assert chain.ask("Hello") == "again"
        assert clock.waited == OPEN_SECONDS
    else:
        with pytest.raises(AllProvidersFailedError):
            chain.ask("Hello")
        assert (clock.waited, len(member.calls)) == (0, FAILURES_TO_OPEN)


def test_who_does_not_accept_the_prompt_is_not_waited_for(clock: Clock) -> None:
    class TextOnly(Scripted):
        def check(self, prompt: Prompt) -> None:
            prompt.check_text_only("TextOnly")

    down = TransportError("down")
    chain = blocked(clock, Scripted(down, down), TextOnly(slow(20), "two"))
    with pytest.raises(AllProvidersFailedError):
        chain.ask("Hello", images=b"\x89PNG\r\n\x1a\n")
    assert clock.waited == 0


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize(
    ("before", "model", "waits"),
    [
        (None, "mistyped", False),
        (None, None, True),
        ("large", "mistyped", False),
        ("large", "large", True),  # of which its service has not said that it lacks it
        (None, "own", True),
    ],
)
def test_a_model_that_others_lack_is_waited_for_only_where_it_was_asked_for_before(
    before: str | None, model: str | None, waits: bool, sent: bool, clock: Clock
) -> None:
    lacks = ModelNotSupportedError("no such model", status=404)

    class Small(Scripted):
        def check(self, prompt: Prompt) -> None:
            if not sent:
                raise lacks

    first = Scripted(slow(20), "one", model="own")
    chain = Fallback([first, Small(lacks, lacks)], clock=clock, on_fallback=lambda errors, answering: None)
    with pytest.raises(AllProvidersFailedError):
        chain.ask("first", model=before, retry=None)
    if waits:
        assert chain.ask("Hello", model=model) == "one"
    else:
        with pytest.raises(AllProvidersFailedError, match="no such model"):
            chain.ask("Hello", model=model)
    assert clock.waited == (20 if waits else 0)


def test_a_model_that_a_service_has_refused_is_not_waited_for_again(clock: Clock) -> None:
    lacks = ModelNotSupportedError("no such model", status=404)
    chain = Fallback([Scripted(slow(20), lacks, slow(20), "own"), Scripted(*[lacks] * 4)], clock=clock)
    for model, waited in (("mistyped", 20), (None, 20), ("mistyped", 20)):
        with pytest.raises(AllProvidersFailedError, match="no such model"):
            chain.ask("Hello", model=model, retry=RetryPolicy() if model else None)
        assert clock.waited == waited


def test_a_success_of_another_call_ends_the_wait(clock: Clock) -> None:
    member = Scripted(slow(30), "one")
    chain = blocked(clock, member)
    clock.meanwhile = lambda: chain._members[0].breaker.begun() if clock.waited >= 10 else None
    assert chain.ask("Hello") == "one"
    assert 10 <= clock.waited < 30


def test_closing_ends_the_wait(clock: Clock) -> None:
    member = Scripted(slow(30), "one")
    stream = blocked(clock, member).stream("Hello")
    clock.meanwhile = stream.close
    with pytest.raises(StreamInterruptedError):
        stream.text()
    assert (clock.waited <= 1, len(member.calls)) == (True, 1)


def test_a_chain_in_a_chain_waits_in_its_share(clock: Clock) -> None:
    inner = Scripted(slow(20), slow(20), "one")
    chain = Fallback([Fallback([inner], clock=clock), Scripted(slow(40), "two", "two")], clock=clock)
    with pytest.raises(AllProvidersFailedError):
        chain.ask("Hello", retry=None)
    assert chain.ask("Hello", timeout=60) == "two"


@pytest.mark.parametrize(
    ("seconds", "retry", "waits"),
    [
        (20, RetryPolicy(), True),
        (9, RetryPolicy(), True),
        (8, RetryPolicy(), False),  # which the member has waited for itself
        (60, RetryPolicy(), True),
        (61, RetryPolicy(), False),
        (20, RetryPolicy(max_backoff=19), True),
        (20, RetryPolicy(max_backoff=20), False),
        (20, RetryPolicy(max_retry_after=19), False),
        (20, RetryPolicy(attempts=1), False),
        (20, None, False),
        (20, tenacity.Retrying(stop=tenacity.stop_after_attempt(2)), False),
    ],
)
@pytest.mark.parametrize("of", ["the member", "the call"])
def test_a_long_wait_is_for_the_time_when_all_others_have_failed(
    seconds: float, retry: Any, waits: bool, of: str, clock: Clock
) -> None:
    first, second = Scripted(slow(seconds), "one"), Scripted(TransportError("down"))
    first.retry = retry  # type: ignore[attr-defined]
    chain = Fallback([first, second], clock=clock)
    options = {"retry": retry} if of == "the call" else {}
    if waits:
        assert chain.ask("Hello", **options) == "one"
    else:
        with pytest.raises(AllProvidersFailedError):
            chain.ask("Hello", **options)
    assert clock.waited == (seconds if waits else 0)
    assert len(second.calls) == 1


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (slow(20), True),
        (ResponseStatusError("busy", status=503, retry_after=20), True),
        (ResponseStatusError("broken", status=501, retry_after=20), False),
        (QuotaExceededError("used up", retry_after=20), False),
        (AuthenticationError("no", status=401, retry_after=20), False),
        (ServiceError("no", retry_after=20), False),
        (TransportError("down"), False),
    ],
)
def test_what_would_not_have_been_sent_again_is_not_waited_for(error: G4FLiteError, waits: bool, clock: Clock) -> None:
    first = Scripted(error, "one")
    chain = Fallback([first, Scripted(TransportError("down"))], clock=clock)
    if waits:
        assert chain.ask("Hello") == "one"
    else:
        with pytest.raises(AllProvidersFailedError):
            chain.ask("Hello")
    assert (clock.waited, len(first.calls)) == ((20, 2) if waits else (0, 1))


def test_the_last_one_is_not_asked_again(clock: Clock) -> None:
    first, last = Scripted(TransportError("down")), Scripted(slow(20), "two")
    with pytest.raises(AllProvidersFailedError):
        Fallback([first, last], clock=clock).ask("Hello")
    assert (clock.waited, len(last.calls)) == (0, 1)


def test_a_chain_with_others_behind_it_leaves_a_long_wait_to_the_outer_one(clock: Clock) -> None:
    inner, second = Scripted(slow(20), "one"), Scripted("two", "two", TransportError("down"))
    chain = Fallback([Fallback([inner, Scripted(*[TransportError("down")] * 9)], clock=clock), second], clock=clock)
    assert [chain.ask("Hello") for _ in range(2)] == ["two", "two"]
    assert clock.waited == 0
    assert chain.ask("Hello") == "one"
    assert clock.waited == 20


def test_a_chain_in_a_chain_is_waited_for_where_the_others_fail(clock: Clock) -> None:
    down = TransportError("down")
    inner = Fallback([Scripted(slow(20), "one"), Scripted(down)], clock=clock)
    assert Fallback([inner, Scripted(down)], clock=clock).ask("Hello") == "one"
    assert clock.waited == 20


def test_a_clock_that_stands_still_ends_the_wait(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    chain = blocked(clock, Scripted(slow(30), "one"))
    monkeypatch.setattr(turns, "wait_for", lambda event, seconds: waits.append(seconds))
    with pytest.raises(AllProvidersFailedError):
        chain.ask("Hello")
    assert sum(waits) <= RetryPolicy().max_retry_after


def test_a_member_that_was_waited_for_was_not_passed_over(clock: Clock) -> None:
    class Down(Scripted):
        """A provider with another name."""

    chain = Fallback([Scripted(slow(20.0), "yes"), Down(TransportError("no network"))], clock=clock)
    stream = chain.stream("Hello")
    assert (stream.text(), clock.waited) == ("yes", 20.0)
    assert stream.source.passed_over == {"Down": "no network"}
