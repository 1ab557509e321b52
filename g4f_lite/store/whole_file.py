"""A file that is written whole or not at all, and that only its owner may read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..messages import get_random_string


def write_whole(path: str, data: bytes, check: Callable[[], object] = lambda: None) -> None:
    """Write a file through a temporary one beside it; an existing file keeps its mode.

    :param check: is called before anything is written, and right before the file is replaced; may raise
    :raises OSError: if it cannot be written; an existing file is then as it was
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{get_random_string()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # which only Windows has, and needs
    check()
    try:
        # Private from the first byte on; what an existing file's owner allows others is allowed again.
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the name is given, so that a crash leaves no empty file
        # Windows has one such flag, read-only, with which it would not remove the temporary file either.
        if os.name != "nt" and os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o777)
        check()  # writing takes milliseconds, in which another program may have written
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
