"""Writes files in the format .gguf: metadata, and the weights of a model where a test needs them."""

from __future__ import annotations

import array
import math
import struct
from typing import Any

ALIGNMENT = 32
FLOATS = 0  # the type of weights that are not quantized

TOKENS = {"<s>": 3, "<|im_start|>": 3, "<|im_end|>": 3, "hello": 1, "<think>": 4}
SMOLLM2: dict[str, Any] = {
    "general.architecture": "llama",
    "general.basename": "SmolLM2",
    "general.size_label": "135M",
    "llama.block_count": 30,
    "llama.embedding_length": 576,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "tokenizer.chat_template": "{{ messages }}",
    "general.quantized": True,
    "general.rate": 0.5,
    "tokenizer.ggml.tokens": list(TOKENS),
    "tokenizer.ggml.token_type": list(TOKENS.values()),
    "tokenizer.ggml.scores": [0.5, 0.5],
}


def gguf(
    metadata: dict[str, Any], weights: dict[str, tuple[tuple[int, ...], array.array[float]]] | None = None
) -> bytes:
    """Give a file.

    :param weights: the model's tensors by their names, each with its shape
    """
    weights = weights or {}
    entries = b"".join(_string(name) + _value(value) for name, value in metadata.items())
    data = b""
    for name, (shape, numbers) in weights.items():
        assert len(numbers) == math.prod(shape)
        sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        entries += _string(name) + sizes + struct.pack("<IQ", FLOATS, len(data))
        data += _aligned(numbers.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(metadata)) + entries
    return _aligned(head) + data if weights else head


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    kind = {int: 5, float: 6, str: 8}[type(value[0])]
    items = b"".join(_string(item) if kind == 8 else struct.pack({5: "<i", 6: "<f"}[kind], item) for item in value)
    return struct.pack("<IIQ", 9, kind, len(value)) + items
