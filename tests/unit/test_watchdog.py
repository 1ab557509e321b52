"""The thread that looks at the calls in progress."""

from __future__ import annotations

import threading

import pytest

from g4f_lite import G4FLiteError, Timeout
from g4f_lite.http import watchdog as module
from g4f_lite.http.deadline import Deadline
from g4f_lite.http.watchdog import Watchdog


def test_the_watchdog_bears_a_call_that_is_removed_while_one_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the garbage collector does when it closes an abandoned answer."""
    first, second = Deadline(Timeout()), Deadline(Timeout())
    monkeypatch.setattr(module, "_watchdog", Watchdog())
    first.__enter__()
    module._watchdog.calls = _Collecting(module._watchdog.calls, first)
    done = threading.Thread(target=lambda: second.__enter__() and None, daemon=True)
    done.start()
    done.join(2)
    assert not done.is_alive(), "the watchdog's lock is not reentrant"
    second.__exit__()


class _Collecting(set):  # type: ignore[type-arg]
    def __init__(self, calls: set[Deadline], abandoned: Deadline) -> None:
        super().__init__(calls)
        self.abandoned: Deadline | None = abandoned

    def add(self, call: Deadline) -> None:
        abandoned, self.abandoned = self.abandoned, None
        if abandoned is not None:
            abandoned.__exit__()
        super().add(call)


def test_a_watchdog_that_cannot_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _no_more_threads)
        with pytest.raises(G4FLiteError, match="keep the time limit of this call: can't start new thread"):
            watchdog.add(Deadline(Timeout()))
    assert not watchdog.calls
    watchdog.add(call := Deadline(Timeout()))
    assert watchdog.thread is not None
    watchdog.remove(call)


def _no_more_threads(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_watchdog_goes_when_no_call_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_INTERVAL", 0.001)
    watchdog = Watchdog()
    call = Deadline(Timeout())
    watchdog.add(call)
    thread = watchdog.thread
    assert thread is not None
    assert thread.daemon
    watchdog.remove(call)
    thread.join(5)
    assert watchdog.thread is None
    watchdog.add(call)
    assert watchdog.thread is not None
    watchdog.remove(call)
