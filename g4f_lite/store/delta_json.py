"""Deltas of an answer as JSON, and back."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..answers.deltas import (
    Attached,
    Delta,
    Finish,
    Identity,
    OtherChoice,
    Reasoning,
    Refusal,
    Revision,
    ToolCallDelta,
    Usage,
    checked,
)
from ..answers.images import ImageResponse
from ..errors import HookError, ResponseFormatError
from ..messages import valid_text

# The names are part of the format of the files: an older one must still be read after a class was renamed.
_KINDS: dict[str, Callable[..., Delta]] = {
    "reasoning": Reasoning,
    "refusal": Refusal,
    "tool_call": ToolCallDelta,
    "attached": Attached,
    "usage": Usage,
    "identity": Identity,
    "finish": Finish,
    "revision": Revision,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_MOST_IMAGE_BYTES = 64 * 1024 * 1024  # of all images of an answer; and the seconds after which no other is fetched
_MOST_IMAGE_SECONDS = 10.0
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(deltas: Sequence[Delta]) -> str:
    """Write deltas as JSON: a text is a string, anything else an object with the name of its kind.

    An image is fetched, because its URL may expire.  Half of a character becomes U+FFFD.

    :raises G4FLiteError: if an image cannot be fetched, or all of them are too large or take too long
    """
    _fetch_images(deltas)
    return valid_text(_encode([_written(delta) for delta in deltas]))


def from_json(text: str) -> list[Delta]:
    """Read what :func:`to_json` wrote.

    :raises ValueError: if it is something else
    """
    try:
        return list(checked([_read(value) for value in json.loads(text)], "from_json"))
    except (TypeError, KeyError, AttributeError, RecursionError, HookError) as error:
        raise ValueError(f"not the deltas of an answer: {text!r:.80}") from error


def _fetch_images(deltas: Iterable[Delta]) -> None:
    """Fetch the images whose URLs may expire, of which a service may name any number, each in a call of its own.

    :raises G4FLiteError: if one cannot be fetched, or all of them are too large or take too long
    """
    ends, left = time.monotonic() + _MOST_IMAGE_SECONDS, _MOST_IMAGE_BYTES
    whole = [delta.delta if isinstance(delta, OtherChoice) else delta for delta in deltas]
    for image in whole:
        if not isinstance(image, ImageResponse):
            continue
        for index, url in enumerate(image.urls):
            if url.startswith("data:"):
                continue
            is_late = time.monotonic() > ends
            left -= 0 if is_late else len(image.bytes(index))
            if is_late or left < 0:
                size = f"{_MOST_IMAGE_BYTES // 1024**2} MiB"
                raise ResponseFormatError(f"its images have more than {size}, or take {_MOST_IMAGE_SECONDS:g} s")


def _written(delta: Delta) -> Any:
    if isinstance(delta, str):
        return str(delta)
    if isinstance(delta, ImageResponse):
        data = [
            None if url.startswith("data:") else base64.b64encode(delta.bytes(index)).decode("ascii")
            for index, url in enumerate(delta.urls)
        ]
        fields = {"urls": delta.urls, "alt": delta.alt, "data": data, "created": delta.created, "usage": delta.usage}
        return {"is": "image", **fields, "revised_prompts": delta.revised_prompts}
    if isinstance(delta, OtherChoice):
        return {"is": "choice", "index": delta.index, "delta": _written(delta.delta)}
    return {"is": _NAMES[type(delta)], **vars(delta)}


def _read(value: Any) -> Delta:
    if isinstance(value, str):
        return value
    kind = value.pop("is")
    if kind == "image":
        known = dict(zip(value["urls"], value.pop("data"), strict=True))
        image = ImageResponse(**value, fetch=lambda url: base64.b64decode(known[url]))
        for index, url in enumerate(image.urls):
            if known[url] is not None:  # what is in the URL may be no image, as in the answer that was kept
                image.bytes(index)
        return image
    if kind == "choice":
        return OtherChoice(value["index"], _read(value["delta"]))
    return _KINDS[kind](**value)
