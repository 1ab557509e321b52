"""Standard output: each piece at once, whatever its characters, and quiet when nobody reads any more."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..answers.stream import AnswerStream
from ..errors import G4FLiteError
from .characters import harmless
from .failure import Failure

if TYPE_CHECKING:
    from .rendered import RenderedMarkdown

BROKEN_PIPE = 141  # how a shell tells of a program that SIGPIPE ended


def prepare() -> None:
    """Let ``?`` stand for what the encoding of standard output lacks, and nothing for a stream that is closed.

    Warnings are written as notes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  it is open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Write a warning in one line, without the place in the program that it came from."""
    click.echo(f"Note: {harmless(str(message))}", err=True)


def write(text: str) -> None:
    """Write and flush; to a terminal, without control characters.

    :raises click.exceptions.Exit: nobody reads any more
    :raises click.ClickException: it cannot be written, for instance because the disk is full
    """
    out = sys.stdout
    with writing():
        out.write(harmless(text) if out.isatty() else text)
        out.flush()


def write_bytes(data: bytes) -> None:
    """Write what is no text.

    :raises click.exceptions.Exit: nobody reads any more
    :raises click.ClickException: it would go to a terminal, or cannot be written
    """
    if sys.stdout.isatty():
        raise Failure("this is no text, and not for a terminal; name a file, or send it through a pipe")
    with writing():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextmanager
def writing() -> Iterator[None]:
    """Take an OSError in the body for one of standard output, which nothing else is written to after it.

    :raises click.exceptions.Exit: nobody reads any more
    :raises click.ClickException: it cannot be written, for instance because the disk is full
    """
    try:
        yield
    except OSError as error:
        _discard_the_rest()
        if _is_broken_pipe(error):
            raise click.exceptions.Exit(BROKEN_PIPE) from error
        raise Failure(f"cannot write to standard output: {error.strerror}") from error


def show(stream: AnswerStream, *, whole: bool = False, raw: bool = False) -> None:
    """Write an answer piece by piece, or all at its end; its last line is ended also where it is cut.

    On a terminal it is rendered.

    :param raw: not so
    :raises G4FLiteError: it is not whole
    """
    if not raw and (make := _renderer()):
        _render(stream, make, whole=whole)
        return
    end = ""
    try:
        for text in [str(stream.text())] if whole else map(str, stream):
            write(text)
            if text:
                end = "" if text.endswith("\n") else "\n"
    except G4FLiteError:
        write(end)
        raise
    write(end)


def _render(stream: AnswerStream, make: type[RenderedMarkdown], *, whole: bool) -> None:
    # Started before the display, whose thread would take a Ctrl-C while the embedded model loads.
    pieces = [str(stream.text())] if whole else stream.start()
    with make() as rendered:
        for piece in pieces:
            with writing():
                if isinstance(piece, str):
                    rendered.feed(piece)
                else:
                    rendered.write_picture(str(piece))


def _renderer() -> type[RenderedMarkdown] | None:
    """Give what renders, where standard output is a terminal on which a line can be drawn again, and rich is there."""
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return None
    try:
        from .rendered import RenderedMarkdown
    except ModuleNotFoundError:
        return None
    return RenderedMarkdown


def write_json(value: Any) -> None:
    """Write a value as one line of JSON, in characters that the encoding has."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    write(json.dumps(value, ensure_ascii=ascii_only) + "\n")


def _is_broken_pipe(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _discard_the_rest() -> None:
    """Let what is still buffered go nowhere, or Python would complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
