"""What is said where a conversation fills the context, and how it can go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Delta, Usage
from ...arguments import warn
from ...errors import ServiceError

#: What the engine says of a text that is to become a vector.
_TEXT_TOO_LONG = re.compile(r"input \((\d+) tokens\) is too large to process.*batch size: (\d+)")


def context_error(parsed: Any) -> ServiceError | None:
    """Make the error for a prompt that does not fit; None where the engine's refusal is about something else.

    :param parsed: the refusal
    """
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return None
    if error.get("type") == "exceed_context_size_error":
        tokens, context = error.get("n_prompt_tokens"), error.get("n_ctx")
        return ServiceError(
            f"the prompt has {tokens} tokens, more than the context of {context}; {_remedy(context)}", status=400
        )
    if found := _TEXT_TOO_LONG.match(str(error.get("message"))):
        return ServiceError(
            f"a text has {found[1]} tokens, more than the context of {found[2]}; make it larger with "
            f"Local(context={found[1]}), or give shorter texts",
            status=400,
        )
    return None


def context_told(deltas: Iterator[Delta], context: int) -> Iterator[Delta]:
    """Pass an answer's deltas on, and warn where it ends because the context is full.

    :param context: how many tokens it has
    """
    for delta in deltas:
        if isinstance(delta, Usage) and delta.total_tokens >= context:
            warn(f"the answer was cut, because it and the prompt fill the context of {context}; {_remedy(context)}")
        yield delta


def _remedy(context: Any) -> str:
    more = 2 * context if isinstance(context, int) else "…"
    return f"make it larger with Local(context={more}), or leave out earlier messages"
