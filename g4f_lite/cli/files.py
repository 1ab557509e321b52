"""What is at a path that the user named.

Where that cannot be seen, ``Path.exists`` raises before Python 3.14 and says no from 3.14 on.
"""

from __future__ import annotations

import stat
from pathlib import Path

from .failure import Misuse


def is_there(path: Path) -> bool:
    """Return whether something has this name.

    :raises Misuse: if that cannot be seen: a folder may not be entered, or the name is too long
    """
    return bool(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether a folder has this name.

    :raises Misuse: if that cannot be seen
    """
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise Misuse(f"cannot look at {path!s:.300}: {error.strerror}") from error
