"""The limit of the silence before an answer, and the shares of a chain, which bound all that comes before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from g4f_lite import (
    AllProvidersFailedError,
    Answer,
    DeadlineExceededError,
    Fallback,
    RetryPolicy,
    StreamInterruptedError,
    Timeout,
    TransportError,
)

from .conftest import Provide, providing
from .openai_answers import HELLO, completion, data, piece, streamed, whole
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, delta, every, head, hello, length

Slow = dict[Callable[[Provide], Answer], "Future[Answer]"]

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}\n\n'
FIRST = 0.5  # seconds, which a busy machine keeps to
PAUSE = 0.6


def slow_after_the_first(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"), chunk(USAGE), chunk(delta("one ")))
    connection.server.ending.wait(PAUSE)
    connection.send(chunk(delta("two")), chunk(delta("", "stop")), chunk(DONE), chunk(b""))


def usage_alone(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"), chunk(USAGE))
    connection.silence()


def silent(connection: Connection) -> None:
    connection.request()
    connection.silence()


READ = 0.2  # seconds, and the pauses are longer
THOUGHT = 0.4
LIMITS = Timeout(connect=5, read=READ, total=20, first=PATIENCE)
TRIED_AGAIN = RetryPolicy(attempts=3, backoff=0)


def headers_then_thought(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"))
    connection.server.ending.wait(THOUGHT)
    connection.send(chunk(delta("Hi")) + chunk(delta("", "stop")) + chunk(DONE) + chunk(b""))


def thought_before_the_headers(connection: Connection) -> None:
    connection.request()
    connection.server.ending.wait(THOUGHT)
    connection.send(length(delta("Hi", "stop")))


def usage_then_thought(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"), chunk(USAGE))
    connection.server.ending.wait(THOUGHT)
    connection.send(chunk(delta("Hi", "stop")) + chunk(DONE) + chunk(b""))


def whole_after_thought(connection: Connection) -> None:
    connection.request()
    connection.server.ending.wait(THOUGHT)
    connection.send(whole(completion({"content": "Hi"})))


THOUGHTFUL = [headers_then_thought, thought_before_the_headers, usage_then_thought, whole_after_thought]


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("serve", THOUGHTFUL, ids=lambda function: function.__name__)
@pytest.mark.parametrize("own", [False, True], ids=["our session", "a session of the caller's own"])
def test_a_model_may_think_longer_than_the_read_limit(
    serve: Callable[[Connection], None], own: bool, provide: Provide
) -> None:
    with RawServer(serve) as server, requests.Session() as session:
        provider = provide(server, timeout=LIMITS, retry=TRIED_AGAIN, session=session if own else None)
        assert provider.create(messages="Hello") == "Hi"
        assert len(server.requests) == 1


@pytest.mark.beside
@pytest.mark.product
@pytest.mark.parametrize("serve", [usage_alone, silent])
@pytest.mark.parametrize("own", [False, True], ids=["our session", "a session of the caller's own"])
def test_a_prompt_that_was_taken_whole_is_not_sent_again(
    serve: Callable[[Connection], None], own: bool, provide: Provide
) -> None:
    with RawServer(serve) as server, requests.Session() as session:
        limits = Timeout(read=5, first=FIRST)
        provider = provide(server, timeout=limits, retry=TRIED_AGAIN, session=session if own else None)
        with pytest.raises(
            DeadlineExceededError, match=r"after it took the prompt for 0\.5 s, the first limit"
        ) as caught:
            provider.create(messages="Hello")
        assert (caught.value.limit, caught.value.partial) == ("first", "")
        assert len(server.requests) == 1


BEGINNINGS: dict[str, dict[str, Any]] = {
    "usage": {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 9}},
    "thoughts that nobody can read": piece({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
    "annotations": piece({"annotations": [{"type": "url_citation"}]}),
    "the probability of a token": piece(logprobs={"content": [{"token": "Hi", "logprob": -0.1}]}),
}


def then_cut(event: dict[str, Any]) -> Callable[[Connection], None]:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(data(event)))

    return serve


@pytest.mark.parametrize("event", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_prompt_whose_answer_has_begun_is_not_sent_again(event: dict[str, Any], provide: Provide) -> None:
    with RawServer(then_cut(event)) as server:
        with pytest.raises(StreamInterruptedError):
            provide(server, retry=TRIED_AGAIN).create(messages="Hello")
        assert len(server.requests) == 1


@pytest.mark.parametrize("event", BEGINNINGS.values(), ids=BEGINNINGS)
def test_an_answer_that_has_begun_is_not_asked_of_the_next_member(event: dict[str, Any], provide: Provide) -> None:
    with RawServer(then_cut(event)) as first, RawServer(every(HELLO)) as second:
        with pytest.raises(StreamInterruptedError) as caught:
            Fallback([provide(first, retry=None), provide(second)]).create(messages="Hello")
        assert caught.value.provider == f"OpenAICompatible ({first.url.removeprefix('http://')})"
        assert (len(first.requests), len(second.requests)) == (1, 0)


@pytest.mark.parametrize("choice", [{}, {"content_filter_results": {"hate": {"filtered": False}}}, {"logprobs": None}])
def test_a_role_and_the_like_are_no_beginning(choice: dict[str, Any], provide: Provide) -> None:
    with RawServer(then_cut(piece({"role": "assistant", "content": "", "name": "x"}, **choice))) as server:
        with pytest.raises(TransportError):
            provide(server, retry=TRIED_AGAIN).create(messages="Hello")
        assert len(server.requests) == 3


def test_a_whole_answer_with_nothing_but_usage_leads_to_the_next_member(provide: Provide) -> None:
    with RawServer(every(streamed(BEGINNINGS["usage"]))) as first, RawServer(every(HELLO)) as second:
        assert Fallback([provide(first, retry=None), provide(second)]).create(messages="Hello") == "Hello"


@pytest.mark.beside
def test_an_image_that_is_being_drawn_is_not_asked_for_again(provide: Provide) -> None:
    with RawServer(silent) as server:
        provider = provide(server, timeout=Timeout(read=5, first=FIRST), retry=TRIED_AGAIN)
        with pytest.raises(DeadlineExceededError) as caught:
            provider.generate_image("a cat")
        assert (caught.value.limit, len(server.requests)) == ("first", 1)


@pytest.mark.beside
def test_the_read_limit_holds_from_the_first_delta_on(provide: Provide) -> None:
    def begins(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("Hel")))
        connection.silence()

    with RawServer(begins) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"0\.2 s, the read limit") as caught:
            provide(server, timeout=LIMITS, retry=TRIED_AGAIN).create(messages="Hello")
        assert (caught.value.limit, caught.value.partial) == ("read", "Hel")
        assert time.monotonic() - began < PATIENCE


@pytest.mark.beside
def test_the_read_limit_holds_while_the_prompt_is_sent(provide: Provide) -> None:
    def reads_nothing(connection: Connection) -> None:
        connection.server.ending.wait(PATIENCE)

    with RawServer(reads_nothing, receive_buffer=4096) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provide(server, timeout=LIMITS, retry=None).create(messages="x" * 8_000_000)
        assert caught.value.limit == "read"


@pytest.mark.beside
def test_a_pair_and_a_number_bound_the_silence_before_an_answer_too(provide: Provide) -> None:
    with RawServer(silent) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provide(server, timeout=(5, FIRST)).create(messages="Hello")
        assert caught.value.limit == "first"
        with pytest.raises(DeadlineExceededError):
            provide(server, timeout=0.3).create(messages="Hello")


def kept_alive(provide: Provide) -> Answer:
    def comments(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"))
        for _ in range(6):
            connection.send(chunk(b": processing\n\n"))
            connection.server.ending.wait(0.1)
        connection.send(chunk(delta("Hi", "stop")), chunk(DONE), chunk(b""))

    with RawServer(comments) as server:
        return provide(server, timeout=Timeout(first=FIRST)).create(messages="Hello")


def of_a_chain(provide: Provide) -> Answer:
    with RawServer(slow_after_the_first) as server:
        return Fallback([provide(server)] * 4).create(messages="Hello", timeout=4 * FIRST)


def of_the_next(provide: Provide) -> Answer:
    with RawServer(silent) as down, RawServer(lambda c: (c.request(), c.send(hello()))) as server:
        return Fallback([provide(down), provide(server)]).create(messages="Hello", timeout=2 * FIRST)


@pytest.fixture(scope="module", autouse=True)
def slow() -> Iterator[Slow]:
    """Make the calls that take longer than a share: they only wait, beside the other tests."""
    calls = [kept_alive, of_a_chain, of_the_next]
    with providing() as provide, ThreadPoolExecutor(len(calls)) as threads:
        yield {call: threads.submit(call, provide) for call in calls}


def test_what_keeps_a_connection_alive_is_no_silence(slow: Slow) -> None:
    assert slow[kept_alive].result() == "Hi"


def test_a_member_of_a_chain_that_answers_may_take_longer_than_its_share(slow: Slow) -> None:
    assert slow[of_a_chain].result() == "one two"


def test_the_next_is_asked_when_the_share_is_over(slow: Slow) -> None:
    assert slow[of_the_next].result() == "Hello world"


@pytest.mark.beside
def test_a_chain_ends_with_its_total(provide: Provide) -> None:
    with RawServer(silent) as down:
        began = time.monotonic()
        with pytest.raises(AllProvidersFailedError):
            Fallback([provide(down)] * 3).create(messages="Hello", timeout=0.15)
        assert time.monotonic() - began < 5
