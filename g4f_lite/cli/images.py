"""The option ``--image``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..messages import Image, image_type
from .failure import Misuse


def read_images(sources: Iterable[str]) -> list[Image] | None:
    """Read image files; URLs are returned unchanged.

    :param sources: paths and URLs
    :raises click.ClickException: if a file cannot be read, or is not an image
    """
    return [_read(source) for source in sources] or None


def _read(source: str) -> Image:
    if source.startswith(("http://", "https://", "data:")):
        return source
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the image {source}: {error.strerror}") from error
    if image_type(data) is None:
        raise Misuse(f"{source} is not a PNG, JPEG, GIF, WebP or BMP image")
    return data
