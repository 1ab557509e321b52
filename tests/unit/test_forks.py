"""Locks that a thread of the parent holds are free in a child."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import requests

from g4f_lite import Cache, ImageResponse, OpenAICompatible, Timeout
from g4f_lite.batch.pace import LocalMeter
from g4f_lite.http import Exchange, PooledSession, forks
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.forks import ForkGate, ForkSafeLock
from g4f_lite.http.slices import Flag
from g4f_lite.providers.sending import token_of
from g4f_lite.store.answers import AnswerStore, Kept

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # newer Pythons warn of threads at a fork
]


def ends_in_a_child(lock: ForkSafeLock, act: Callable[[], Any]) -> bool:
    """Tell whether a child of a fork can do something while a thread of its parent holds a lock."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.held():
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        act()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    return status == 0


def test_a_store_is_written(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.db")
    assert ends_in_a_child(store._writing, lambda: store.keep((b"key", 1), Kept([], "P", "m", 1.0, 1)))
    assert store.count() == 1


def test_a_cache_is_opened(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "answers.db")
    assert ends_in_a_child(cache._opening, cache.info)


def test_a_place_is_reserved() -> None:
    meter = LocalMeter(rpm=60)
    assert ends_in_a_child(meter._lock, lambda: meter.reserve(1))


def test_a_caller_logs_in() -> None:
    pooled = PooledSession(requests.Session())
    exchange = Exchange(pooled, Deadline(Timeout(total=5)))
    assert ends_in_a_child(pooled.logging_in, lambda: token_of(OpenAICompatible("http://127.0.0.1:9"), exchange))


def is_free_in_a_child(enter: Callable[[], AbstractContextManager[object]]) -> bool:
    """Fork, and tell whether the child can enter a lock or a gate."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        with enter():
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_who_forks_while_holding_a_lock_lets_go_of_it_in_the_child() -> None:
    lock = ForkSafeLock()
    with lock.held():
        assert is_free_in_a_child(lock.held)


def test_a_child_fetches_an_image_that_a_thread_of_its_parent_fetches() -> None:
    begun, ended, parent = threading.Event(), threading.Event(), os.getpid()

    def fetch(url: str) -> bytes:
        if os.getpid() == parent:
            begun.set()
            ended.wait(20)
        return b"image"

    image = ImageResponse("https://example.org/image.png", fetch=fetch)
    thread = threading.Thread(target=image.bytes)
    thread.start()
    assert begun.wait(10)
    try:
        assert is_free_in_a_child(lambda: nullcontext(image.bytes()))
    finally:
        ended.set()
        thread.join()


def is_empty(gate: ForkGate) -> bool:
    """Tell whether no thread is in a gate, as another thread sees it."""
    taken = list[bool]()
    thread = threading.Thread(target=lambda: taken.extend(lock.acquire(blocking=False) for lock in gate._of_others()))
    thread.start()
    thread.join(30)
    return all(taken)


def test_a_fork_waits_for_a_thread_in_a_gate_and_nobody_enters_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "MOST_WAITED", 30)
    gate, order = ForkGate(), list[str]()
    inside, asked, forking = threading.Event(), threading.Event(), threading.Event()

    def stay() -> None:
        with gate.passed():
            inside.set()
            assert forking.wait(30)
            asked.set()
            with gate.passed():  # who is in may go on
                order.append("left")

    def enter() -> None:
        assert asked.wait(30)
        with gate.passed():
            order.append("entered")

    threads = [threading.Thread(target=stay), threading.Thread(target=enter)]
    for thread in threads:
        thread.start()
    assert inside.wait(30)
    gate._of_others = _telling(gate._of_others, forking)  # type: ignore[method-assign]
    gate._close()
    order.append("forked")
    gate._open()
    for thread in threads:
        thread.join(30)
    assert order == ["left", "forked", "entered"]


def _telling(function: Callable[..., Any], event: threading.Event) -> Callable[..., Any]:
    def called(*arguments: Any) -> Any:
        event.set()
        return function(*arguments)

    return called


def test_a_fork_waits_no_longer_than_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "MOST_WAITED", 0.01)
    gate, inside, done = ForkGate(), threading.Event(), threading.Event()

    def stay() -> None:
        with gate.passed():
            inside.set()
            assert done.wait(30)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(30)
    assert is_free_in_a_child(gate.passed)
    done.set()
    thread.join(30)
    assert is_free_in_a_child(gate.passed)


def test_who_forks_in_a_gate_does_not_wait_for_itself() -> None:
    gate = ForkGate()
    with gate.passed():
        assert is_free_in_a_child(gate.passed)
    assert is_empty(gate)


@pytest.mark.parametrize("step", range(40))
def test_a_gate_may_be_passed_within_any_of_its_steps(step: int) -> None:
    """As a garbage collection does, which may come at any of them, and may close a store that was dropped."""
    gate, lines, before = ForkGate(), itertools.count(), sys.gettrace()

    def pass_too(_frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line" and next(lines) == step:
            with gate.passed():
                pass
        return pass_too

    sys.settrace(pass_too)
    try:
        with gate.passed():
            pass
    finally:
        sys.settrace(before)
    assert is_empty(gate)


def test_a_garbage_collection_within_a_fork_does_not_wait_for_it() -> None:
    gate, passed = ForkGate(), threading.Event()

    def fork() -> None:
        gate._close()
        with gate.passed():
            passed.set()
        gate._open()

    threading.Thread(target=fork, daemon=True).start()
    assert passed.wait(10)


class Late(TimeoutError):
    """What the handler of a signal raises."""


def interrupted_at(step: int, act: Callable[[], object]) -> str:
    """Let what a signal handler raises come at a step of some code, and return where that was; "" after the last one.

    Python runs such a handler where a function begins, and after a function in C.
    """
    steps, place = itertools.count(), list[str]()

    def interrupt(frame: FrameType, event: str, _argument: object) -> None:
        # Python 3.10 calls it for a generator that goes on while no handler of that could catch what it raises.
        goes_on = sys.version_info < (3, 11) and event == "call" and frame.f_lasti >= 0
        if event in ("call", "c_return") and not goes_on and frame.f_code is not act.__code__ and next(steps) == step:
            place.append(f"{frame.f_code.co_name}, line {frame.f_lineno}")
            raise Late

    before = sys.getprofile()
    sys.setprofile(interrupt)
    try:
        act()
    except Late:
        pass
    finally:
        sys.setprofile(before)
    return "".join(place)


def is_free(enter: Callable[[], AbstractContextManager[object]]) -> bool:
    """Tell whether another thread can enter a lock or a gate."""
    entered = threading.Event()

    def go_in() -> None:
        with enter():
            entered.set()

    threading.Thread(target=go_in, daemon=True).start()
    return entered.wait(10)


def pass_gate() -> Callable[[], AbstractContextManager[object]]:
    return ForkGate().passed


def hold_lock() -> Callable[[], AbstractContextManager[object]]:
    return ForkSafeLock().held


def hold_lock_patiently() -> Callable[[], AbstractContextManager[object]]:
    lock = ForkSafeLock()
    return lambda: lock.held(int)


@pytest.mark.parametrize("make", [pass_gate, hold_lock, hold_lock_patiently])
def test_what_a_signal_handler_raises_at_any_step_leaves_nothing_locked(
    make: Callable[[], Callable[[], AbstractContextManager[object]]],
) -> None:
    for step in itertools.count():
        enter = make()

        def pass_through(enter: Callable[[], AbstractContextManager[object]] = enter) -> None:
            with enter():
                pass

        place = interrupted_at(step, pass_through)
        assert is_free(enter), place
        if not place:
            break
    assert step > 1


def test_a_flag_is_left_whole_by_what_a_signal_handler_raises_at_any_step() -> None:
    for step in itertools.count():
        flag = Flag()

        def use(flag: Flag = flag) -> None:
            flag.wait(0.001)
            flag.set()
            flag.wait(1)

        place = interrupted_at(step, use)
        setter = threading.Thread(target=flag.set, daemon=True)
        setter.start()
        setter.join(10)
        assert (flag.is_set(), flag.wait(10)) == (True, True), place
        if not place:
            break
    assert step > 1
