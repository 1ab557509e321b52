"""How each model is asked, where the caller does not say: it belongs to the model, whatever its file is called."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...messages import Message
from ...prompt import Prompt
from .control_tokens import broken_up
from .gguf import Metadata

#: What ends and begins a message in ChatML, llama.cpp's template for a model that has none.
CHATML = ("<|im_end|>", "<|im_start|>")
LIMITS = frozenset({"max_tokens", "max_completion_tokens", "n_predict"})


@dataclass(frozen=True)
class Manner:
    """What a model is told besides the prompt.

    :param sampling: the options that suit it
    :param system: a system text, where the messages have none
    :param max_tokens: the most tokens of an answer, for a model that may find no end by itself
    """

    sampling: dict[str, Any] = field(default_factory=dict)
    system: str | None = None
    max_tokens: int | None = None


QWEN = {"temperature": 0.7, "top_p": 0.8, "top_k": 20}
#: By architecture, name and size, as a model's file says them in whatever case; all but the first from their cards.
MANNERS: dict[tuple[str, ...], Manner] = {
    # The best of ten settings tried with 60 ordinary prompts: none of its answers goes round in circles, and 15 of the
    # 22 that can be checked are right; with no penalty it is 20, and 12.
    ("llama", "smollm2", "135m"): Manner(
        {
            "temperature": 0,
            "repeat_penalty": 1.1,
            "repeat_last_n": 128,
            "dry_multiplier": 0.8,
            "dry_allowed_length": 4,
            "dry_penalty_last_n": 512,
        },
        system="You are a helpful assistant.",
        max_tokens=512,
    ),
    ("llama", "smollm2", "1.7b"): Manner({"temperature": 0.2, "top_p": 0.9}),
    ("qwen2", "qwen2.5", "0.5b"): Manner({**QWEN, "repeat_penalty": 1.1}),
    ("qwen3", "qwen3", "0.6b"): Manner({**QWEN, "min_p": 0}),
    ("qwen3", "qwen3", "1.7b"): Manner({**QWEN, "min_p": 0}),
    ("smollm3", "smollm3", "3b"): Manner({"temperature": 0.6, "top_p": 0.95}),
}


def manner_of(metadata: Metadata) -> Manner:
    """Find how a model is asked; one that is not known is asked as the caller says."""
    entries = (metadata.values.get(f"general.{name}") for name in ("architecture", "basename", "size_label"))
    return MANNERS.get(tuple(str(entry).lower() for entry in entries), Manner())


def is_limited(prompt: Prompt) -> bool:
    """Return whether the caller has said how long the answer may be."""
    return bool(LIMITS & (prompt.options | (prompt.options.get("extra_body") or {})).keys())


def well_asked(prompt: Prompt, metadata: Metadata) -> Prompt:
    """Return a prompt as its model is to get it: with what its manner adds, and no text that acts as a control token.

    A model that thinks before it answers is told not to, unless ``chat_template_kwargs`` says otherwise.
    """
    manner = manner_of(metadata)
    messages: list[Message] = broken_up(prompt.messages, metadata.control_tokens)
    if manner.system and messages[0]["role"] not in ("system", "developer"):
        messages = [{"role": "system", "content": manner.system}, *messages]
    added = dict(manner.sampling)
    if manner.max_tokens and not is_limited(prompt):
        added["max_tokens"] = manner.max_tokens
    if "enable_thinking" in metadata.chat_template:
        added["chat_template_kwargs"] = {"enable_thinking": False}
    options = {**added, **prompt.options}
    if not metadata.chat_template:  # such a model may write these marks as text, and go on
        own = options.get("stop") or ()
        options["stop"] = [*([own] if isinstance(own, str) else own), *CHATML]
    if "tools" in options:
        options["tools"] = broken_up(options["tools"], metadata.control_tokens)
    return replace(prompt, messages=messages, options=options)
