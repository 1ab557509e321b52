"""Images for a model that can see: a projector, a second file (mmproj), turns them into something like tokens."""

from __future__ import annotations

import os

from ...errors import ModelNotSupportedError
from ...messages import Messages
from .gguf import check_gguf
from .references import is_reference, parse

VARIABLE = "G4F_LITE_MMPROJ"
#: What ``G4F_LITE_MMPROJ`` is for, where it has no effect.
FOR_ITS_MODEL = "only for the model in G4F_LITE_MODEL"
#: A phrase of the message about a projector's file, which says who named it.
PROJECTOR_FROM = "the projector is from"


def checked_file(file: str, source: str) -> str:
    """Return a projector: a reference, or the resolved path of a file.

    :param source: what names it, for the error
    :raises ModelNotSupportedError: if it is neither
    """
    try:
        if is_reference(file):
            parse(file)
            return file
        return str(check_gguf(file))
    except ModelNotSupportedError as error:
        error.message += f" ({PROJECTOR_FROM} {source})"
        error.args = (error.message,)
        raise


def without_projector() -> str:
    """Return what to do about images for a model that has no projector."""
    if os.environ.get(VARIABLE):
        return f"leave out images=, or give the model's projector with mmproj=: {VARIABLE} is set, but {FOR_ITS_MODEL}"
    return f"leave out images=, or give the projector of a model that can see with mmproj= or {VARIABLE}"


def check_images(messages: Messages, owner: str) -> None:
    """Raise if a message contains anything but text and images, or an image only as a URL.

    llama.cpp would download such an image itself, from any host, without a limit of ours.

    :param owner: the name of the provider, for the error
    :raises ValueError: if one does
    """
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type", "text")
            if kind not in ("text", "image_url"):
                raise ValueError(f"{owner} accepts text and images, and a message contains {kind!r}")
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            if kind == "image_url" and not str(url)[:5].lower() == "data:":
                raise ValueError(f"{owner} downloads no images: give the bytes or the path of an image, not its URL")
