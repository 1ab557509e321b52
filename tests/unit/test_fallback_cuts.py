"""Members of a chain whose answers are cut: after three in a row they are skipped, as those that do not answer are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import (
    DeadlineExceededError,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    RateLimitError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.answers.deltas import Finish
from g4f_lite.answers.source import CheckedSource
from g4f_lite.emulator import Emulator
from g4f_lite.providers.chain import FAIR_SECONDS
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS
from g4f_lite.testing import Scripted

CUT = StreamInterruptedError("the answer was cut")
LATE = DeadlineExceededError("late", limit="total")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(chain: Fallback) -> str:
    """Return the answer, or the name of the error that it ended with."""
    try:
        return str(chain.create(messages="Why is the sky blue?"))
    except G4FLiteError as error:
        return type(error).__name__


def test_a_member_that_cuts_its_answers_is_skipped_after_three_and_then_tried_by_one_call() -> None:
    clock = Clock()
    cutting = Scripted(*[["one ", CUT]] * (FAILURES_TO_OPEN + 1), "whole", "and whole")
    chain = Fallback([cutting, Scripted(*["second"] * 9)], clock=clock)
    assert [ask(chain) for _ in range(FAILURES_TO_OPEN + 1)] == [*["StreamInterruptedError"] * 3, "second"]
    clock.now += OPEN_SECONDS
    trial = chain.create_generator(messages="Hello")
    assert next(trial) == "one "
    assert ask(chain) == "second"  # a first piece says nothing of the end
    with pytest.raises(StreamInterruptedError):
        trial.text()
    assert ask(chain) == "second"
    clock.now += OPEN_SECONDS
    assert [ask(chain) for _ in range(2)] == ["whole", "and whole"]


@pytest.mark.parametrize(
    ("seen", "skipped"),
    [
        ([["one ", CUT]] * 3, True),
        ([["one ", TransportError("lost")], ["one ", RateLimitError("slow down")], ["one ", CUT]], True),
        ([["one ", CUT], TransportError("down"), ["one ", CUT], TransportError("down")], True),
        ([["one ", CUT], ["one ", CUT], "whole", ["one ", CUT]], False),
        ([TransportError("down"), TransportError("down"), ["one ", CUT]], False),
    ],
)
def test_a_whole_answer_takes_back_the_cut_ones_and_a_first_piece_the_others(seen: list[Any], skipped: bool) -> None:
    chain = Fallback([Scripted(*seen, "asked"), Scripted(*["second"] * 9)], clock=Clock())
    for _ in seen:
        ask(chain)
    assert (ask(chain) == "second") is skipped


def test_a_whole_answer_does_not_take_back_what_others_have_seen_meanwhile() -> None:
    down = TransportError("down")
    chain = Fallback([Scripted("a long one", *[down] * FAILURES_TO_OPEN, "asked"), Scripted(*["second"] * 9)])
    long = chain.create_generator(messages="Hello").start()
    assert [ask(chain) for _ in range(FAILURES_TO_OPEN)] == ["second"] * 3
    assert long.text() == "a long one"
    assert ask(chain) == "second"


@pytest.mark.parametrize("leave", [lambda stream: stream.close(), lambda stream: next(stream.deltas(), None)])
def test_who_leaves_an_answer_does_not_count_against_the_member(leave: Callable[[Any], object]) -> None:
    chain = Fallback([Scripted(*[["one ", "two ", "three"]] * FAILURES_TO_OPEN, "asked"), Scripted("never")])
    for _ in range(FAILURES_TO_OPEN):
        stream = chain.create_generator(messages="Hello")
        assert next(stream) == "one "
        leave(stream)
        del stream
    assert ask(chain) == "asked"


@pytest.mark.parametrize("raises", [True, False])
def test_who_closes_an_answer_that_is_being_read_does_not_count_against_the_member(raises: bool) -> None:
    class Closed(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            yield "one "
            streams[-1].close()  # as another thread does
            if raises:
                raise StreamInterruptedError("the answer was closed while it was being read")

    closed = Closed()
    streams: list[Any] = []
    chain = Fallback([closed, Scripted("never")])
    for _ in range(FAILURES_TO_OPEN + 1):
        streams.append(chain.create_generator(messages="Why is the sky blue?"))
        with pytest.raises(StreamInterruptedError, match="closed"):
            streams[-1].text()
    assert len(streams) == FAILURES_TO_OPEN + 1


@pytest.mark.parametrize(
    ("silent", "pause", "skipped"),
    [
        (FAIR_SECONDS, 0, True),
        (FAIR_SECONDS - 1, 0, False),  # the pieces came until the caller's time was over
        (0, FAIR_SECONDS, False),  # it was the caller who took the time
    ],
)
def test_a_timeout_in_the_middle_counts_where_the_member_was_silent(silent: float, pause: float, skipped: bool) -> None:
    clock = Clock()

    class Hanging(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            for delta in super().begin(prompt):
                yield delta
                clock.now += silent

    hanging = Hanging(*[["one ", LATE]] * FAILURES_TO_OPEN, "asked")
    chain = Fallback([hanging, Scripted(*["second"] * 9)], clock=clock)
    for _ in range(FAILURES_TO_OPEN):
        stream = chain.create_generator(messages="Hello")
        assert next(stream) == "one "
        clock.now += pause
        with pytest.raises(DeadlineExceededError):
            stream.text()
    assert (ask(chain) == "second") is skipped


@pytest.mark.parametrize("fault", ["cut", "end"])
def test_a_server_that_cuts_its_answers_is_skipped(fault: str, g4f_emulator: Emulator) -> None:
    server = OpenAICompatible(f"{g4f_emulator.url}/v1", model="gpt-4")
    chain = Fallback([server, Scripted("second")], clock=Clock())
    for _ in range(FAILURES_TO_OPEN):
        g4f_emulator.fail(fault, after=2)
        assert ask(chain) == "StreamInterruptedError"
    assert ask(chain) == "second"


def test_a_stage_that_needs_no_more_ends_the_members_answer() -> None:
    ended: list[str] = []

    class Noted(CheckedSource):
        def _run(self):  # type: ignore[no-untyped-def]
            try:
                yield from ["one ", "two"]
            finally:
                ended.append("ended")

        def close(self) -> None:
            raise AssertionError("the stream goes on")

    class Noting(Scripted):
        def begin(self, prompt):  # type: ignore[no-untyped-def]
            return Noted()

    def only_one(deltas):  # type: ignore[no-untyped-def]
        yield next(deltas)
        deltas.close()
        assert ended == ["ended"]
        yield Finish()

    stream = Fallback([Noting()]).create_generator(messages="Hello").through(only_one)
    assert list(stream.deltas()) == ["one ", Finish()]
