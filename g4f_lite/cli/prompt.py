"""Reading the prompt: an argument, standard input, or both."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import click

from ..messages import image_type
from .failure import Misuse
from .notes import is_quiet, note
from .text_files import LATIN_1
from .waiting import if_late

STANDARD_INPUT = "-"
SECONDS = 2.0  # after which somebody wonders why nothing comes, whose standard input is open and silent


def _one_argument(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    if len([word for word in words if word != STANDARD_INPUT]) > 1:
        raise click.UsageError(f'the prompt is several arguments; put it in quotes: "{" ".join(words)}"', context)
    return words


# The prompt, if there is one, and a dash, if standard input is required.
prompt_argument = click.argument("prompt", nargs=-1, metavar="[PROMPT]", callback=_one_argument)
no_stdin_option = click.option(
    "--no-stdin", is_flag=True, help="Leave standard input alone, for jobs and loops that own it."
)


def check_dashes(names: Sequence[str], *, no_stdin: bool) -> None:
    """Raise if standard input is named as well as forbidden, before it is read.

    :param names: what the arguments name
    :raises click.UsageError: if so
    """
    if no_stdin and STANDARD_INPUT in names:
        raise click.UsageError("- is standard input, which --no-stdin leaves alone")


def read_prompt(
    words: Sequence[str], files: Sequence[str] = (), images: Sequence[str] | None = None, *, no_stdin: bool = False
) -> str:
    """Return the argument, the texts of files, and standard input, separated by blank lines.

    :param words: the argument, ``-`` if standard input must not be empty, both, or none
    :param files: the texts of files
    :param images: what the option for images names; None for a command without that option
    :param no_stdin: whether standard input is left alone
    :raises click.UsageError: if there is none of them
    :raises click.ClickException: if one is not text
    """
    is_required = STANDARD_INPUT in words
    argument = next((word for word in words if word != STANDARD_INPUT), None)
    given = "" if argument is None else as_text(argument)
    read = not no_stdin and (argument is None or is_required or _is_piped())
    waiting = "reading the prompt from standard input"
    if argument is not None and not is_required:
        waiting = "reading standard input, which is added to the prompt; --no-stdin leaves it alone"
    data = _standard_input(waiting) if read else b""
    if images is not None and image_type(data) is not None and not _is_utf8(data):  # a text may begin with BM, too
        raise Misuse("standard input is an image, not text; send it with --image -")
    piped = _decoded(data)
    if is_required and not piped.strip() and (files or argument is not None):
        raise click.UsageError("standard input was empty, and - requires it")
    if read and argument is not None and not piped.strip() and STANDARD_INPUT not in (images or ()) and _is_pipe():
        note("standard input was empty; the prompt is sent without it")
    if argument is None and not files and not piped.strip():
        if read and _is_pipe():
            raise click.UsageError("standard input was empty, and there is no other prompt")
        raise click.UsageError("there is no prompt; give it as an argument, or on standard input")
    return "\n\n".join(part for part in (given, *files, piped) if part.strip())


def _is_piped() -> bool:
    """Return whether there is a standard input to add to an argument.

    A file that something else has read from is not: a shell's loop over its lines would end with the first.
    """
    if sys.stdin.isatty():
        return False
    try:
        number = sys.stdin.fileno()
        return not stat.S_ISREG(os.fstat(number).st_mode) or os.lseek(number, 0, os.SEEK_CUR) == 0
    except (OSError, ValueError):  # not a file of the system
        return True


def as_text(text: str) -> str:
    """Reject lone surrogates, which stand for bytes that could not be decoded.

    :raises click.ClickException: if the text contains any
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Misuse(f"the prompt is not valid {sys.getfilesystemencoding()}")
    return text


def _is_pipe() -> bool:
    """Return whether standard input is a pipe, which somebody has put there for its contents, unlike /dev/null."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode)
    except (OSError, ValueError):  # not a file of the system
        return False


def _standard_input(waiting: str) -> bytes:
    """Read standard input to its end.

    :param waiting: what to note if nothing comes for a while
    """
    if not isinstance(sys.stdin, io.TextIOWrapper):
        return sys.stdin.read().encode()
    late: AbstractContextManager[None] = nullcontext()
    if sys.stdin.isatty():
        if not is_quiet():
            click.echo("Type the prompt, then press Ctrl-D on a line of its own.", err=True)
    elif not is_quiet():  # which another thread cannot ask
        late = if_late(SECONDS, lambda: note(waiting))
    with late:
        data: bytes = sys.stdin.buffer.read(1)
    data += sys.stdin.buffer.read()
    return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(data: bytes) -> str:
    """Decode what standard input has, as UTF-8 or in the encoding of the locale.

    :raises click.ClickException: if it is not text
    """
    for encoding in ("utf-8-sig", sys.stdin.encoding or "utf-8"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").rstrip("\n")
        except UnicodeDecodeError:
            continue
    if codecs.lookup(sys.stdin.encoding or "utf-8").name == "utf-8":
        raise Misuse("standard input is not text in UTF-8" + ("" if b"\0" in data else f"; {LATIN_1}"))
    raise Misuse(f"standard input is text neither in UTF-8 nor in {sys.stdin.encoding}")
