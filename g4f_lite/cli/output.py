"""Writing to standard output: unbuffered, in any encoding, and silent if the reader has gone away."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from ..errors import G4FLiteError, sanitize
from ..messages import to_json
from .failure import Failure, fields_of, one_line
from .notes import note

BROKEN_PIPE = 141  # the exit code that a shell reports for a program killed by SIGPIPE


class _ClosedOutput(io.TextIOWrapper):
    """The null device in place of a standard output that is closed."""


def prepare() -> None:
    """Write ``?`` for characters that cannot be encoded, replace closed streams, and print warnings as notes."""
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  it stays open until the end
    if sys.stdout is None:
        sys.stdout = _ClosedOutput(open(os.devnull, "wb"), encoding="utf-8")  # noqa: SIM115
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
    note(one_line(str(message)))


def require_output() -> None:
    """Raise if standard output is closed, before a command whose answer is for it sends anything.

    Other commands, such as a server, do without it, as programs without a console do.

    :raises click.ClickException: if so
    """
    if isinstance(sys.stdout, _ClosedOutput):
        raise Failure("cannot write to standard output: it is closed")


def write(text: str) -> None:
    """Write and flush a text; control characters are removed if it goes to a terminal.

    :raises click.exceptions.Exit: if the reader has gone away
    :raises click.ClickException: if writing fails, for instance because the disk is full
    """
    out = sys.stdout
    with writing():
        out.write(sanitize(text) if out.isatty() else text)
        out.flush()


def write_dimmed(text: str) -> None:
    """Write a text to a terminal as what was there before, if the terminal can show that.

    :raises click.ClickException: if writing fails
    """
    is_plain = os.environ.get("TERM") in ("dumb", "unknown") or "NO_COLOR" in os.environ
    with writing():
        click.echo(sanitize(text) if is_plain else click.style(sanitize(text), dim=True), nl=False)
        sys.stdout.flush()


def write_bytes(data: bytes) -> None:
    """Write binary data.

    :raises click.exceptions.Exit: if the reader has gone away
    :raises click.ClickException: if standard output is a terminal, or writing fails
    """
    if sys.stdout.isatty():
        raise Failure("an image cannot be written to a terminal; name a file, or redirect the output")
    with writing():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextmanager
def writing() -> Iterator[None]:
    """Handle an OSError in a ``with`` block as one of standard output, and discard further output.

    :raises click.exceptions.Exit: if the reader has gone away
    :raises click.ClickException: if writing fails, for instance because the disk is full
    """
    try:
        yield
    except OSError as error:
        _discard_output()
        if _is_broken_pipe(error):
            raise click.exceptions.Exit(BROKEN_PIPE) from error
        raise Failure(f"cannot write to standard output: {error.strerror}") from error


def write_json(value: Any) -> None:
    """Write a value as one line of JSON, in ASCII unless the encoding is UTF-8."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    write(to_json(value, ensure_ascii=ascii_only) + "\n")


@contextmanager
def errors_in_json(wanted: bool) -> Iterator[None]:
    """Write an error of the library in a ``with`` block as a JSON object, and raise it.

    :param wanted: whether to write it
    """
    try:
        yield
    except G4FLiteError as error:
        if wanted:
            write_json({"error": fields_of(error)})
        raise


def _is_broken_pipe(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _discard_output() -> None:
    """Redirect standard output to nowhere; else Python reports the buffered rest as an error when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
