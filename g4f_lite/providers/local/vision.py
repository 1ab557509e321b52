"""Images for a model that can see: a projector, a second file (mmproj), turns them into something like tokens."""

from __future__ import annotations

from ...messages import Messages


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
