"""A server that still loads its model is waited for, as long as the call may last."""

from __future__ import annotations

import time

import pytest
import tenacity

from g4f_lite import AllProvidersFailedError, Client, Fallback, ResponseStatusError, RetryPolicy
from g4f_lite.http import deadline
from g4f_lite.http.retry import reason_to_wait
from g4f_lite.providers import turns

from .conftest import Provide
from .openai_answers import HELLO, piece, refused, streamed
from .raw_server import RawServer, every, length

# As llama.cpp's server sends it to all requests, also for its models.
LOADING = length(
    b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
    "Server: llama.cpp",
    "Access-Control-Allow-Origin: ",
    "Content-Type: application/json; charset=utf-8",
    status="503 Service Unavailable",
)
HUGGING_FACE = length(
    b'{"error":"Model gpt2 is currently loading","estimated_time":20.0}', status="503 Service Unavailable"
)
MODELS = length(b'{"data": [{"id": "m"}]}')
OTHER = streamed(piece({"content": "Other"}, "stop"))
DOWN = refused({"message": "broken"}, "500 Internal Server Error")
ADVICE = "; wait until the server has loaded it, or pass a longer timeout="


class Clock:
    """A clock for which a wait takes no time, though it goes on by that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waited = 0.0
        monkeypatch.setattr(turns, "wait_for", self.wait)
        monkeypatch.setattr(deadline, "wait", self.wait)
        monkeypatch.setitem(deadline.Deadline.__init__.__kwdefaults__, "clock", self)  # type: ignore[arg-type]

    def __call__(self) -> float:
        return time.monotonic() + self.waited

    def wait(self, event: object, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("answer", [LOADING, HUGGING_FACE])
def test_a_prompt_waits_until_the_model_is_loaded(answer: bytes, provide: Provide, clock: Clock) -> None:
    with RawServer(every(*[answer] * 20, HELLO)) as server:
        provider = provide(server, timeout=60, retry=RetryPolicy())
        result = provider.ask("hi")
        assert (result, len(server.requests), round(clock.waited)) == ("Hello", 21, 40)
    assert provider.budget.spent == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 0", 2),
        ("retry-after-ms: 1", 2),
        ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", 2),
        ("Retry-After: 3", 3),
    ],
)
def test_it_is_asked_again_after_2_s_at_the_earliest(header: str, seconds: int, provide: Provide, clock: Clock) -> None:
    loading = length(b'{"error":{"message":"Loading model"}}', header, status="503 Service Unavailable")
    with RawServer(every(*[loading] * 5, HELLO)) as server:
        assert provide(server, timeout=60, retry=RetryPolicy()).ask("hi") == "Hello"
    assert round(clock.waited) == 5 * seconds


@pytest.mark.parametrize(
    "said",
    ["Error loading model: no such file", "CUDA out of memory error while loading model", "the loading model failed"],
)
def test_a_model_that_cannot_be_loaded_is_not_waited_for(said: str, provide: Provide, clock: Clock) -> None:
    broken = length(b'{"error":{"message":"%s"}}' % said.encode(), status="503 Service Unavailable")
    with RawServer(every(broken)) as server, pytest.raises(ResponseStatusError, match=said) as caught:
        provide(server, timeout=600, retry=RetryPolicy()).ask("hi")
    assert (caught.value.loading, len(server.requests)) == (False, 3)


def test_what_fails_after_the_model_is_loaded_is_sent_again_as_ever(provide: Provide, clock: Clock) -> None:
    with RawServer(every(*[LOADING] * 4, DOWN, DOWN, HELLO)) as server:
        assert provide(server, timeout=60, retry=RetryPolicy()).ask("hi") == "Hello"
        assert len(server.requests) == 7


def test_it_waits_for_the_list_that_names_the_model_too(provide: Provide) -> None:
    with RawServer(every(*[LOADING] * 9, MODELS, LOADING, LOADING, HELLO)) as server:
        answer = provide(server, model=None, timeout=60, retry=RetryPolicy()).ask("hi")
        assert (answer, answer.model, len(server.requests)) == ("Hello", "m", 13)


def test_what_it_says_at_the_end_of_its_time(provide: Provide, clock: Clock) -> None:
    with RawServer(every(LOADING)) as server:
        with pytest.raises(ResponseStatusError) as caught:
            provide(server, timeout=10, retry=RetryPolicy()).ask("hi")
        assert (len(server.requests), round(clock.waited)) == (5, 8)  # a fifth of the time is left for the answer
    error = caught.value
    assert (error.message, error.status, error.loading) == (f"status 503: Loading model{ADVICE}", 503, True)


@pytest.mark.parametrize(
    "retry", [None, RetryPolicy(attempts=1), tenacity.Retrying(stop=tenacity.stop_after_attempt(1))]
)
def test_who_sends_a_prompt_once_does_not_wait(retry: RetryPolicy | None, provide: Provide, clock: Clock) -> None:
    with RawServer(every(LOADING, HELLO)) as server, pytest.raises(ResponseStatusError, match="Loading model; wait"):
        provide(server, retry=retry).ask("hi")
    assert clock.waited == 0


def test_a_list_alone_is_asked_for_three_times(provide: Provide) -> None:
    with RawServer(every(LOADING)) as server:
        with pytest.raises(ResponseStatusError, match="Loading model; wait"):
            provide(server, timeout=600, retry=RetryPolicy()).get_models()
        assert len(server.requests) == 3


def test_another_provider_answers_after_a_short_wait(provide: Provide, clock: Clock) -> None:
    with RawServer(every(LOADING)) as server, RawServer(every(OTHER)) as other:
        chain = Fallback([provide(server, timeout=600, retry=RetryPolicy()), provide(other)], clock=clock)
        assert (chain.ask("hi", timeout=600), round(clock.waited)) == ("Other", 8)


def test_it_is_waited_for_longer_where_no_other_answers(provide: Provide, clock: Clock) -> None:
    with RawServer(every(*[LOADING] * 20, HELLO)) as server, RawServer(every(DOWN)) as down:
        members = [provide(server, timeout=600, retry=RetryPolicy()), provide(down, timeout=600)]
        assert Fallback(members, clock=clock).ask("hi", timeout=600) == "Hello"
        assert (len(server.requests), len(down.requests), round(clock.waited)) == (21, 1, 40)


@pytest.mark.once
def test_no_longer_than_for_a_rate_limit_in_all(provide: Provide, clock: Clock) -> None:
    with RawServer(every(LOADING)) as server, RawServer(every(DOWN)) as down:
        members = [provide(server, timeout=600, retry=RetryPolicy()), provide(down, timeout=600)]
        with pytest.raises(AllProvidersFailedError, match="Loading model; wait"):
            Fallback(members, clock=clock).ask("hi", timeout=600)
    assert round(clock.waited) == 60


@pytest.mark.once
def test_a_batch_waits_too(provide: Provide) -> None:
    with RawServer(every(*[LOADING] * 30, HELLO)) as server:
        client = Client(provide(server, timeout=600, retry=RetryPolicy()))
        assert client.map(["one", "two", "three"], workers=2).texts() == ["Hello"] * 3


@pytest.mark.once
def test_a_person_is_told_at_first_and_every_half_minute(provide: Provide) -> None:
    told: list[str | None] = []
    with RawServer(every(*[LOADING] * 40, HELLO)) as server:
        provider = provide(server, timeout=600, retry=RetryPolicy())
        provider.on_retry = lambda error, attempt, wait: told.append(reason_to_wait("Mine", error, wait))
        assert provider.ask("hi") == "Hello"
    starts = "Mine is still loading its model"
    assert list(filter(None, told)) == [starts, f"{starts}, after 30 s", f"{starts}, after 60 s"]


@pytest.mark.parametrize("words", ["Loading a page failed", "The model is overloaded", "uploading model files"])
def test_other_words_are_no_such_error(words: str, provide: Provide) -> None:
    with RawServer(every(refused({"message": words}, "503 Service Unavailable"))) as server:
        with pytest.raises(ResponseStatusError) as caught:
            provide(server).ask("hi")
        assert (caught.value.loading, caught.value.message) == (False, f"status 503: {words}")
