"""The option ``--file``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .failure import Misuse


def read_text_files(paths: Iterable[Path]) -> list[str]:
    """Return the texts of files, each with its name before it.

    :raises click.ClickException: if a file cannot be read, or is not text in UTF-8
    """
    return [f"{path}:\n\n{_read(path)}" for path in paths]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").rstrip("\n")
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misuse(f"{path} is not text in UTF-8; an image is sent with --image") from error
