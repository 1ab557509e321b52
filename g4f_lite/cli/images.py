"""The option ``--image``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ..messages import Image, image_type
from .failure import Misuse


def read_images(sources: Iterable[str]) -> list[Image] | None:
    """Read image files; URLs are returned unchanged.

    :param sources: paths, URLs, and - for standard input
    :raises click.ClickException: if a file cannot be read, or is not an image
    """
    return [_read(source) for source in sources] or None


def _read(source: str) -> Image:
    if source.startswith(("http://", "https://", "data:")):
        return source
    name = "standard input" if source == "-" else source
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the image {name}: {error.strerror}") from error
    if image_type(data) is None:
        raise Misuse(f"{name} is not a PNG, JPEG, GIF, WebP or BMP image")
    return data
