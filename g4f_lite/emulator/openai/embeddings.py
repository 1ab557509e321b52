"""Small vectors that are always the same for the same text."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

from ..reply import Reply, json_reply
from .failure import refusal

DIMENSIONS = 8
_MOST_DIMENSIONS = 4096


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text, whose length is 1."""
    numbers: list[float] = []
    for block in range(math.ceil(dimensions / 32)):
        digest = hashlib.sha256(f"{block} {text}".encode("utf-8", "surrogatepass")).digest()
        numbers += [byte - 127.5 for byte in digest]
    vector = numbers[:dimensions]
    length = math.sqrt(sum(number * number for number in vector))
    return [number / length for number in vector]


def embeddings_reply(body: dict[str, Any]) -> Reply:
    """Answer a request for embeddings: of a text, a list of texts, or token ids."""
    texts = _inputs(body.get("input"))
    dimensions = body.get("dimensions", DIMENSIONS)
    if texts is None:
        return refusal(400, "'input' must be a text, a list of texts, or token ids.", param="input")
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _MOST_DIMENSIONS:
        return refusal(400, f"'dimensions' must be from 1 to {_MOST_DIMENSIONS}.", param="dimensions")
    data = []
    for index, text in enumerate(texts):
        vector: list[float] | str = embed(text, dimensions)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_reply(200, {"object": "list", "data": data, "model": body.get("model"), "usage": usage})


def _inputs(value: object) -> list[str] | None:
    """Return the texts of an input; token ids become their numbers, in words."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(item, int) for item in value):
        value = [value]
    texts = []
    for item in value:
        if isinstance(item, list) and item and all(isinstance(token, int) for token in item):
            texts.append(" ".join(map(str, item)))
        elif isinstance(item, str) and item:
            texts.append(item)
        else:
            return None
    return texts
