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
    gate._changed.wait_for = _telling(gate._changed.wait_for, forking)  # type: ignore[method-assign]
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
    assert not gate._inside


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
    assert not gate._inside


def test_a_garbage_collection_within_a_fork_does_not_wait_for_it() -> None:
    gate, passed = ForkGate(), threading.Event()

    def fork() -> None:
        gate._close()
        with gate.passed():
            passed.set()
        gate._open()

    threading.Thread(target=fork, daemon=True).start()
    assert passed.wait(10)
