"""What is said where a conversation fills the context, and how it can go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...answers.deltas import Delta, Usage
from ...arguments import warn
from ...errors import ServiceError


def context_error(parsed: Any) -> ServiceError | None:
    """Make the error for a prompt that does not fit; None where the engine's refusal is about something else.

    :param parsed: the refusal
    """
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict) or error.get("type") != "exceed_context_size_error":
        return None
    context = error.get("n_ctx")
    return ServiceError(
        f"the prompt has {error.get('n_prompt_tokens')} tokens, more than the context of {context}; {_remedy(context)}",
        status=400,
    )


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
