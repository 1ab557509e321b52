"""Rate limits of services that name no time to wait: the pauses that a batch makes, and what becomes of its prompts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from g4f_lite import AllProvidersFailedError, BatchStoppedError, Client, Fallback, G4FLiteError, RateLimitError
from g4f_lite.batch.causes import is_refused_for_now, wait_named_by
from g4f_lite.batch.workers import Workers
from g4f_lite.errors import ProviderError, QuotaExceededError, ResponseStatusError

from .batch_providers import Refuses, numbered

pytestmark = pytest.mark.filterwarnings("ignore:.* prompts? failed:UserWarning")


@pytest.fixture(autouse=True)
def _moments(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("_FIRST_PAUSE", 0.0001),
        ("_LAST_PAUSE", 0.002),
        ("_FIRST_TRY", 0.001),
        ("_LAST_TRY", 0.001),
    ):
        monkeypatch.setattr(f"g4f_lite.batch.workers.{name}", seconds)


def limited(is_refused: Callable[[str, int], bool]) -> Refuses:
    """Make a provider that refuses some of its calls, and names no time to wait.

    :param is_refused: gets the prompt and the number of the call, from 1
    """
    return Refuses(lambda text, count: RateLimitError("busy", status=429) if is_refused(text, count) else None)


@pytest.mark.parametrize("workers", [1, 4, "auto"])
def test_a_service_that_refuses_most_calls_answers_all_prompts(workers: int | str) -> None:
    provider = limited(lambda text, count: count > 1 and count % 3 > 0)
    results = Client(provider).map(numbered(40), workers=workers, progress=False)
    assert results.texts() == [text.upper() for text in numbered(40)]
    assert results.usage.failures == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_a_wait_of_less_than_a_second_is_none(workers: int) -> None:
    """A service that names 0 seconds and refuses all the same would be sent thousands of calls."""
    provider = Refuses(
        lambda text, count: RateLimitError("busy", status=429, retry_after=0.0) if count > 1 and count % 3 else None
    )
    results = Client(provider).map(numbered(40), workers=workers, progress=False)
    assert results.texts() == [text.upper() for text in numbered(40)]
    assert [wait_named_by(RateLimitError("busy", retry_after=wait)) for wait in (0.0, 0.9, 1.0)] == [None, None, 1.0]


def test_a_service_that_names_no_second_and_refuses_everything_stops_the_batch() -> None:
    provider = Refuses(lambda text, count: RateLimitError("busy", status=429, retry_after=0.0) if count > 1 else None)
    results = Client(provider).map(iter(numbered(1000)), workers=4, max_failures_in_a_row=5, progress=False)
    with pytest.raises(BatchStoppedError, match="it stops after 5 failures in a row"):
        results.texts()
    assert len(provider.asked) < 100


@pytest.mark.once
def test_a_chain_whose_members_are_all_limited_answers_all_prompts() -> None:
    """Some calls find both members skipped, because they have failed before."""
    members = [limited(lambda text, count: count > 1 and count % 4 > 0) for _ in range(2)]
    chain = Fallback(members, clock=itertools.count(step=0.25).__next__)  # 30 s of a breaker are 120 looks at it
    results = Client(chain).map(numbered(40), workers=2, progress=False)
    assert results.texts() == [text.upper() for text in numbered(40)]


def test_a_service_that_refuses_everything_from_the_first_prompt_stops_the_batch_after_a_minute() -> None:
    provider = limited(lambda text, count: True)
    with pytest.raises(BatchStoppedError, match=r"after 0 answers and 15 failures: .*busy; it stops after 20 failures"):
        Client(provider).map(numbered(50), workers=1, progress=False).texts()
    assert len(provider.asked) == 20  # of which 5 were before the longest pause


def test_a_service_that_goes_on_refusing_stops_the_batch_and_nothing_has_failed() -> None:
    provider = limited(lambda text, count: count > 1)
    results = Client(provider).map(iter(numbered(200)), workers=1, max_failures_in_a_row=5, progress=False)
    with pytest.raises(BatchStoppedError, match=r"after 1 answer: .*busy; it stops after 5 failures in a row"):
        results.texts()
    assert (results.failed, len(provider.asked)) == ([], 6)


def test_the_last_prompt_fails_after_pauses_in_which_nothing_was_answered() -> None:
    provider = limited(lambda text, count: text == "prompt 1")
    results = Client(provider).map(numbered(3), workers=1, progress=False)
    assert results.texts() == ["PROMPT 0", None, "PROMPT 2"]
    # A pause of 0.1 ms before prompt 2, and then of 0.1, 0.2, 0.4, 0.8 and 1.6 ms; the next one would be the longest.
    assert provider.asked.count("prompt 1") == 7


@pytest.mark.once
def test_a_prompt_that_is_refused_again_and_again_while_others_are_answered_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("g4f_lite.batch.again._OFTEN", 3)
    provider = limited(lambda text, count: text == "prompt 1")
    results = Client(provider).map(iter(numbered(500)), workers=1, progress=False)
    assert [result.index for result in results if result.error] == [1]
    assert provider.asked.count("prompt 1") == 4
    assert provider.asked.index("prompt 400") > len(provider.asked) - provider.asked[::-1].index("prompt 1")


def test_without_pauses_a_refused_prompt_has_failed() -> None:
    provider = limited(lambda text, count: text == "prompt 1")
    results = Client(provider).map(numbered(3), workers=1, max_pause=0, progress=False)
    assert (results.texts(), len(provider.asked)) == (["PROMPT 0", None, "PROMPT 2"], 3)


def test_no_pause_is_longer_than_those_that_are_allowed() -> None:
    workers = Workers(8, longest_pause=0.0003, clock=lambda: 100.0)
    assert (workers.pause(None, 100.0), workers.paused) == (True, pytest.approx(0.0001))
    workers = Workers(8, longest_pause=0.00005, clock=lambda: 100.0)
    assert (workers.pause(None, 100.0), workers.paused) == (True, pytest.approx(0.00005))


def test_pauses_double_up_to_a_minute_and_begin_anew_after_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.batch.workers._FIRST_PAUSE", 1.0)
    monkeypatch.setattr("g4f_lite.batch.workers._LAST_PAUSE", 60.0)
    now = 100.0
    workers = Workers(8, clock=lambda: now)
    waits = []
    for _ in range(8):
        assert [workers.pause(None, now), workers.pause(None, now)] == [True, False]  # a crowd is refused at once
        waits.append((workers.paused, workers.has_paused_in_vain))
        now += workers.paused
    assert waits == [
        *((seconds, False) for seconds in (1, 2, 4, 8, 16)),
        *((seconds, True) for seconds in (32, 60, 60)),
    ]
    workers.reached(now)
    assert [workers.has_paused_in_vain, workers.pause(None, now), workers.paused] == [False, True, 1]


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (RateLimitError("busy"), True),
        (RateLimitError("busy", retry_after=60), True),
        (RateLimitError("used up", retry_after=86_401), False),
        (QuotaExceededError("no credit"), False),
        (
            AllProvidersFailedError("none", errors=[RateLimitError("busy"), ProviderError("it failed", skipped=True)]),
            True,
        ),
        (
            AllProvidersFailedError("none", errors=[RateLimitError("busy"), ResponseStatusError("no", status=400)]),
            False,
        ),
        (ResponseStatusError("boom", status=500), False),
    ],
)
def test_which_prompts_are_refused_for_now(error: G4FLiteError, is_one: bool) -> None:
    assert is_refused_for_now(error) is is_one
