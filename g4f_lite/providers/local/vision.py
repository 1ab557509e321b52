"""Images for a model that can see: a projector, a second file (mmproj), turns them into something like tokens."""

from __future__ import annotations

from ...errors import ModelNotSupportedError
from ...messages import Messages
from .gguf import check_gguf
from .references import is_reference, parse

WITHOUT_PROJECTOR = "leave out images=, or give the projector of a model that can see with mmproj= or G4F_LITE_MMPROJ"


def of_environment(file: str) -> str:
    """Return the projector that ``G4F_LITE_MMPROJ`` names.

    :raises ModelNotSupportedError: if there is no such file
    """
    try:
        return checked_file(file)
    except ModelNotSupportedError as error:
        error.message += " (the projector is from G4F_LITE_MMPROJ)"
        error.args = (error.message,)
        raise


def checked_file(file: str) -> str:
    """Return a reference, or the resolved path of a file.

    :raises ModelNotSupportedError: if it is neither
    """
    if is_reference(file):
        parse(file)
        return file
    return str(check_gguf(file))


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
