"""What is said to a model: messages, their text, their images."""

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
    """Check what the caller wants to say and give it back as a list of messages of its own.

    :param messages: a list of ``{"role": …, "content": …}``, or one string: a user's message; the message of a
        completion may stand in the list as it is
    :param system: a system text to put before them
    :param images: a picture or pictures to show with the last user message; see :func:`image_part`
    :raises TypeError: a wrong type
    :raises ValueError: nothing is said, or a role is unknown
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if isinstance(messages, (bytes, dict)) or not isinstance(messages, Sequence):
        raise TypeError(
            f"messages must be a string or a list of {{'role': …, 'content': …}}, not {type(messages).__name__}"
        )
    result = [_checked(message, index) for index, message in enumerate(messages)]
    if not any(_says_something(message) for message in result):
        raise ValueError("messages is empty: there is nothing to answer")
    if system is not None:
        if not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        result.insert(0, {"role": "system", "content": system})
    if images is not None:
        _attach(result, images)
    return result


def _checked(message: Any, index: int) -> Message:
    place = f"messages[{index}]"
    is_result = hasattr(message, "to_dict")  # of a completion, which scripts for OpenAI's client send back
    try:
        message = _plain(message)
    except RecursionError as error:
        raise TypeError(f"{place} is nested too deeply to be sent") from error
    if is_result and (refusal := message.pop("refusal", None)):  # words like others to a server without that field
        message["content"] = f"{message.get('content') or ''}{refusal}"
    if not isinstance(message, dict):
        raise TypeError(f"{place} must be {{'role': …, 'content': …}}, not {type(message).__name__}")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise ValueError(f"{place} has the role {role!r}; known roles are {', '.join(ROLES)}")
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or not isinstance(part.get("type", "text"), str):
                raise TypeError(f"{place} has a content part that is no {{'type': …}}: {part!r:.80}")
            if part.get("type", "text") == "text" and not isinstance(part.get("text"), str):
                raise TypeError(f"{place} has a text part without a text")
    elif content is None:
        if role != "assistant" or not any(map(message.get, ("tool_calls", "function_call", "refusal"))):
            raise ValueError(f"{place} has no content")
    elif not isinstance(content, str):
        raise TypeError(f"{place} has content of type {type(content).__name__}; it must be a string or a list of parts")
    if not all(_is_json(value) for value in message.values()):
        raise TypeError(f"{place} holds something that cannot be sent as JSON")
    return dict(message)


def _plain(value: Any) -> Any:
    """Give a message as plain JSON types; the message of a completion, or its tool calls, may stand in its place."""
    for write in ("to_message", "to_dict"):
        if hasattr(value, write):
            return getattr(value, write)()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _says_something(message: Message) -> bool:
    content = message.get("content")
    has_other_parts = isinstance(content, list) and any(part.get("type", "text") != "text" for part in content)
    return bool(has_other_parts or message.get("tool_calls") or text_of(content).strip())


def _attach(messages: Messages, images: Image | Iterable[Image]) -> None:
    """Put pictures behind the text of the last user message, in place."""
    if (
        isinstance(images, (str, bytes, bytearray, os.PathLike))
        or hasattr(images, "data_uri")
        or hasattr(images, "read")
    ):
        images = [images]
    if not isinstance(images, Iterable):
        raise TypeError(f"images must be pictures: bytes, paths, open files or URLs, not {type(images).__name__}")
    parts = [image_part(image) for image in images]
    if not parts:
        return
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            content = messages[index]["content"]
            text_parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            messages[index] = {**messages[index], "content": [*text_parts, *parts]}
            return
    raise ValueError("images need a user message to go with, and messages has none")


def image_part(image: Image) -> dict[str, Any]:
    """Make the content part that shows a picture to a model.

    :param image: the bytes of a PNG, JPEG, GIF, WebP or BMP file, a path to one,
        a file that is open for reading bytes, an ``http(s):`` or ``data:`` URL, or an ImageResponse
    :raises ValueError: not such a picture;  :raises OSError: an unreadable file
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
            raise TypeError('a picture is read as bytes: open its file with the mode "rb"')
        url = to_data_uri(data)
    else:
        raise TypeError(f"an image is bytes, a path, an open file or a URL, not {type(image).__name__}")
    return {"type": "image_url", "image_url": {"url": url}}


def image_type(data: bytes) -> str | None:
    """Tell a picture's MIME type from its first bytes; None when it is no picture that is known here."""
    for magic, mime in _IMAGE_TYPES:
        if data.startswith(magic):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def to_data_uri(data: bytes) -> str:
    """Write a picture as a ``data:`` URI with its real MIME type.

    :raises ValueError: the bytes are no PNG, JPEG, GIF, WebP or BMP
    """
    mime = image_type(data)
    if mime is None:
        raise ValueError("these bytes are no PNG, JPEG, GIF, WebP or BMP picture")
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """Give the text in a message's content: all of a string, the text parts of a list, joined."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("type", "text") == "text")


def format_prompt(
    messages: Messages,
    add_special_tokens: bool = False,
    do_continue: bool = False,
    include_system: bool = True,
) -> str:
    """Write a conversation as one prompt, for services that take no history.

    One message alone is its content, verbatim.  Several become a line ``Role: content`` each
    (blank contents left out) and a last line ``Assistant:``.

    :param add_special_tokens: write one message alone as a ``Role: content`` line too
    :param do_continue: leave out the last line ``Assistant:``, so that the last message goes on
    :param include_system: False leaves out ``system`` and ``developer`` messages
    :raises ValueError: there is no message
    """
    if not messages:
        raise ValueError("messages is empty: there is no prompt to make")
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
    """Give the text of the last message whose role is ``user``.

    :raises ValueError: no user message has a text
    """
    for message in reversed(messages):
        if message["role"] == "user" and (text := text_of(message.get("content"))).strip():
            return text
    raise ValueError("messages has no user message with a text in it")


def get_random_string(length: int = 10) -> str:
    """Draw ``length`` lowercase letters and digits from the system's secure source."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
