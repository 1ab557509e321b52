"""Writes files in the format .gguf that hold metadata only."""

from __future__ import annotations

import struct
from typing import Any

TOKENS = {"<s>": 3, "<|im_start|>": 3, "<|im_end|>": 3, "hello": 1, "<think>": 4}
SMOLLM2: dict[str, Any] = {
    "general.architecture": "llama",
    "general.basename": "SmolLM2",
    "general.size_label": "135M",
    "llama.block_count": 30,
    "llama.embedding_length": 576,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
    "general.quantized": True,
    "general.rate": 0.5,
    "tokenizer.ggml.tokens": list(TOKENS),
    "tokenizer.ggml.token_type": list(TOKENS.values()),
    "tokenizer.ggml.scores": [0.5, 0.5],
}


def gguf(metadata: dict[str, Any]) -> bytes:
    """Give a file without tensors."""
    entries = b"".join(_string(name) + _value(value) for name, value in metadata.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata)) + entries


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
