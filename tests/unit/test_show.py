"""Answers as they are shown: on a terminal, in a file, in a notebook."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from g4f_lite import Answer, Finish, RateLimitError, Reasoning

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


def test_plain_text_is_written_at_once_in_a_notebook_that_nobody_watches(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that executes a notebook makes each flushed piece an output, and exports each on lines of its own."""
    written: list[str] = []
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=written.append, flush=lambda: written.append("")))
    for is_asked, expected in ((True, ["*a*", "", " <b>", "", "\n", ""]), (False, ["*a* <b>\n", ""])):
        written.clear()
        notebook.kernel = SimpleNamespace(_allow_stdin=is_asked)
        stream_of("*a*", " <b>", Finish())[0].show(plain=True)
        assert written == expected
    assert notebook.drawn == []


def test_of_an_answer_that_fails_the_part_is_written(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.kernel = SimpleNamespace(_allow_stdin=False)
    for pieces in (["a", "b"], []):
        with pytest.raises(RateLimitError):
            stream_of(*pieces, RateLimitError("slow down"))[0].show(plain=True)
    assert capsys.readouterr().out == "ab\n"
