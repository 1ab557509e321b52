"""The limit until the first piece of an answer, and the shares of a chain, which are such limits."""

from __future__ import annotations

import time

import pytest

from g4f_lite import AllProvidersFailedError, DeadlineExceededError, Fallback, RetryPolicy, Timeout

from .conftest import Provide
from .raw_server import DONE, Connection, RawServer, chunk, delta, head, hello

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}\n\n'
FIRST = 0.7  # seconds, which a busy machine keeps to
PAUSE = 0.8


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


def test_an_answer_that_began_may_take_longer(provide: Provide) -> None:
    with RawServer(slow_after_the_first) as server:
        assert provide(server, timeout=Timeout(first=FIRST)).create(messages="Hello") == "one two"


@pytest.mark.parametrize("serve", [usage_alone, silent])
def test_it_passes_where_nothing_of_the_answer_comes_and_is_not_retried(provide: Provide, serve: object) -> None:
    with RawServer(serve) as server:  # type: ignore[arg-type]
        provider = provide(server, timeout=Timeout(first=0.3), retry=RetryPolicy(attempts=3, backoff=0))
        with pytest.raises(DeadlineExceededError, match=r"nothing of the answer came within 0\.3 s") as caught:
            provider.create(messages="Hello")
        assert caught.value.limit == "first"
        assert len(server.requests) == 1


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
