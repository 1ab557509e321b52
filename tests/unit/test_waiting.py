"""What a terminal shows until an answer begins."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from g4f_lite.cli import waiting
from g4f_lite.cli.show import show
from g4f_lite.testing import Scripted


class Screen(io.StringIO):
    """Stands for a terminal, or for a pipe; it knows when something was written to it."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal
        self.written = threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def shown(monkeypatch: pytest.MonkeyPatch, *, provider: str, out: bool, err: bool, late: bool) -> tuple[str, str]:
    """Return what is written to standard output and to standard error for an answer.

    :param late: whether it comes only after something was written to standard error
    """
    output, errors = Screen(out), Screen(err)

    def pieces() -> Iterator[str]:
        assert not late or errors.written.wait(60)
        yield "Hello"

    scripted = Scripted(pieces())
    scripted.name = provider
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", errors)
        show(scripted.create_generator(messages="Hi"), raw=True)
    return output.getvalue(), errors.getvalue()


@pytest.mark.parametrize(
    ("provider", "line"),
    [
        ("Local", "reading the prompt …"),
        ("Ollama", "waiting for Ollama …"),
        ("Fallback", "waiting for an answer …"),
    ],
)
def test_a_terminal_says_what_is_waited_for_and_removes_it(
    provider: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SECONDS", 0)
    written = shown(monkeypatch, provider=provider, out=True, err=True, late=True)
    assert written == ("Hello\n", f"{line}\r{' ' * len(line)}\r")


def test_an_answer_in_time_needs_no_such_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SECONDS", 60)
    assert shown(monkeypatch, provider="Local", out=True, err=True, late=False) == ("Hello\n", "")


@pytest.mark.parametrize(
    ("out", "err", "quiet"), [(False, True, False), (True, False, False), (True, True, True), (True, True, False)]
)
def test_only_a_terminal_gets_it_and_no_quiet_command(
    monkeypatch: pytest.MonkeyPatch, out: bool, err: bool, quiet: bool
) -> None:
    def at_once(seconds: float, act: Callable[[], object]) -> AbstractContextManager[None]:
        act()
        return nullcontext()

    monkeypatch.setattr(waiting, "if_late", at_once)
    monkeypatch.setattr(waiting, "is_quiet", lambda: quiet)
    output, errors = shown(monkeypatch, provider="Ollama", out=out, err=err, late=False)
    assert (output, bool(errors)) == ("Hello\n", out and err and not quiet)
