"""Showing an answer as it arrives."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..errors import G4FLiteError
from .failure import one_line
from .keyboard import silent_keyboard
from .notes import note
from .output import write
from .waiting import told_if_late

if TYPE_CHECKING:
    from .writer import MarkdownWriter

_DATA = re.compile(r"(data:[^)\s]{60})[^)\s]+")  # the bytes of an image in its URL, which nobody reads on a screen


def show(stream: AnswerStream, *, whole: bool = False, raw: bool = False) -> Answer:
    """Write an answer as it arrives, render it if standard output is a terminal, and return it.

    The last line is terminated even if the answer is cut.

    :param whole: write nothing before the answer is complete
    :param raw: do not render
    :raises G4FLiteError: if the answer fails
    """
    if not sys.stdout.isatty():
        _print(stream, whole=whole)
    else:
        with silent_keyboard():  # also while the renderer is loaded
            make = None if raw else _renderer()
            if make is None:
                _print(stream, whole=whole)
            else:
                _render(stream, make(), whole=whole)
    answer = stream.text()
    note_what_is_missing(answer)
    return answer


def note_what_is_missing(answer: Answer) -> None:
    """Say on standard error if an answer has no text, or is cut: by the service's filter, or by which limit."""
    context = click.get_current_context(silent=True)
    given = {} if context is None else context.params
    if not answer:
        called = ", ".join(call.name for call in answer.tool_calls)
        more = "reasoning" if answer.reasoning else "fields of the service's own"
        instead = f"calls of tools: {called}" if called else more
        note(one_line(f"the answer has no text, only {instead}{'' if given.get('as_json') else '; --json shows it'}"))
    if answer.finish_reason == "content_filter":
        note("the answer is cut, because the service's filter held the rest back")
    if answer.finish_reason != "length":
        return
    if given.get("max_tokens") or any(text.startswith("max_") for text in given.get("more", ())):
        note("the answer is cut, because it has reached the limit of tokens; see --max-tokens")
    elif answer.provider != "Local":  # which has told that its context is full
        limit = "a limit of the server or the context of the model"
        note(f"the answer is cut, because it has reached {limit}; a larger --max-tokens may raise the server's")


def _print(stream: AnswerStream, *, whole: bool) -> None:
    end = ""
    try:
        with told_if_late(stream):
            pieces = [_ended(str(stream.text()))] if whole else stream.start()
        for text in map(str, pieces):
            write(text)
            if text:
                end = "" if text.endswith("\n") else "\n"
    except G4FLiteError:
        write(end)
        raise
    write(end)


def _ended(text: str) -> str:
    """End the last line of a text, which is then written at once, as other commands may write to the same output."""
    return text if text.endswith("\n") or not text else f"{text}\n"


def _render(stream: AnswerStream, writer: MarkdownWriter, *, whole: bool) -> None:
    with silent_keyboard(writer.begin_anew):
        # Start before the writer does: its thread would get a Ctrl-C while the embedded model loads.
        with told_if_late(stream):
            pieces = [str(stream.text())] if whole else stream.start()
        with writer:
            for piece in pieces:
                if isinstance(piece, str):
                    writer.feed(piece)
                else:
                    writer.write_image(_DATA.sub(r"\1…", str(piece)))


def _renderer() -> type[MarkdownWriter] | None:
    """Return the renderer if the terminal can redraw lines, nothing else writes to it, and rich is installed."""
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return None
    if os.environ.get("G4F_LITE_LOG") and sys.stderr.isatty():
        return None
    try:
        from rich.console import detect_legacy_windows

        from .writer import MarkdownWriter
    except ModuleNotFoundError:
        return None
    return None if detect_legacy_windows() else MarkdownWriter
