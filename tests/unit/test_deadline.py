"""Limits: what a caller may give, and a call's time by a clock that the test turns."""

from __future__ import annotations

import math
import os
import pickle
import socket
import threading
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from g4f_lite import DeadlineExceededError, StreamInterruptedError, Timeout
from g4f_lite.http.deadline import Deadline
from g4f_lite.timeout import Allowance


class Clock:
    """A clock that stands still until it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, Timeout()),
        (30, Timeout(10, 30, 30, 30)),
        (2.5, Timeout(2.5, 2.5, 2.5, 2.5)),
        ((3, 20), Timeout(3, 20, 600, 20)),
        ((None, 20), Timeout(None, 20, 600, 20)),
        (math.inf, Timeout(10, None, None, None)),
        (2**63, Timeout(10, None, None, None)),  # what no clock can count; sys.maxsize is a habit
        (Timeout(1, 2, 3), Timeout(1, 2, 3)),
    ],
)
def test_what_a_caller_may_give(given: Any, expected: Timeout) -> None:
    assert Timeout.of(given) == expected


def test_the_defaults() -> None:
    assert Timeout() == Timeout(connect=10, read=60, total=600, first=300)
    assert Timeout.of(None, Timeout(1, 1, 1)) == Timeout(1, 1, 1)
    assert Timeout.of((2, 3), Timeout(1, 1, 9)) == Timeout(2, 3, 9, 3)


@pytest.mark.parametrize("bad", [0, -1, 0.0, math.nan, -math.inf, True, False, (0, 1), (1, math.nan), (1,), (1, 2, 3)])
def test_no_positive_number_is_a_value_error(bad: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Timeout.of(bad)


@pytest.mark.parametrize("bad", ["30", [1, 2], {}, 1j, ("1", 2)])
def test_another_type_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        Timeout.of(bad)


@pytest.mark.parametrize("name", ["connect", "read", "total", "first"])
@pytest.mark.parametrize("bad", [0, -1, math.nan, True])
def test_each_limit_is_checked(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Timeout(**{name: bad})


def test_a_timeout_is_a_value() -> None:
    assert pickle.loads(pickle.dumps(Timeout(1))) == Timeout(1)
    assert hash(Timeout(1)) == hash(Timeout(1))
    with pytest.raises(FrozenInstanceError):
        Timeout(1).connect = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "expected"), [("", None), ("2.5", Timeout(2.5, 2.5, 2.5, 2.5)), ("30", Timeout(10, 30, 30, 30))]
)
def test_the_environments_limit(value: str, expected: Timeout | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_TIMEOUT", value)
    assert Timeout.of_environment() == expected


@pytest.mark.parametrize("value", ["soon", "0", "-3", "nan"])
def test_a_senseless_limit_in_the_environment_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G4F_LITE_TIMEOUT", value)
    with pytest.raises(ValueError, match=r"^G4F_LITE_TIMEOUT must be a positive number of seconds, such as 30$"):
        Timeout.of_environment()


def test_a_wait_is_the_shorter_of_its_limit_and_what_is_left(clock: Clock) -> None:
    call = Deadline(Timeout(10, 60, 30), clock=clock)
    assert (call.limit("connect"), call.limit("read")) == (10, 30)
    clock.now += 25
    assert (call.limit("connect"), call.limit("read"), call.remaining(), call.elapsed) == (5, 5, 5, 25)
    clock.now += 5
    assert call.remaining() == 0
    with pytest.raises(DeadlineExceededError, match="30 s") as caught:
        call.limit("read")
    assert caught.value.limit == "total"


def test_a_pause_is_left_out_of_the_limit(clock: Clock) -> None:
    call = Deadline(Timeout(10, 60, 30), clock=clock)
    clock.now += 25
    with call.paused():
        clock.now += 1000
        call.look(clock.now)
    call.check()
    assert call.remaining() == 5
    clock.now += 5
    with pytest.raises(DeadlineExceededError, match="30 s"):
        call.check()


def test_the_limit_until_the_first_piece_is_lifted_when_that_came(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = Deadline(Timeout(10, 60, 300), Allowance(share=20), clock=clock)
        call.hold(ours)
        assert (call.limit("read"), call.remaining()) == (20, 20)
        clock.now += 19
        call.lift_first_limit()
        assert (call.limit("read"), call.remaining(), ours.gettimeout()) == (60, 281, 60)
        call.look(clock.now + 100)
        call.check()
        clock.now += 281
        with pytest.raises(DeadlineExceededError, match="total time limit of 300 s"):
            call.check()


def test_the_limit_until_the_first_piece_ends_a_call(clock: Clock) -> None:
    call = Deadline(Timeout(), Allowance(share=20), clock=clock)
    call.look(clock.now + 20)
    with pytest.raises(DeadlineExceededError, match="nothing of the answer came within 20 s") as caught:
        call.check()
    assert caught.value.limit == "first"


def test_without_limits_a_wait_is_endless(clock: Clock) -> None:
    call = Deadline(Timeout(None, None, None), clock=clock)
    clock.now += 1e9
    assert (call.limit("connect"), call.limit("read"), call.remaining()) == (None, None, math.inf)
    call.look(1e12)
    call.check()


def test_the_watchdogs_look_ends_a_late_call_and_shuts_its_socket(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = Deadline(Timeout(total=1), clock=clock)
        call.hold(ours)
        call.look(100.9)
        assert call.ended is None
        call.look(101.0)
        assert call.ended == "total"
        assert theirs.recv(1) == b""
        with pytest.raises(DeadlineExceededError):
            call.check()


def test_what_was_let_go_is_not_shut_down(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = Deadline(Timeout(total=1), clock=clock)
        call.hold(ours)
        call.let_go()
        call.end("closed")
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"


def test_a_socket_that_comes_after_the_end_is_shut_down_at_once(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = Deadline(Timeout(), clock=clock)
        call.end("closed")
        call.hold(ours)
        assert theirs.recv(1) == b""


def test_the_first_reason_to_end_is_the_one(clock: Clock) -> None:
    call = Deadline(Timeout(), clock=clock)
    call.end("closed")
    call.end("total")
    with pytest.raises(StreamInterruptedError):
        call.check()


def test_what_came_in_time_may_be_worked_on_for_a_while_after_the_end(clock: Clock) -> None:
    work = Clock()
    call = Deadline(Timeout(total=1), clock=clock, work=work)
    work.now = 500.0  # before the end it is not counted
    call.end("total")
    for seconds in (0.0, 0.5, 0.5):
        work.now += seconds
        call.check_work()
    work.now += 0.01
    with pytest.raises(DeadlineExceededError, match="total time limit of 1 s"):
        call.check_work()


def test_a_sleep_ends_with_the_call() -> None:
    call = Deadline(Timeout())
    timer = threading.Timer(0.02, call.end, ["closed"])
    timer.start()
    with pytest.raises(StreamInterruptedError):
        call.sleep(5)
    timer.join()


def test_closing_and_shutting_a_closed_socket_does_nothing(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    theirs.close()
    call = Deadline(Timeout(), clock=clock)
    call.hold(ours)
    call.drain_within(0.1)
    call.look(1e9)
    call.end("closed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_leaves_its_parents_calls_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(Timeout()) as call:
        call.hold(ours)
        child = os.fork()
        if child == 0:
            try:
                call.end("closed")
                os._exit(0 if call.ended == "forked" and call.socket is None else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x", "the child shut the parent's connection down"
        assert call.ended is None
