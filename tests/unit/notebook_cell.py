"""A notebook's cell that knows what was drawn in it, for the tests of what is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite.answers import display


class Notebook:
    """A notebook's cell: its outputs as they were drawn, and a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.kernel = object()
        self.execution_count = 1
        self.drawn: list[tuple[int, object]] = []  # the number of the output, and what it was drawn as
        self.now = 100.0
        self.timers: list[Timer] = []
        self.plain = ""  # of what was drawn last
        self._outputs = 0

    def display(self, content: Any, *, raw: bool = False, display_id: bool = False) -> Any:
        number = self._outputs = self._outputs + 1

        def update(content: Any, *, raw: bool = False) -> None:
            self.draw(number, content["text/markdown"] if raw else content)
            self.plain = content["text/plain"] if raw else ""

        update(content, raw=raw)
        return SimpleNamespace(update=update)

    def draw(self, number: int, content: object) -> None:
        self.drawn.append((number, content))

    def advance(self, seconds: float) -> None:
        """Let time pass, and run the timers that are due."""
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.now + 1e-9]:
            self.timers.remove(timer)
            timer.run()


class Timer:
    """A ``threading.Timer`` of the notebook's clock."""

    def __init__(self, notebook: Notebook, seconds: float, run: Callable[[], None]) -> None:
        self.notebook, self.due, self.run = notebook, notebook.now + seconds, run
        self.daemon = False

    def start(self) -> None:
        self.notebook.timers.append(self)

    def cancel(self) -> None:
        if self in self.notebook.timers:
            self.notebook.timers.remove(self)


@pytest.fixture(name="notebook")
def open_notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """Let output go to a notebook."""
    made = Notebook()
    monkeypatch.setattr(display, "time", SimpleNamespace(monotonic=lambda: made.now))
    threads = SimpleNamespace(Timer=lambda *timer: Timer(made, *timer), Lock=display.threading.Lock)
    monkeypatch.setattr(display, "threading", threads)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: made))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=made.display))
    return made
