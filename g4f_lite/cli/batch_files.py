"""The files of ``g4f-lite batch``: what is read, and what may be replaced."""

from __future__ import annotations

import io
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..batch.files import Row, format_of, opened, read_rows
from .failure import Misuse, checking_arguments


def read_prompts(source: Path, kind: str | None, template: str | None) -> list[Row]:
    """Read all rows, so that a bad one is found before anything is sent.

    :param source: the file, or ``-`` for standard input
    :param kind: its format; None for that of its ending, and on standard input that of its first line
    :param template: the prompt, with columns in braces
    :raises click.ClickException: if the file cannot be read, or a row does not make a prompt
    """
    name = "standard input" if is_standard(source) else str(source)
    try:
        if is_standard(source):
            text = _standard_input()
            rows = list(read_rows(io.StringIO(text, newline=""), kind or _guess(text), template))
        else:
            kind = kind or _format_of(source)
            with opened(source, "r") as file:
                rows = list(read_rows(file, kind, template))
    except OSError as error:
        raise Misuse(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misuse(f"{name} is not UTF-8 text: {error.reason} at byte {error.start:,}") from error
    except ValueError as error:
        raise Misuse(f"{name}, {error}") from error
    if not rows:
        raise Misuse(f"{name} has no prompts")
    return rows


def format_of_output(path: Path) -> str:
    """Return the format of a file to write: ``"jsonl"``, ``"csv"`` or ``"tsv"``.

    :raises click.ClickException: if its ending is not one of these
    """
    with checking_arguments():
        kind = "jsonl" if is_standard(path) else format_of(path)
        if kind == "text":
            raise ValueError(f"{path} must be a .jsonl, .csv or .tsv file")
    return kind


def check_outputs(files: Mapping[str, Path | None], *, may_replace: bool) -> None:
    """Check, before anything is sent, that no file is replaced that somebody may need.

    :param files: all files of the command by what they are for: those that are read and those that are written
    :param may_replace: whether ``--output`` and ``--failed`` may exist
    :raises click.ClickException: if two of the files are one, or one exists that must not
    """
    named = [(name, path) for name, path in files.items() if path is not None and not is_standard(path)]
    for (name, path), (other, same) in itertools.combinations(named, 2):
        if _is_same(path, same):
            raise Misuse(f"{name} and {other} are the same file, {path}; name another one")
    for name, path in named:
        if name in ("--output", "--failed") and not may_replace and path.is_file() and path.stat().st_size:
            raise Misuse(f"{path} already exists; name another file, or pass --force")


def is_standard(path: Path) -> bool:
    """Return whether a path stands for standard input or output."""
    return str(path) == "-"


def _is_same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)  # through links as well
    return os.path.realpath(path) == os.path.realpath(other)


def _standard_input() -> str:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="")
    return sys.stdin.read()


def _format_of(source: Path) -> str:
    try:
        return format_of(source)
    except ValueError as error:
        raise Misuse(f"{error}; --format names another") from error


def _guess(text: str) -> str:
    """Return the format of what is on standard input: JSON lines, or a prompt in each line."""
    return "jsonl" if text.lstrip()[:1] in ("{", '"', "[") else "text"
