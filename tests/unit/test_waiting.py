"""What a terminal shows until the embedded model has read a prompt."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator

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


def test_a_terminal_says_that_the_embedded_model_reads_and_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SECONDS", 0)
    written = shown(monkeypatch, provider="Local", out=True, err=True, late=True)
    assert written == ("Hello\n", "reading the prompt …\r                    \r")


def test_an_answer_in_time_needs_no_such_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SECONDS", 60)
    assert shown(monkeypatch, provider="Local", out=True, err=True, late=False) == ("Hello\n", "")


@pytest.mark.parametrize(
    ("provider", "out", "err"), [("Local", False, True), ("Local", True, False), ("Groq", True, True)]
)
def test_neither_a_pipe_nor_a_service_gets_it(
    monkeypatch: pytest.MonkeyPatch, provider: str, out: bool, err: bool
) -> None:
    monkeypatch.setattr(waiting, "SECONDS", 0)
    assert shown(monkeypatch, provider=provider, out=out, err=err, late=False) == ("Hello\n", "")
