"""The pictures that the user shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..messages import Image, image_type
from .failure import Misuse


def read_pictures(places: Iterable[str]) -> list[Image] | None:
    """Read the files among the places; addresses stay as they are.

    :raises click.ClickException: a file cannot be read, or is no picture
    """
    return [_read(place) for place in places] or None


def _read(place: str) -> Image:
    if place.startswith(("http://", "https://", "data:")):
        return place
    try:
        data = Path(place).read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read the picture {place}: {error.strerror}") from error
    if image_type(data) is None:
        raise Misuse(f"{place} is no PNG, JPEG, GIF, WebP or BMP picture")
    return data
