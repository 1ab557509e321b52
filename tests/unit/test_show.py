"""Answers as they are shown: on a terminal, in a file, in a notebook."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import Answer, Finish, Reasoning

from .notebook_cell import Notebook, open_notebook  # noqa: F401  a fixture
from .streams import stream_of


def test_show_prints_each_piece_at_once_and_gives_the_answer() -> None:
    flushed: list[str] = []

    class Out(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    out = Out()
    answer = stream_of("a", Reasoning("not shown"), "b", Finish())[0].show(out)
    assert out.getvalue() == "ab\n"
    assert flushed[:2] == ["a", "ab"]
    assert type(answer) is Answer
    assert answer == "ab"


def test_show_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    stream_of("a", Finish())[0].show()
    assert capsys.readouterr().out == "a\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


OBEYED = "a\x1b]0;title\x07\x1b[2J\x9b31m\rb\x7f\x00\tc\n"


@pytest.mark.parametrize(
    ("out", "written"),
    [(Terminal(), "a\ufffd]0;title\ufffd\ufffd[2J\ufffd31mb\ufffd\ufffd\tc\n\n"), (io.StringIO(), OBEYED + "\n")],
    ids=["terminal", "file"],
)
def test_a_terminal_gets_nothing_that_it_obeys(out: io.StringIO, written: str) -> None:
    assert stream_of(*OBEYED, Finish())[0].show(out) == OBEYED
    assert out.getvalue() == written


@pytest.mark.parametrize(
    ("encoding", "errors", "written"),
    [
        ("cp1252", "strict", b"\xfc ? ?\n"),
        ("cp1252", "xmlcharrefreplace", b"\xfc &#960; &#128578;\n"),
        ("ascii", "strict", b"? ? ?\n"),
        ("utf-8", "strict", "ü π 🙂\n".encode()),
    ],
)
def test_show_writes_what_the_file_has_characters_for(encoding: str, errors: str, written: bytes) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding, errors, newline="")
    assert stream_of("ü π", " 🙂", Finish())[0].show(out) == "ü π 🙂"
    assert out.buffer.getvalue() == written  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [(("a \ud83d", "\ude42"), "a 🙂"), (("a \ud83d",), "a \ufffd"), (("a \ude42", "b"), "a \ufffdb")],
)
def test_half_a_character_does_not_stop_show(pieces: tuple[str, ...], shown: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    assert stream_of(*pieces, Finish())[0].show(out) == shown
    assert out.buffer.getvalue() == f"{shown}\n".encode()  # type: ignore[attr-defined]


def test_an_object_that_can_be_written_to_is_file_enough() -> None:
    written: list[str] = []
    out: Any = SimpleNamespace(write=written.append, flush=lambda: None)
    stream_of("a", "\x1b[2J", Finish())[0].show(out)
    assert written == ["a", "\x1b[2J", "\n"]


def test_show_without_standard_output_gives_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert stream_of("a", Finish())[0].show() == "a"


class CellOutput(io.StringIO):
    """Standard output of a kernel."""


CellOutput.__module__ = "ipykernel.iostream"


def test_plain_text_is_one_output_of_a_cell(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is flushed piece by piece would be an output each, and a line each where it is exported."""
    monkeypatch.setattr(sys, "stdout", CellOutput())
    stream, _ = stream_of("*a*", " <b>\n\n", "\x1b[2J", Finish())
    assert stream.show(plain=True) == "*a* <b>\n\n\x1b[2J"
    stream.show(plain=True)
    assert notebook.drawn == [(1, "*a*"), (1, "*a* <b>\n\n\ufffd[2J"), (2, "*a* <b>\n\n\ufffd[2J")]
    assert sys.stdout.getvalue() == ""


def test_plain_text_that_is_captured_is_printed(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    stream_of("*a*", " <b>", Finish())[0].show(plain=True)
    assert capsys.readouterr().out == "*a* <b>\n"
    assert notebook.drawn == []
