"""A member of a chain does not wait long for its service while another one may answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tenacity

from g4f_lite import AllProvidersFailedError, Client, Fallback, OpenAICompatible, RetryPolicy
from g4f_lite.batch import run
from g4f_lite.http import deadline
from g4f_lite.http.cooldown import CoolDowns
from g4f_lite.providers import selection, turns
from g4f_lite.providers.openai.presets import PRESETS

from .conftest import Provide
from .openai_answers import HELLO, piece, refused, streamed
from .raw_server import RawServer, every

TOO_LONG = refused({"message": "slow down"}, "429 Too Many Requests", "Retry-After: 20")
BUSY = refused({"message": "busy"}, "503 Service Unavailable", "Retry-After: 20")
SHORT = refused({"message": "slow down"}, "429 Too Many Requests", "Retry-After: 0.02")
DOWN = refused({"message": "broken"}, "500 Internal Server Error")
OTHER = streamed(piece({"content": "Other"}, "stop"))
WRONG_KEY = refused({"message": "wrong key"}, "401 Unauthorized")
Waits = list[float]


class Clock:
    """A clock that goes on when a call waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(turns, "wait_for", self.wait)
        monkeypatch.setattr(deadline, "wait", self.wait)

    def __call__(self) -> float:
        return self.now

    def wait(self, event: object, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def waits() -> Waits:
    """Give the list of the waits of the first member."""
    return []


@pytest.fixture(autouse=True)
def _a_batch_looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other workers of a batch see soon that a pause is over."""
    monkeypatch.setattr(run, "_LOOK_SECONDS", 0.02)


@pytest.fixture
def limited(provide: Provide, waits: Waits) -> Iterator[OpenAICompatible]:
    """Give a provider whose service asks each prompt to wait for 20 s."""
    with RawServer(every(TOO_LONG)) as server:
        yield provide(
            server, timeout=600, retry=RetryPolicy(), on_retry=lambda error, attempt, wait: waits.append(wait)
        )


@pytest.fixture
def healthy(provide: Provide) -> Iterator[OpenAICompatible]:
    with RawServer(every(OTHER)) as server:
        yield provide(server, timeout=600, retry=RetryPolicy())


WAYS: dict[str, Callable[[OpenAICompatible, OpenAICompatible], object]] = {
    "chain": lambda *members: Fallback(members).ask("hi"),
    "stream of a chain": lambda *members: Fallback(members).stream("hi").text(),
    "client": lambda *members: Client(list(members)).ask("hi"),
    "create": lambda *members: Client(list(members)).chat.completions.create("hi").choices[0].message.content,
    "policy of the call": lambda *members: Client(list(members)).ask("hi", retry=RetryPolicy(attempts=9)),
    "chain in a chain": lambda first, second: Fallback([Fallback([first]), second]).ask("hi"),
    "chain behind": lambda first, second: Fallback([first, Fallback([second])]).ask("hi"),
    "texts": lambda *members: Client(list(members)).map(["hi"] * 3, progress=False).texts()[2],
    "map": lambda *members: [result.answer for result in Client(list(members)).map(["hi"] * 3)][2],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_long_wait_of_the_first_is_not_waited_for(
    way: str, limited: OpenAICompatible, healthy: OpenAICompatible, waits: Waits
) -> None:
    assert WAYS[way](limited, healthy) == "Other"
    assert waits == []


def test_a_chain_of_the_environment_goes_on_too(
    limited: OpenAICompatible, healthy: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, member in (("ollama", limited), ("lmstudio", healthy)):
        monkeypatch.setitem(PRESETS, name, PRESETS[name]._replace(base_url=member.base_url, default_model="m"))
    monkeypatch.setattr(selection, "replacement", None)
    monkeypatch.setenv("G4F_LITE_PROVIDER", "ollama,lmstudio")
    with Client() as client:
        answer = client.ask("hi")
    assert (answer, answer.provider) == ("Other", "LM Studio")


def test_a_cool_down_of_another_call_is_not_waited_for(
    limited: OpenAICompatible, healthy: OpenAICompatible, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "g4f_lite")
    limited.cool_downs.begin("m", 20, 60)
    assert Fallback([limited, healthy]).ask("hi") == "Other"
    assert "waiting" not in caplog.text


def test_other_calls_of_the_member_keep_its_cool_down(limited: OpenAICompatible, healthy: OpenAICompatible) -> None:
    assert Fallback([limited, healthy]).ask("hi") == "Other"
    assert 15 < limited.cool_downs.wait("m", 60) <= 24


def test_a_short_wait_is_the_members_own(provide: Provide, healthy: OpenAICompatible, waits: Waits) -> None:
    with RawServer(every(SHORT, HELLO)) as server:
        first = provide(server, retry=RetryPolicy(), on_retry=lambda error, attempt, wait: waits.append(wait))
        assert Fallback([first, healthy]).ask("hi") == "Hello"
    assert waits == [0.02]


@pytest.mark.parametrize("others", [DOWN, OTHER])
def test_short_waits_are_the_members_own_until_they_are_a_long_one(
    others: bytes, provide: Provide, waits: Waits, clock: Clock
) -> None:
    with RawServer(every(SHORT, SHORT, HELLO)) as server, RawServer(every(others)) as behind:
        policy = RetryPolicy(max_backoff=0.03)
        first = provide(server, retry=policy, on_retry=lambda error, attempt, wait: waits.append(wait))
        first.cool_downs = CoolDowns(clock=clock, draw=lambda low, high: low)
        answer = Fallback([first, provide(behind)], clock=clock).ask("hi")
        assert (answer, len(behind.requests)) == ("Hello" if others == DOWN else "Other", 1)
    assert waits == ([0.02, 0.02] if others == DOWN else [0.02])  # the chain tells of its own wait as well


@pytest.mark.parametrize(
    "retry", [RetryPolicy(max_backoff=0.01), tenacity.Retrying(stop=tenacity.stop_after_attempt(1))]
)
def test_the_last_one_waits_as_long_as_it_does_alone(retry: Any, provide: Provide, waits: Waits) -> None:
    with RawServer(every(DOWN)) as down, RawServer(every(SHORT, HELLO)) as server:
        last = provide(
            server, retry=RetryPolicy(max_backoff=0.01), on_retry=lambda error, attempt, wait: waits.append(wait)
        )
        assert Fallback([provide(down, retry=retry), last]).ask("hi") == "Hello"
    assert waits == [0.02]


def test_the_first_one_is_waited_for_where_the_others_fail(provide: Provide, waits: Waits, clock: Clock) -> None:
    with RawServer(every(SHORT, HELLO)) as server, RawServer(every(DOWN)) as down:
        first = provide(
            server, retry=RetryPolicy(max_backoff=0.01), on_retry=lambda error, attempt, wait: waits.append(wait)
        )
        first.cool_downs = CoolDowns(clock=clock, draw=lambda low, high: low)
        answer = Fallback([first, provide(down)], clock=clock).ask("hi")
        assert (answer, len(server.requests), len(down.requests)) == ("Hello", 2, 1)
    assert waits == [0.02]  # the chain has waited, and the member's on_retry was told


@pytest.mark.parametrize(
    ("attempts", "seconds", "posts", "waited"),
    [
        (3, 60, 2, "60.0"),  # the second wait of a minute would be too much for the call
        (3, 20, 3, "40.0"),
        (9, 20, 4, "60.0"),
        (2, 20, 2, "20.0"),
    ],
)
def test_a_call_waits_no_longer_in_all_than_for_one_rate_limit(
    attempts: int, seconds: int, posts: int, waited: str, provide: Provide, clock: Clock
) -> None:
    slow = refused({"message": "slow down"}, "429 Too Many Requests", f"Retry-After: {seconds}")
    with RawServer(every(slow)) as server, RawServer(every(WRONG_KEY)) as other:
        first = provide(server, timeout=600, retry=RetryPolicy(attempts=attempts))
        first.cool_downs = CoolDowns(clock=clock, draw=lambda low, high: low)
        chain = Fallback([first, provide(other, timeout=600)], clock=clock)
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.ask("hi")
        assert (len(server.requests), len(other.requests)) == (posts, 1)
    error = caught.value.errors[0]
    assert (error.attempts, f"{clock.now:.1f}") == (posts, waited)
    assert f"({posts} attempts in {waited} s); the call waited {waited} s because" in str(error)


def test_a_tenacity_policy_keeps_its_waits(provide: Provide, healthy: OpenAICompatible, waits: Waits) -> None:
    patient = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_fixed(0.02))
    with RawServer(every(BUSY, HELLO)) as server:
        first = provide(server, timeout=600, retry=patient, on_retry=lambda error, attempt, wait: waits.append(wait))
        assert Fallback([first, healthy]).ask("hi") == "Hello"
    assert waits == [0.02]
