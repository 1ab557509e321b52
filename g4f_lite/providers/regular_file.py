"""Opens files that are meant to be regular ones: a pipe, and some devices, would be waited for without an end."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO


class NotRegularError(OSError):
    """A path leads to a directory, a pipe or a device."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read its bytes; nothing else is opened or waited for.

    :raises NotRegularError: if it is of another kind
    :raises OSError: if it cannot be opened
    """
    return open(path, "rb", opener=_open)


def _open(path: str, flags: int) -> int:
    _check(os.stat(path))  # first, because opening a device may have an effect
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check(os.fstat(descriptor))  # something else may be there by now
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularError("not a regular file")
