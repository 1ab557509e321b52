"""The limit of the silence before an answer, and the shares of a chain, which bound all that comes before it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests

from g4f_lite import AllProvidersFailedError, DeadlineExceededError, Fallback, RetryPolicy, Timeout

from .conftest import Provide
from .openai_answers import completion, whole
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, delta, head, hello, length

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


LIMITS = Timeout(connect=5, read=0.15, total=20, first=PATIENCE)
TRIED_AGAIN = RetryPolicy(attempts=3, backoff=0)


def headers_then_thought(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"))
    connection.server.ending.wait(0.25)
    connection.send(chunk(delta("Hi")), chunk(delta("", "stop")), chunk(DONE), chunk(b""))


def thought_before_the_headers(connection: Connection) -> None:
    connection.request()
    connection.server.ending.wait(0.25)
    connection.send(length(delta("Hi", "stop")))


def usage_then_thought(connection: Connection) -> None:
    connection.request()
    connection.send(head("Transfer-Encoding: chunked"), chunk(USAGE))
    connection.server.ending.wait(0.25)
    connection.send(chunk(delta("Hi", "stop")), chunk(DONE), chunk(b""))


def whole_after_thought(connection: Connection) -> None:
    connection.request()
    connection.server.ending.wait(0.25)
    connection.send(whole(completion({"content": "Hi"})))


THOUGHT = [headers_then_thought, thought_before_the_headers, usage_then_thought, whole_after_thought]


@pytest.mark.parametrize("serve", THOUGHT, ids=lambda function: function.__name__)
@pytest.mark.parametrize("own", [False, True], ids=["our session", "a session of the caller's own"])
def test_a_model_may_think_longer_than_the_read_limit(
    serve: Callable[[Connection], None], own: bool, provide: Provide
) -> None:
    with RawServer(serve) as server, requests.Session() as session:
        provider = provide(server, timeout=LIMITS, retry=TRIED_AGAIN, session=session if own else None)
        assert provider.create(messages="Hello") == "Hi"
        assert len(server.requests) == 1


@pytest.mark.parametrize("serve", [usage_alone, silent])
@pytest.mark.parametrize("own", [False, True], ids=["our session", "a session of the caller's own"])
def test_a_prompt_that_was_taken_whole_is_not_sent_again(
    serve: Callable[[Connection], None], own: bool, provide: Provide
) -> None:
    with RawServer(serve) as server, requests.Session() as session:
        limits = Timeout(read=5, first=0.2)
        provider = provide(server, timeout=limits, retry=TRIED_AGAIN, session=session if own else None)
        with pytest.raises(
            DeadlineExceededError, match=r"after it took the prompt for 0\.2 s, the first limit"
        ) as caught:
            provider.create(messages="Hello")
        assert (caught.value.limit, caught.value.partial) == ("first", "")
        assert len(server.requests) == 1


def test_an_image_that_is_being_drawn_is_not_asked_for_again(provide: Provide) -> None:
    with RawServer(silent) as server:
        provider = provide(server, timeout=Timeout(read=5, first=0.2), retry=TRIED_AGAIN)
        with pytest.raises(DeadlineExceededError) as caught:
            provider.generate_image("a cat")
        assert (caught.value.limit, len(server.requests)) == ("first", 1)


def test_the_read_limit_holds_from_the_first_delta_on(provide: Provide) -> None:
    def begins(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(delta("Hel")))
        connection.silence()

    with RawServer(begins) as server:
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"0\.15 s, the read limit") as caught:
            provide(server, timeout=LIMITS, retry=TRIED_AGAIN).create(messages="Hello")
        assert (caught.value.limit, caught.value.partial) == ("read", "Hel")
        assert time.monotonic() - began < PATIENCE


def test_the_read_limit_holds_while_the_prompt_is_sent(provide: Provide) -> None:
    def reads_nothing(connection: Connection) -> None:
        connection.server.ending.wait(PATIENCE)

    with RawServer(reads_nothing, receive_buffer=4096) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provide(server, timeout=LIMITS, retry=None).create(messages="x" * 8_000_000)
        assert caught.value.limit == "read"


def test_what_keeps_a_connection_alive_is_no_silence(provide: Provide) -> None:
    def comments(connection: Connection) -> None:
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"))
        for _ in range(8):
            connection.send(chunk(b": processing\n\n"))
            connection.server.ending.wait(0.1)
        connection.send(chunk(delta("Hi", "stop")), chunk(DONE), chunk(b""))

    with RawServer(comments) as server:
        assert provide(server, timeout=Timeout(first=0.4)).create(messages="Hello") == "Hi"


def test_a_pair_and_a_number_bound_the_silence_before_an_answer_too(provide: Provide) -> None:
    with RawServer(silent) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provide(server, timeout=(5, 0.2)).create(messages="Hello")
        assert caught.value.limit == "first"
        with pytest.raises(DeadlineExceededError):
            provide(server, timeout=0.2).create(messages="Hello")


def test_a_member_of_a_chain_that_answers_may_take_longer_than_its_share(provide: Provide) -> None:
    with RawServer(slow_after_the_first) as server:
        chain = Fallback([provide(server)] * 4)
        assert chain.create(messages="Hello", timeout=4 * FIRST) == "one two"


def test_the_next_is_asked_when_the_share_is_over_and_the_chain_ends_with_its_total(provide: Provide) -> None:
    with RawServer(silent) as down, RawServer(lambda c: (c.request(), c.send(hello()))) as server:
        assert Fallback([provide(down), provide(server)]).create(messages="Hello", timeout=2 * FIRST) == "Hello world"
        began = time.monotonic()
        with pytest.raises(AllProvidersFailedError):
            Fallback([provide(down)] * 3).create(messages="Hello", timeout=0.3)
        assert time.monotonic() - began < 5
