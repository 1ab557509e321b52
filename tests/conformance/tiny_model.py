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


def write_tiny_model(path: Path, template: str = TEMPLATE) -> Path:
    """Write the model, of 100 KB.

    :param template: its chat template; "" for none
    """
    weights = {name: (shape, array.array("f", [value]) * math.prod(shape)) for name, (shape, value) in FILLED.items()}
    likely = [1.0 if kind == TEXT else -1.0 for kind in TOKENS.values() for _ in range(WIDTH)]
    weights["output.weight"] = ((WIDTH, len(TOKENS)), array.array("f", likely))
    path.write_bytes(gguf({**METADATA, "tokenizer.chat_template": template}, weights))
    return path


PATCHES, PATCH = 4, 8  # of an image, along each side; and the side of each
PROJECTOR = {
    "general.architecture": "clip",
    "clip.has_vision_encoder": True,
    "clip.projector_type": "mlp",
    "clip.use_gelu": True,
    "clip.vision.image_size": PATCHES * PATCH,
    "clip.vision.patch_size": PATCH,
    "clip.vision.embedding_length": WIDTH,
    "clip.vision.feed_forward_length": HIDDEN,
    "clip.vision.projection_dim": WIDTH,
    "clip.vision.attention.head_count": HEADS,
    "clip.vision.attention.layer_norm_epsilon": 1e-5,
    "clip.vision.block_count": 2,  # of which the last is not computed
    "clip.vision.image_mean": [0.5] * 3,
    "clip.vision.image_std": [0.5] * 3,
}
LAYERS = {
    **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_out"), (WIDTH, WIDTH)),
    **dict.fromkeys(("ln1", "ln2"), (WIDTH,)),
    "ffn_up": (WIDTH, HIDDEN),
    "ffn_down": (HIDDEN, WIDTH),
}
SEEN = {
    "v.class_embd": (WIDTH,),
    "v.patch_embd.weight": (PATCH, PATCH, 3, WIDTH),
    "v.position_embd.weight": (WIDTH, PATCHES**2 + 1),
    **{f"v.blk.{block}.{name}.weight": shape for block in range(2) for name, shape in LAYERS.items()},
    **{f"v.blk.{block}.{name}.bias": shape[-1:] for block in range(2) for name, shape in LAYERS.items()},
    "mm.0.weight": (WIDTH, WIDTH),
    "mm.0.bias": (WIDTH,),
    "mm.2.weight": (WIDTH, WIDTH),
    "mm.2.bias": (WIDTH,),
}


def write_tiny_projector(path: Path) -> Path:
    """Write what lets the model see an image, as a token for each patch of it."""
    weights = {name: (shape, array.array("f", [1.0]) * math.prod(shape)) for name, shape in SEEN.items()}
    path.write_bytes(gguf(PROJECTOR, weights))
    return path
