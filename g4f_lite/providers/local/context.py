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


def context_error(parsed: Any, asked: int) -> ServiceError | None:
    """Make the error for a prompt that does not fit; None where the engine's refusal is about something else.

    :param parsed: the refusal
    :param asked: the context that the caller has asked for
    """
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return None
    context = error.get("n_ctx")
    if error.get("type") == "exceed_context_size_error" and isinstance(context, int):
        tokens = error.get("n_prompt_tokens")
        too_long = f"the prompt has {tokens} tokens, more than the context of {context}"
        needed = tokens + _ANSWER_TOKENS if isinstance(tokens, int) else context
        return ServiceError(f"{too_long}; {_remedy(context, asked, needed)}", status=400)
    if found := _TEXT_TOO_LONG.match(str(error.get("message"))):
        return ServiceError(
            f"a text has {found[1]} tokens, more than the context of {found[2]}; "
            f"{_more(int(found[2]), asked, int(found[1]))}, or give shorter texts",
            status=400,
        )
    return None


def context_told(deltas: Iterator[Delta], context: int, asked: int) -> Iterator[Delta]:
    """Pass an answer's deltas on, and warn where it ends because the context is full.

    :param context: how many tokens it has
    :param asked: the context that the caller has asked for
    """
    for delta in deltas:
        if isinstance(delta, Usage) and delta.total_tokens >= context:
            full = f"it and the prompt fill the context of {context}"
            warn(f"the answer was cut, because {full}; {_remedy(context, asked, context)}")
        yield delta


def _remedy(context: int, asked: int, needed: int) -> str:
    wanted = 2 * context
    while wanted < needed:
        wanted *= 2
    return f"{_more(context, asked, wanted)}, or leave out earlier messages"


def _more(context: int, asked: int, wanted: int) -> str:
    if context < asked:
        return "take a model that can have a larger one"
    return f"make it larger with Local(context={wanted})"
