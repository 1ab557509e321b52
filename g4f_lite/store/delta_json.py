"""Deltas of an answer as JSON, and back."""

from __future__ import annotations

import base64
import json
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
from ..answers.images import FetchLimit, ImageResponse
from ..errors import HookError
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
        values = json.loads(text)
        if not isinstance(values, list):
            raise TypeError("not a list")
        return list(checked([_read(value) for value in values], "from_json"))
    except (TypeError, KeyError, AttributeError, RecursionError, HookError) as error:
        raise ValueError(f"not the deltas of an answer: {text!r:.80}") from error


def _fetch_images(deltas: Iterable[Delta]) -> None:
    """Fetch the images whose URLs may expire.

    :raises G4FLiteError: if one cannot be fetched, or all of them are too large or take too long
    """
    limit = FetchLimit()
    whole = [delta.delta if isinstance(delta, OtherChoice) else delta for delta in deltas]
    for image in whole:
        if isinstance(image, ImageResponse):
            for index, url in enumerate(image.urls):
                if not url.startswith("data:"):
                    limit.bytes_of(image, index)


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
