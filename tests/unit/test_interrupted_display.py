"""An interrupt that comes while something is shown in a notebook, and not while it is awaited."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

import pytest

from g4f_lite import AnswerStream, Client, Conversation, Finish, Prompt
from g4f_lite.answers import display
from g4f_lite.answers.display import LiveOutput
from g4f_lite.answers.interruption import AnswerInterrupted, BatchInterrupted
from g4f_lite.testing import Scripted

from .batch_providers import Shout, numbered
from .notebook_cell import Notebook, open_notebook  # noqa: F401  a fixture
from .streams import Source, stream_of

T = TypeVar("T")


class Unstarted(threading.Timer):
    """A timer that an interrupt keeps from starting."""

    def start(self) -> None:
        raise KeyboardInterrupt


class Interrupting(threading.Timer):
    """A timer that has started when the interrupt comes."""

    def start(self) -> None:
        super().start()
        raise KeyboardInterrupt


def interrupt_at_a_timer(timer: type[threading.Timer]) -> Callable[[Notebook, pytest.MonkeyPatch], None]:
    def interrupt(notebook: Notebook, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(display.threading, "Timer", timer)

    return interrupt


def interrupt_at_a_redraw(notebook: Notebook, patch: pytest.MonkeyPatch) -> None:
    """Interrupt the first redraw before it is sent; the clock goes on, so that no timer is needed."""
    interrupts = [KeyboardInterrupt()]
    plain = notebook.draw

    def draw(number: int, content: object) -> None:
        if content == "one two " and interrupts:
            raise interrupts.pop()
        plain(number, content)

    patch.setattr(notebook, "draw", draw)
    patch.setattr(display.time, "monotonic", time.perf_counter)
    patch.setattr(display, "REDRAW_SECONDS", 0.0)
    patch.setattr(display, "REST", -1)  # each piece is drawn, however long the last one took


PLACES = {
    "before a timer starts": interrupt_at_a_timer(Unstarted),
    "after a timer has started": interrupt_at_a_timer(Interrupting),
    "at a redraw": interrupt_at_a_redraw,
}


@pytest.mark.parametrize("place", PLACES)
def test_an_answer_keeps_its_part_and_is_closed(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    PLACES[place](notebook, monkeypatch)
    talk = Conversation(Scripted(["one ", "two ", "three"]), keep_interrupted=True)
    stream = talk.stream("Count.")
    with pytest.raises(AnswerInterrupted) as caught:
        stream.show()
    assert caught.value.partial == "one two "
    assert [message["content"] for message in talk.messages] == ["Count.", "one two "]
    assert stream.closed
    assert notebook.drawn == [(1, "one "), (1, "one two ")]


def test_an_interrupt_of_print_keeps_the_part_and_closes_the_answer() -> None:
    class Terminal:
        def write(self, text: str) -> None:
            if text == "two ":
                raise KeyboardInterrupt

        def flush(self) -> None:
            pass

    talk = Conversation(Scripted(["one ", "two ", "three"]), keep_interrupted=True)
    stream = talk.stream("Count.")
    with pytest.raises(KeyboardInterrupt):
        stream.show(Terminal())  # type: ignore[arg-type]
    assert talk.messages[-1]["content"] == "one two "
    assert stream.closed


def test_what_comes_while_a_timer_draws_is_drawn_by_the_next_one(notebook: Notebook) -> None:
    output = LiveOutput()

    def content() -> str:
        output.draw(lambda: "abc")  # as another thread may, at this moment
        return "ab"

    output.draw(lambda: "a")
    output.draw(content)
    notebook.advance(0.1)
    notebook.advance(0.1)
    assert notebook.drawn == [(1, "a"), (1, "ab"), (1, "abc")]


@pytest.mark.parametrize("has_started", [False, True])
def test_a_batch_is_interrupted_while_a_worker_starts(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, has_started: bool
) -> None:
    started: list[Any] = []
    plain, interrupted = threading.Thread.start, threading.Event()

    class Waits(Shout):  # so that a third worker is needed
        def begin(self, prompt: Prompt) -> Iterator[Any]:
            interrupted.wait()
            yield from super().begin(prompt)

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) != 3 or has_started:
            plain(thread)
        if len(started) == 3:
            interrupted.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    results = Client(Waits()).map(numbered(6), workers=4)
    with pytest.raises(BatchInterrupted) as caught:
        results.texts()
    assert caught.value.results is results
    assert results.texts() == [f"PROMPT {number}" for number in range(6)]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Keep interrupts, as ipykernel does in a cell with ``await``, and list them."""
    interrupts: list[int] = []

    def keep(number: int, _frame: object) -> None:
        interrupts.append(number)

    keep.__module__ = "ipykernel.ipkernel"
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    before = signal.signal(signal.SIGINT, keep)
    yield interrupts
    signal.signal(signal.SIGINT, before)


def interrupted_at_the_second() -> AnswerStream:
    def pieces() -> Iterator[str]:
        yield "one "
        signal.raise_signal(signal.SIGINT)
        yield "two"
        yield Finish()

    return AnswerStream(lambda: Source(pieces()), provider="Test")


def run_cell(function: Callable[[], T]) -> T:
    """Call a function as IPython runs a cell with ``await``: in a task, from a coroutine of this name."""
    ipython: dict[str, Any] = {"__name__": "IPython.core.interactiveshell"}
    exec("async def run_code(function):\n    return function()", ipython)
    result: T = asyncio.run(ipython["run_code"](function))
    return result


def test_a_loop_over_a_stream_is_interrupted_where_a_cell_awaits(kept: list[int], notebook: Notebook) -> None:
    stream = interrupted_at_the_second()
    assert run_cell(lambda: next(stream)) == "one "
    with pytest.raises(AnswerInterrupted) as caught:
        run_cell(lambda: next(stream))
    assert caught.value.partial == "one "
    assert kept == []


@pytest.mark.parametrize("read", [list, AnswerStream.text, lambda stream: stream.show()])
def test_no_interrupt_is_raised_in_another_task_than_the_cells(
    kept: list[int], notebook: Notebook, read: Callable[[AnswerStream], object]
) -> None:
    """Of a KeyboardInterrupt in a task, asyncio would end the kernel."""

    async def another() -> None:
        read(interrupted_at_the_second())

    asyncio.run(another())
    assert kept == [signal.SIGINT]


def test_what_a_loop_does_itself_is_interrupted_too(kept: list[int]) -> None:
    def loop() -> None:
        for _ in stream_of("one ", "two", Finish())[0]:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_cell(loop)
    assert kept == []


def test_what_runs_after_the_code_of_the_cell_is_not_interrupted(kept: list[int]) -> None:
    run_cell(stream_of("one ", "two", Finish())[0].text)
    signal.raise_signal(signal.SIGINT)
    assert kept == [signal.SIGINT]
