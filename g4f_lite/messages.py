"""The messages of a prompt: roles, text and images."""

from __future__ import annotations

import base64
import math
import os
import secrets
import string
from collections.abc import Iterable, Sequence
from typing import Any, Union

Message = dict[str, Any]
Messages = list[Message]
Image = Union[str, bytes, "os.PathLike[str]", Any]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")

_IMAGE_TYPES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


def to_messages(
    messages: str | Sequence[Message],
    *,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
) -> Messages:
    """Check the caller's messages and return them as a new list.

    :param messages: a list of ``{"role": …, "content": …}``, or a string for one user message; the message of a
        completion is accepted as well
    :param system: a system message to put first
    :param images: an image or images to add to the last user message; see :func:`image_part`
    :raises TypeError: if something has the wrong type
    :raises ValueError: if no message has content, or a role is unknown
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if isinstance(messages, (bytes, dict)) or not isinstance(messages, Sequence):
        raise TypeError(
            f"messages must be a string or a list of {{'role': …, 'content': …}}, not {type(messages).__name__}"
        )
    result = [_checked(message, index) for index, message in enumerate(messages)]
    if not any(_has_content(message) for message in result):
        raise ValueError("messages is empty; give at least one message with content")
    if system is not None:
        if not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        result.insert(0, {"role": "system", "content": system})
    if images is not None:
        _attach(result, images)
    return result


def _checked(message: Any, index: int) -> Message:
    place = f"messages[{index}]"
    if hasattr(message, "to_dict"):  # a completion's message, as scripts for OpenAI's client send it back
        message = {name: value for name, value in message.to_dict().items() if name != "reasoning"}
        if refusal := message.pop("refusal", None):  # not all servers know the field, so it is sent as text
            message["content"] = f"{message.get('content') or ''}{refusal}"
    if not isinstance(message, dict):
        raise TypeError(f"{place} must be {{'role': …, 'content': …}}, not {type(message).__name__}")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise ValueError(f"{place} has the role {role!r}; known roles are {', '.join(ROLES)}")
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or not isinstance(part.get("type", "text"), str):
                raise TypeError(f"{place} has a content part that is not {{'type': …}}: {part!r:.80}")
            if part.get("type", "text") == "text" and not isinstance(part.get("text"), str):
                raise TypeError(f"{place} has a text part without text")
    elif content is None:
        if role != "assistant" or not any(map(message.get, ("tool_calls", "function_call", "refusal"))):
            raise ValueError(f"{place} has no content")
    elif not isinstance(content, str):
        raise TypeError(f"{place} has content of type {type(content).__name__}; it must be a string or a list of parts")
    if not all(_is_json(value) for value in message.values()):
        raise TypeError(f"{place} contains a value that cannot be sent as JSON")
    return dict(message)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _has_content(message: Message) -> bool:
    content = message.get("content")
    has_other_parts = isinstance(content, list) and any(part.get("type", "text") != "text" for part in content)
    return bool(has_other_parts or message.get("tool_calls") or text_of(content).strip())


def _attach(messages: Messages, images: Image | Iterable[Image]) -> None:
    """Add images after the text of the last user message, in place."""
    if (
        isinstance(images, (str, bytes, bytearray, os.PathLike))
        or hasattr(images, "data_uri")
        or hasattr(images, "read")
    ):
        images = [images]
    if not isinstance(images, Iterable):
        raise TypeError(f"images must be bytes, paths, open files or URLs, not {type(images).__name__}")
    parts = [image_part(image) for image in images]
    if not parts:
        return
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            content = messages[index]["content"]
            text_parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            messages[index] = {**messages[index], "content": [*text_parts, *parts]}
            return
    raise ValueError("images= needs a user message to add the images to, and messages has none")


def image_part(image: Image) -> dict[str, Any]:
    """Create the content part for an image.

    :param image: the bytes of a PNG, JPEG, GIF, WebP or BMP file, the path of one, a file opened in binary mode, an
        ``http(s):`` or ``data:`` URL, or an ImageResponse
    :raises ValueError: if the bytes are not such an image
    :raises OSError: if the file cannot be read
    """
    if isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:")):
        url = image
    elif hasattr(image, "data_uri"):
        url = image.data_uri
    elif isinstance(image, (str, os.PathLike)):
        with open(image, "rb") as file:
            url = to_data_uri(file.read())
    elif isinstance(image, (bytes, bytearray)):
        url = to_data_uri(bytes(image))
    elif hasattr(image, "read"):
        data = image.read()
        if not isinstance(data, bytes):
            raise TypeError('an image file must be opened in binary mode, with open(path, "rb")')
        url = to_data_uri(data)
    else:
        raise TypeError(f"an image must be bytes, a path, an open file or a URL, not {type(image).__name__}")
    return {"type": "image_url", "image_url": {"url": url}}


def image_type(data: bytes) -> str | None:
    """Return the MIME type of an image by its first bytes; None if they are not PNG, JPEG, GIF, WebP or BMP."""
    for magic, mime in _IMAGE_TYPES:
        if data.startswith(magic):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def to_data_uri(data: bytes) -> str:
    """Encode an image as a ``data:`` URI with its real MIME type.

    :raises ValueError: if the bytes are not PNG, JPEG, GIF, WebP or BMP
    """
    mime = image_type(data)
    if mime is None:
        raise ValueError("the bytes are not a PNG, JPEG, GIF, WebP or BMP image")
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """Return the text of a message's content: the string, or the text parts of the list, joined."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("type", "text") == "text")


def format_prompt(
    messages: Messages,
    add_special_tokens: bool = False,
    do_continue: bool = False,
    include_system: bool = True,
) -> str:
    """Format a conversation as one text, for services that accept no history.

    A single message is returned verbatim.  Several messages become a line ``Role: content`` each, without blank
    ones, and a last line ``Assistant:``.

    :param add_special_tokens: format a single message as a ``Role: content`` line as well
    :param do_continue: leave out the last line ``Assistant:``, so that the model continues the last message
    :param include_system: False leaves out ``system`` and ``developer`` messages
    :raises ValueError: if there are no messages
    """
    if not messages:
        raise ValueError("messages is empty; give at least one message")
    if not add_special_tokens and len(messages) == 1:
        return text_of(messages[0].get("content"))
    lines = [
        f"{message['role'].capitalize()}: {text}"
        for message in messages
        if include_system or message["role"] not in ("system", "developer")
        if (text := text_of(message.get("content"))).strip()
    ]
    if not do_continue:
        lines.append("Assistant:")
    return "\n".join(lines)


def last_user_message(messages: Messages) -> str:
    """Return the text of the last message whose role is ``user``.

    :raises ValueError: if no user message has text
    """
    for message in reversed(messages):
        if message["role"] == "user" and (text := text_of(message.get("content"))).strip():
            return text
    raise ValueError("messages has no user message with text")


def get_random_string(length: int = 10) -> str:
    """Return ``length`` random lowercase letters and digits, from a cryptographically secure source."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
