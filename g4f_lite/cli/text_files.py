"""The option ``--file``."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path

from ..messages import image_type
from .failure import Misuse
from .notes import note

LATIN_1 = "`iconv -f latin1 -t utf-8` converts Latin-1"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # at the beginning of what Windows PowerShell writes with >


def read_text_files(paths: Iterable[Path]) -> list[str]:
    """Return the texts of files, each with its name before it.

    :raises click.ClickException: if a file cannot be read, or is not text in UTF-8, or in UTF-16 with its mark
    """
    texts = [(path, _read(path)) for path in paths]
    for path, text in texts:
        if not text.strip():
            note(f"{path} is empty")
    return [f"{path}:\n\n{text}" for path, text in texts]


def _read(path: Path) -> str:
    if path == Path("-"):
        raise Misuse("--file takes no standard input, which is added to the prompt without it")
    try:
        data = path.read_bytes()
        encoding = "utf-16" if data.startswith(UTF_16) else "utf-8-sig"
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    except OSError as error:
        raise Misuse(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        hint = "convert it to text first" if b"\0" in data else LATIN_1
        if image_type(data) is not None:
            hint = "an image is sent with --image"
        raise Misuse(f"{path} is not text in UTF-8; {hint}") from error
