"""Writing a conversation's file, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..messages import get_random_string


def write_whole(path: str, data: bytes) -> str:
    """Write a file through a temporary one beside it, and return the digest of its content."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{get_random_string()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # which only Windows has, and needs
    try:
        # Private from the first byte on; what an existing file's owner allows others is allowed again.
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o777)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest(data)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
