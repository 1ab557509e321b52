"""Images for a model that can see: a projector, a second file (mmproj), turns them into something like tokens."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ModelNotSupportedError
from ...messages import Messages
from .catalogue import WEIGHTS
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


def without_projector(model: str) -> str:
    """Return what to do about images for a model that has no projector.

    :param model: a known name, a reference, or a path
    """
    if os.environ.get(VARIABLE):
        return f"leave out images=, or give the model's projector with mmproj=: {VARIABLE} is set, but {FOR_ITS_MODEL}"
    if model in WEIGHTS:
        return f"leave out images=, or use a model that can see, with its projector in mmproj=; {model} sees none"
    where = "a second file, with mmproj in its name, published with the model"
    if not is_reference(model) and (beside := sorted(Path(model).parent.glob("*mmproj*.gguf"))):
        where = f"{beside[0].name}, beside the model, may be it"
    return f"leave out images=, or give the model's projector with mmproj=: {where}"


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
            if str(url)[:15].lower() == "data:image/webp":
                raise ValueError(f"{owner} reads PNG, JPEG, GIF and BMP, and an image is WebP; convert it")
