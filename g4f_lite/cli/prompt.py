"""What the user asks: an argument, standard input, or both."""

from __future__ import annotations

import io
import sys

import click

from .failure import Failure, Misuse


def read_prompt(argument: str | None) -> str:
    """Give the argument, then a blank line, then standard input, where there is more than one.

    :raises click.UsageError: there is none of them
    :raises click.ClickException: it is not text
    """
    given = "" if argument is None else as_text(argument)
    piped = _standard_input() if argument is None or not sys.stdin.isatty() else ""
    if argument is None and not piped.strip():
        raise click.UsageError("there is no prompt: give it as an argument, or on standard input")
    return "\n\n".join(part for part in (given, piped) if part.strip())


def as_text(text: str) -> str:
    """Check that a text holds no bytes that were none.

    :raises click.ClickException: it does
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Misuse(f"the prompt is not text in {sys.getfilesystemencoding()}")
    return text


def _standard_input() -> str:
    """Read standard input to its end; UTF-8 is understood whatever the locale says."""
    if sys.stdin.isatty():
        click.echo("Type the prompt, and Ctrl-D on a line of its own at its end.", err=True)
    if not isinstance(sys.stdin, io.TextIOWrapper):
        return sys.stdin.read()
    data: bytes = sys.stdin.buffer.read()
    for encoding in ("utf-8-sig", sys.stdin.encoding):
        try:
            return data.decode(encoding).replace("\r\n", "\n").rstrip("\n")
        except UnicodeDecodeError:
            continue
    raise Failure(f"standard input is not text in {sys.stdin.encoding}")
