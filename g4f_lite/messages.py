"""The messages of a prompt: roles, text and images."""

from __future__ import annotations

import base64
import errno
import io
import json
import math
import os
import secrets
import stat
import string
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Union

Message = dict[str, Any]
Messages = list[Message]
Image = Union[str, bytes, "os.PathLike[str]", Any]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MAX_DIGITS = 4_300  # of a number in JSON, whose time grows with their square: Python's limit, unless that is off
MAX_DEPTH = 100  # levels of lists and objects in a message or an option; a value that contains itself exceeds it

_MANY = "; many prompts are answered by Client().map(…)"

_IMAGE_TYPES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")  # of Pillow's images, those that PNG has


def to_messages(
    messages: str | Sequence[Message],
    *,
    system: str | None = None,
    images: Image | Iterable[Image] | None = None,
) -> Messages:
    """Check the caller's messages and return a deep copy, which later changes of the caller's do not affect.

    :param messages: a list of ``{"role": …, "content": …}``, or a string for one user message; the message of a
        completion is accepted as well
    :param system: a system message to put first
    :param images: an image or images to add to the last user message; see :func:`image_part`
    :raises TypeError: if something has the wrong type
    :raises ValueError: if no message has content, a role is unknown, or a message contains itself
    """
    if isinstance(messages, str):
        if not messages.strip():
            raise ValueError("the prompt is blank; give a text or a list of messages")
        messages = [{"role": "user", "content": messages}]
    if isinstance(messages, (bytes, dict)) or not isinstance(messages, Sequence):
        hint = _MANY if hasattr(messages, "to_list") else ""  # a Series of pandas or polars
        hint = ": pass its .read_text()" if isinstance(messages, os.PathLike) else hint
        kind = type(messages).__name__
        raise TypeError(f"messages must be a string or a list of {{'role': …, 'content': …}}, not {kind}{hint}")
    result = [_checked(message, index) for index, message in enumerate(messages)]
    if not any(_has_content(message) for message in result):
        raise ValueError("messages is empty; give at least one message with content")
    if system is not None:
        if not isinstance(system, str):
            raise TypeError(f"system must be a string, not {type(system).__name__}")
        result.insert(0, {"role": "system", "content": valid_text(system)})
    if images is not None:
        _attach(result, images)
    return result


def _checked(message: Any, index: int) -> Message:
    place = f"messages[{index}]"
    if hasattr(message, "to_dict"):  # a completion's message, as scripts for OpenAI's client send it back
        message = _written(message)
        if refusal := message.pop("refusal", None):  # not all servers know the field, so it is sent as text
            message["content"] = f"{message.get('content') or ''}{refusal}"
    if not isinstance(message, dict):
        hint = _MANY if isinstance(message, str) else ""
        raise TypeError(f"{place} must be {{'role': …, 'content': …}}, not {type(message).__name__}{hint}")
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
    copied: Message = json_copy(message, place)
    return copied


def _written(result: Any) -> Any:
    """Return a part of a completion, such as its message or a tool call, as it is sent back."""
    return result.to_message() if hasattr(result, "to_message") else result.to_dict()


def json_copy(value: Any, place: str, *, number_names: bool = False) -> Any:
    """Return a deep copy of a value that can be sent as JSON, with valid text.

    :param place: where the value is, for the error, such as ``"messages[0]"``
    :param number_names: whether an object's names may be whole numbers, which JSON writes as text
    :raises TypeError: if something in it cannot be sent as JSON
    :raises ValueError: if it is nested too deeply, or contains itself
    """
    return _json_copy(value, place, str | int if number_names else str, MAX_DEPTH)


def _json_copy(value: Any, place: str, names: Any, levels: int) -> Any:
    if isinstance(value, str):
        return valid_text(value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if hasattr(value, "to_dict"):
        value = _written(value)
    if levels == 0:
        raise ValueError(f"{_shortened(place)} is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, names) or isinstance(name, bool):
                raise TypeError(f"{_shortened(place)} has the name {name!r:.80}, which cannot be sent as JSON")
        return {
            valid_text(str(name)): _json_copy(inner, _shortened(f"{place}.{name}"), names, levels - 1)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_json_copy(inner, f"{place}[{index}]", names, levels - 1) for index, inner in enumerate(value)]
    if isinstance(value, type):
        raise TypeError(
            f"{_shortened(place)} is the class {value.__name__}, which cannot be sent as JSON; "
            f"for an answer of this type write output={value.__name__}"
        )
    kind = repr(value) if isinstance(value, float) else f"of type {type(value).__name__}"
    raise TypeError(f"{_shortened(place)} is {kind}, which cannot be sent as JSON")


def _shortened(place: str) -> str:
    """Bound the name of a place: a name that a service chose is copied for each item of the list that it names."""
    return place if len(place) <= 100 else f"{place[:60]}…"


def to_json(value: Any, **how: Any) -> str:
    """Write plain types as JSON, with null in place of NaN and the infinities, which a service may send.

    :param how: as for ``json.dumps``
    """
    try:
        return json.dumps(value, allow_nan=False, **how)
    except ValueError:  # how json says that there are such numbers
        return json.dumps(finite(value), allow_nan=False, **how)


def finite(value: Any) -> Any:
    """Return plain types with None in place of NaN and the infinities, for which JSON has no word."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def valid_text(text: str) -> str:
    """Return a text that can be encoded: halves of a character are joined, and a lone half becomes U+FFFD.

    JSON writes an emoji as two halves, ``\\ud83d\\ude42``, and a program that cuts a text by UTF-16 units leaves one.
    """
    if text.isascii() or is_valid(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_valid(text: str) -> bool:
    """Return whether a text can be encoded: there is no half of a character in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
        or _is_pil(images)
    ):
        images = [images]
    if not isinstance(images, Iterable):
        raise TypeError(f"images must be bytes, paths, open files, URLs or Pillow images, not {type(images).__name__}")
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

    :param image: the bytes of a PNG, JPEG, GIF, WebP or BMP file, the path of one, a file opened in binary mode, which
        is read from its beginning if it is at its end, an ``http(s):`` or ``data:`` URL, an ImageResponse, a Pillow
        image, or g4f's pair of an image and its name, which is not sent
    :raises ValueError: if the bytes are not such an image
    :raises OSError: if the file cannot be read
    """
    if isinstance(image, (list, tuple)) and len(image) == 2 and isinstance(image[1], (str, type(None))):
        image = image[0]
    if isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:")):
        url = image
    elif hasattr(image, "data_uri"):
        url = image.data_uri
    elif isinstance(image, (str, os.PathLike)):
        if not stat.S_ISREG(mode := os.stat(image).st_mode) and not stat.S_ISDIR(mode):  # it may never end
            raise OSError(errno.EINVAL, "not a regular file; read it yourself, and give the bytes", str(image))
        with open(image, "rb") as file:
            url = to_data_uri(file.read())
    elif isinstance(image, (bytes, bytearray)):
        url = to_data_uri(bytes(image))
    elif hasattr(image, "read"):
        url = to_data_uri(_read(image))
    elif _is_pil(image):
        url = to_data_uri(_encode_pil(image))
    else:
        raise TypeError(
            f"an image must be bytes, a path, an open file, a URL or a Pillow image, not {type(image).__name__}"
        )
    return {"type": "image_url", "image_url": {"url": url}}


def _read(file: Any) -> bytes:
    """Return what is left to read of a file; all of one that is at its end, as what has saved an image leaves it."""
    data = file.read()
    if not data and getattr(file, "seekable", bool)():
        file.seek(0)
        data = file.read()
    if not isinstance(data, bytes):
        raise TypeError('an image file must be opened in binary mode, with open(path, "rb")')
    return data


def _is_pil(image: Any) -> bool:
    """Return whether something is a Pillow image, without importing Pillow."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _encode_pil(image: Any) -> bytes:
    """Encode a Pillow image as PNG, or as JPEG with the quality that it was read with."""
    file = io.BytesIO()
    if image.format == "JPEG":
        image.save(file, "JPEG", quality="keep")
    else:
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(file, "PNG")
    return file.getvalue()


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


def with_system_text(messages: Messages, text: str) -> Messages:
    """Return the messages with a text added to the system message, or before all others as one."""
    first = messages[0]
    if first["role"] in ("system", "developer") and isinstance(first["content"], str):
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


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
