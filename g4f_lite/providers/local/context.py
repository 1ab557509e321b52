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
_ANSWER_TOKENS = 512  # that an answer needs beside its prompt


def context_error(parsed: Any, asked: int, most: int | None = None) -> ServiceError | None:
    """Make the error for a prompt that does not fit; None where the engine's refusal is about something else.

    :param parsed: the refusal
    :param asked: the context that the caller has asked for
    :param most: the largest context that the model can have; None if that is not known
    """
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return None
    context = error.get("n_ctx")
    if error.get("type") == "exceed_context_size_error" and isinstance(context, int):
        tokens = error.get("n_prompt_tokens")
        too_long = f"the prompt has {tokens} tokens, more than the context of {context}"
        needed = tokens + _ANSWER_TOKENS if isinstance(tokens, int) else context
        return ServiceError(f"{too_long}; {_remedy(context, asked, needed, most)}", status=400)
    if found := _TEXT_TOO_LONG.match(str(error.get("message"))):
        return ServiceError(
            f"a text has {found[1]} tokens, more than the context of {found[2]}; "
            f"{_more(int(found[2]), asked, int(found[1]), most)}, or give shorter texts",
            status=400,
        )
    return None


def context_told(deltas: Iterator[Delta], context: int, asked: int, most: int | None = None) -> Iterator[Delta]:
    """Pass an answer's deltas on, and warn where it ends because the context is full.

    :param context: how many tokens it has
    :param asked: the context that the caller has asked for
    :param most: the largest context that the model can have; None if that is not known
    """
    for delta in deltas:
        if isinstance(delta, Usage) and delta.total_tokens >= context:
            full = f"it and the prompt fill the context of {context}"
            warn(f"the answer was cut, because {full}; {_remedy(context, asked, context + 1, most)}")
        yield delta


def _remedy(context: int, asked: int, needed: int, most: int | None) -> str:
    wanted = 2 * context
    while wanted < needed:
        wanted *= 2
    if most is not None and needed <= most:
        wanted = min(wanted, most)
    return f"{_more(context, asked, wanted, most)}, or leave out earlier messages"


def _more(context: int, asked: int, wanted: int, most: int | None) -> str:
    if context < asked or (most is not None and wanted > most):
        return "take a model that can have a larger one"
    return f"make it larger with Local(context={wanted})"
