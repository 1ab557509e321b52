"""From a server's bytes to a caller's pieces: delivery, the protocol's end, and what is never sent twice."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Callable

import pytest

from g4f_lite import (
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    ResponseFormatError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    Usage,
)

from .conftest import Provide
from .raw_server import DONE, PATIENCE, Connection, RawServer, chunk, chunked, delta, every, head, hello, length

FAST = RetryPolicy(attempts=3, backoff=0)


def _framed(framing: str, *pieces: bytes) -> tuple[bytes, ...]:
    """Frame pieces without their end: a body that is cut after them."""
    if framing == "chunked":
        return head("Transfer-Encoding: chunked"), *map(chunk, pieces)
    if framing == "length":
        return head(f"Content-Length: {sum(map(len, pieces)) + 1}"), *pieces
    return head(), *pieces


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_piece_comes_before_the_next_is_sent(framing: str, provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        for part in _framed(framing, *map(delta, "abc"), delta("", "stop"), DONE):
            connection.send(part)
            if b"content" in part and b'"stop"' not in part:
                assert connection.server.go.wait(PATIENCE), "the piece was withheld"
                connection.server.go.clear()

    with RawServer(answer) as server:
        got = []
        for piece in provide(server).create_generator(messages="hi"):
            got.append(piece)
            server.go.set()
        assert got == ["a", "b", "c"]


def test_nothing_is_sent_before_the_first_next(provide: Provide) -> None:
    with RawServer(every(hello())) as server:
        stream = provide(server).create_generator(messages="hi")
        assert server.connections == 0
        assert next(stream) == "Hello"
        assert len(server.requests) == 1


def test_start_sends_waits_for_the_first_delta_and_loses_nothing(provide: Provide) -> None:
    with RawServer(every(hello())) as server:
        stream = provide(server).create_generator(messages="hi")
        assert stream.start() is stream
        assert len(server.requests) == 1
        assert stream.start() is stream
        assert list(stream) == ["Hello", " world"]


def test_start_raises_what_fails(provide: Provide) -> None:
    body = b'{"error": {"message": "no"}}'
    with RawServer(every(length(body, status="400 Bad Request"))) as server, pytest.raises(ServiceError):
        provide(server).create_generator(messages="hi").start()


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_text_has_what_was_iterated_and_sends_nothing_twice(taken: int, provide: Provide) -> None:
    with RawServer(every(hello())) as server:
        stream = provide(server).create_generator(messages="hi")
        if taken == 0:
            stream.start()
        assert len(list(itertools.islice(stream, taken))) == taken
        assert stream.text() == stream.text() == "Hello world"
        assert len(server.requests) == 1
        assert list(stream) == []


@pytest.mark.product
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("cut", ["close", "reset"])
@pytest.mark.parametrize("after", [b"", b"data: {", delta("x")[:-10]])
def test_a_cut_answer_is_no_answer_and_is_not_asked_again(
    framing: str, cut: str, after: bytes, provide: Provide
) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(*_framed(framing, delta("Hel"), delta("lo"), *([after] if after else [])))
        assert connection.server.go.wait(PATIENCE)
        if cut == "reset":
            connection.reset()

    with RawServer(answer) as server:
        stream = provide(server, retry=FAST).create_generator(messages="hi")
        assert [next(stream), next(stream)] == ["Hel", "lo"]
        server.go.set()
        with pytest.raises(StreamInterruptedError) as caught:
            next(stream)
        assert caught.value.partial == "Hello"
        assert caught.value.step == "stream"
        assert len(server.requests) == 1, "sent again after the first delta"
        with pytest.raises(StreamInterruptedError) as again:
            stream.text()
        assert again.value.partial == "Hello"
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "first", [b'{"reasoning_content": "hm"}', b'{"content": "a"}', b'{"tool_calls": [{"id": "1"}]}']
)
def test_any_kind_of_first_delta_ends_the_retrying(first: bytes, provide: Provide) -> None:
    event = b'data: {"choices": [{"delta": ' + first + b"}]}\n\n"
    with RawServer(lambda c: (c.request(), c.send(*_framed("chunked", event)))) as server:
        with pytest.raises(StreamInterruptedError):
            provide(server, retry=FAST).create(messages="hi")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "how", ["[DONE] only", "finish reason only", "finish reason, then cut", "finish reason, reset"]
)
def test_the_protocols_own_end_is_success(how: str, provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        if how == "[DONE] only":
            connection.send(*_framed("close", delta("a"), DONE))
        elif how == "finish reason only":
            connection.send(chunked(delta("a", "length")))
        else:
            connection.send(*_framed("chunked", delta("a", "length")))
            if "reset" in how:
                connection.server.go.wait(PATIENCE)
                connection.reset()

    with RawServer(answer) as server:
        stream = provide(server).create_generator(messages="hi")
        assert next(stream) == "a"
        server.go.set()
        answered = stream.text()
        assert answered == "a"
        assert answered.finish_reason == (None if how == "[DONE] only" else "length")


@pytest.mark.beside
def test_silence_after_the_finish_reason_is_success_too(provide: Provide) -> None:
    answer = lambda c: (c.request(), c.send(*_framed("chunked", delta("a", "stop"))), c.silence())  # noqa: E731
    with RawServer(answer) as server:
        assert provide(server, timeout=Timeout(first=20, read=0.1)).create(messages="hi") == "a"


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([DONE], EmptyResponseError),
        ([delta("", "stop"), DONE], EmptyResponseError),
        ([b": only a comment\n\n"], EmptyResponseError),
        ([b"data: {broken\n\n", DONE], ResponseFormatError),
        ([b"data: 3\n\n", DONE], ResponseFormatError),
        ([b'data: {"error": {"message": "overloaded"}}\n\n'], ServiceError),
        ([delta("a"), b'data: {"error": {"message": "overloaded"}}\n\n'], ServiceError),
        ([delta("a"), b"data: {broken\n\n", DONE], ResponseFormatError),
    ],
)
def test_what_is_no_whole_answer_is_never_sent_again(
    events: list[bytes], kind: type[G4FLiteError], provide: Provide
) -> None:
    with RawServer(every(chunked(*events))) as server:
        with pytest.raises(kind) as caught:
            provide(server, retry=FAST).create(messages="hi")
        assert type(caught.value) is kind
        assert len(server.requests) == 1
        assert getattr(caught.value, "partial", "") == ("a" if events[0] == delta("a") else "")


def test_usage_finish_and_reasoning_stand_beside_the_text(provide: Provide) -> None:
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}\n\n'
    thought = b'data: {"choices": [{"delta": {"reasoning_content": "hm"}}]}\n\n'
    with RawServer(every(chunked(thought, delta("a"), delta("", "stop"), usage, DONE))) as server:
        answered = provide(server).create(messages="hi")
        assert answered == "a"
        assert (answered.usage, answered.finish_reason, answered.reasoning) == (Usage(3, 2, 5), "stop", "hm")
        assert (answered.provider, answered.model) == ("OpenAICompatible", "m")
        assert answered.seconds > 0


def test_the_last_event_may_lack_its_blank_line(provide: Provide) -> None:
    with RawServer(every(length((delta("a") + delta("b", "stop")).rstrip()))) as server:
        assert provide(server).create(messages="hi") == "ab"


@pytest.mark.beside
def test_a_read_limit_in_mid_stream_keeps_the_partial_text(provide: Provide) -> None:
    answer = lambda c: (c.request(), c.send(*_framed("chunked", delta("Hel"))), c.silence())  # noqa: E731
    with RawServer(answer) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provide(server, timeout=(1, 0.1), retry=FAST).create(messages="hi")
        assert (caught.value.limit, caught.value.partial) == ("read", "Hel")
        assert len(server.requests) == 1


@pytest.mark.beside
def test_two_threads_at_the_first_piece_ask_once(provide: Provide) -> None:
    def answer(connection: Connection) -> None:
        connection.request()
        connection.server.go.wait(0.1)
        connection.send(hello())

    with RawServer(answer) as server:
        stream = provide(server).create_generator(messages="hi")
        begin, together = stream._begin, threading.Barrier(2)

        def slow_begin() -> object:
            threading.Event().wait(0.02)
            return begin()

        stream._begin = slow_begin  # type: ignore[assignment]
        got: list[str] = []

        def read() -> None:
            together.wait(PATIENCE)
            try:
                got.extend(map(str, stream))
            except G4FLiteError:
                got.append("another thread is reading")

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(server.requests) == 1
        assert sorted(got) == [" world", "Hello", "another thread is reading"]


def test_many_abandoned_streams_leave_no_connection(provide: Provide) -> None:
    closed = threading.Semaphore(0)

    def answer(connection: Connection) -> None:
        connection.request()
        connection.send(*_framed("chunked", delta("a")))
        connection.silence()
        closed.release()

    with RawServer(answer) as server:
        provider = provide(server)
        streams = [provider.create_generator(messages="hi").start() for _ in range(5)]
        for stream in streams:  # in a cycle, only the garbage collector finds them
            stream.itself = stream  # type: ignore[attr-defined]
        del streams, stream
        gc.collect()
        for _ in range(5):
            assert closed.acquire(timeout=PATIENCE)
        assert server.connections == 5


@pytest.mark.parametrize("serve", [lambda c: None, lambda c: c.request()])
def test_an_untouched_stream_sends_nothing_when_it_goes(
    serve: Callable[[Connection], object], provide: Provide
) -> None:
    with RawServer(serve) as server:
        stream = provide(server).create_generator(messages="hi")
        stream.close()
        del stream
        provide(server).create_generator(messages="hi")
        assert server.connections == 0
