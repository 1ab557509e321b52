"""The file of the messages that a user has typed, to which several chats may write at the same time."""

from __future__ import annotations

import os
from pathlib import Path

from ..store.whole_file import write_whole
from .locked_file import lock_of

LENGTH = 1000  # messages that the file keeps
NEWLINE = "\r"  # in a message of the file, which has a line for each; no key and no paste gives one


def load(path: Path) -> list[str]:
    """Return the messages in a file, the oldest first, and remove those beyond the limit from it.

    :raises OSError: if the file cannot be read
    """
    lines = _lines(path)
    if len(lines) > LENGTH:
        with lock_of(path):
            lines = _lines(path)[-LENGTH:]  # read again: another chat may have written a message
            write_whole(os.path.realpath(path), _data(lines))
    return [line.replace(NEWLINE, "\n") for line in lines]


def append(path: Path, message: str) -> None:
    """Add a message to a file, which only the user can read.

    :raises OSError: if the file cannot be written, or its lock cannot be taken
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_of(path):
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
            file.write(_data([message.replace("\n", NEWLINE)]))
        path.chmod(0o600)


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]


def _data(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
