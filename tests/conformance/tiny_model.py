"""A model that is loaded and answers at once, with letters: for tests of what is around an engine."""

from __future__ import annotations

import array
import math
import string
from pathlib import Path

from unit.gguf_files import gguf

WIDTH, HEADS, HIDDEN = 32, 2, 64
TEXT, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # types of tokens
TOKENS = {
    "<unk>": UNKNOWN,
    "<|im_start|>": CONTROL,
    "<|im_end|>": CONTROL,
    **{f"<0x{byte:02X}>": BYTE for byte in range(256)},
    **dict.fromkeys(string.ascii_letters, TEXT),
}
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
# Whatever came before, each letter is as likely as the others, and nothing else comes: the model has only ones.
FILLED = {
    "token_embd.weight": ((WIDTH, len(TOKENS)), 1.0),
    "output_norm.weight": ((WIDTH,), 1.0),
    "blk.0.attn_norm.weight": ((WIDTH,), 1.0),
    "blk.0.attn_q.weight": ((WIDTH, WIDTH), 0.0),
    "blk.0.attn_k.weight": ((WIDTH, WIDTH), 0.0),
    "blk.0.attn_v.weight": ((WIDTH, WIDTH), 0.0),
    "blk.0.attn_output.weight": ((WIDTH, WIDTH), 0.0),
    "blk.0.ffn_norm.weight": ((WIDTH,), 1.0),
    "blk.0.ffn_gate.weight": ((WIDTH, HIDDEN), 0.0),
    "blk.0.ffn_up.weight": ((WIDTH, HIDDEN), 0.0),
    "blk.0.ffn_down.weight": ((HIDDEN, WIDTH), 0.0),
}


def write_tiny_model(path: Path) -> Path:
    """Write the model, of 100 KB."""
    weights = {name: (shape, array.array("f", [value]) * math.prod(shape)) for name, (shape, value) in FILLED.items()}
    likely = [1.0 if kind == TEXT else -1.0 for kind in TOKENS.values() for _ in range(WIDTH)]
    weights["output.weight"] = ((WIDTH, len(TOKENS)), array.array("f", likely))
    path.write_bytes(gguf(METADATA, weights))
    return path
