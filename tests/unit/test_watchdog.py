"""The thread that looks at the calls in progress."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from g4f_lite import G4FLiteError, Timeout
from g4f_lite.http import deadline as module
from g4f_lite.http.deadline import Deadline, Watchdog


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


@pytest.mark.parametrize("place", ["__init__", "start"])  # an isolated subinterpreter's refusal, and a full machine's
def test_a_watchdog_that_cannot_start_is_tried_again(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, place, _no_more_threads)
        with pytest.raises(G4FLiteError, match="time limit could not be started: can't start new"):
            watchdog.add(Deadline(Timeout()))
    assert not watchdog.calls
    watchdog.add(call := Deadline(Timeout()))
    assert watchdog.thread is not None
    watchdog.remove(call)


class Call:
    """A call that fails when it is looked at, or notes that it was."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.seen = threading.Event()

    def look(self, now: float) -> None:
        self.seen.set()
        if self.error is not None:
            raise self.error

    def leave_to_parent(self) -> None:
        pass


@pytest.mark.parametrize("error", [ValueError(), SystemExit(), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_a_call_that_cannot_be_ended_keeps_no_other_from_its_end(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WATCH_INTERVAL", 0.001)
    watchdog, bad, good = Watchdog(), Call(error), Call()
    for call in (bad, good):
        watchdog.add(call)
    for _ in range(3):
        for call in (bad, good):
            call.seen.clear()
            assert call.seen.wait(5)
    for call in (bad, good):
        watchdog.remove(call)
    assert watchdog.thread is not None
    watchdog.thread.join(5)
    assert "a call could not be ended in time" in caplog.text


@pytest.mark.parametrize("error", [MemoryError(), SystemExit()], ids=repr)
def test_a_watchdog_that_ends_with_calls_left_has_a_successor(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread can be ended by anything, in any line."""
    monkeypatch.setattr(module, "WATCH_INTERVAL", 0.001)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    sleep, slept = time.sleep, []
    watchdog, call = Watchdog(), Call()

    def fails_once(seconds: float) -> None:
        if threading.current_thread() is watchdog.thread:  # and not that of other calls
            slept.append(seconds)
            if len(slept) == 3:
                raise error
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", fails_once)
    watchdog.add(call)
    first = watchdog.thread
    assert first is not None
    first.join(5)
    call.seen.clear()
    assert call.seen.wait(5)
    second = watchdog.thread
    assert second not in (first, None)
    watchdog.remove(call)
    second.join(5)


def test_a_watchdog_that_cannot_even_look_has_no_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: ended.set())
    monkeypatch.setattr(time, "sleep", _no_memory)
    watchdog = Watchdog()
    watchdog.add(Call())
    assert ended.wait(5)
    assert watchdog.thread is None


AT_THE_END = """
import sys
from g4f_lite import G4FLiteError, OpenAICompatible
provider = OpenAICompatible("http://127.0.0.1:9/v1", model="m", timeout=3, retry=None)
class Report:
    def __del__(self):
        try:
            provider.create(messages="bye")
        except G4FLiteError as error:
            print(error)
if "before" in sys.argv:
    Report()
sys.modules["kept"] = Report()
"""


@pytest.mark.parametrize(
    "before",
    [pytest.param([], id="without a thread", marks=pytest.mark.once), pytest.param(["before"], id="with a thread")],
)
def test_a_call_while_python_ends_raises(before: list[str]) -> None:
    # Measured by coverage, what is to go at the end would be kept longer.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END, *before], capture_output=True, text=True, timeout=20, check=False, env=plain
    )
    assert done.stdout.endswith("Python is ending, and no call can be made any more\n"), done.stderr
    assert done.returncode == 0


def _no_more_threads(thread: threading.Thread, **_: object) -> None:
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


def _no_memory(seconds: float) -> None:
    raise MemoryError
