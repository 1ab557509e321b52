"""A model that answers at once, and nothing that could be read: for tests of what is around an engine."""

from __future__ import annotations

import array
import math
import random
from pathlib import Path

from unit.gguf_files import gguf

WIDTH, HEADS, HIDDEN = 32, 2, 64
UNKNOWN, CONTROL, BYTE = 2, 3, 6  # types of tokens
TOKENS = {"<unk>": UNKNOWN, "<|im_start|>": CONTROL, "<|im_end|>": CONTROL}
TOKENS |= {f"<0x{byte:02X}>": BYTE for byte in range(256)}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
METADATA = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.context_length": 4096,
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": HIDDEN,
    "llama.attention.head_count": HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.chat_template": TEMPLATE,
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": list(TOKENS),
    "tokenizer.ggml.token_type": list(TOKENS.values()),
    "tokenizer.ggml.scores": [0.0] * len(TOKENS),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}
SHAPES = {
    "token_embd.weight": (WIDTH, len(TOKENS)),
    "output.weight": (WIDTH, len(TOKENS)),
    "output_norm.weight": (WIDTH,),
    "blk.0.attn_norm.weight": (WIDTH,),
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.0.attn_k.weight": (WIDTH, WIDTH),
    "blk.0.attn_v.weight": (WIDTH, WIDTH),
    "blk.0.attn_output.weight": (WIDTH, WIDTH),
    "blk.0.ffn_norm.weight": (WIDTH,),
    "blk.0.ffn_gate.weight": (WIDTH, HIDDEN),
    "blk.0.ffn_up.weight": (WIDTH, HIDDEN),
    "blk.0.ffn_down.weight": (HIDDEN, WIDTH),
}


def write_tiny_model(path: Path) -> Path:
    """Write a model with random weights, the same each time."""
    numbers = random.Random(0)
    weights = {
        name: (shape, array.array("f", (numbers.gauss(0, 0.3) for _ in range(math.prod(shape)))))
        for name, shape in SHAPES.items()
    }
    path.write_bytes(gguf(METADATA, weights))
    return path
