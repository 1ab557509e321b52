"""What is said where a conversation fills the context, and how it can go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...answers.deltas import Delta, Usage
from ...arguments import warn
from ...errors import ContextLengthExceededError
from ...messages import Message, text_of

#: What the engine says of a text that is to become a vector.
_TEXT_TOO_LONG = re.compile(r"input \((\d+) tokens\) is too large to process.*batch size: (\d+)")
_ANSWER_TOKENS = 512  # that an answer needs beside its prompt
_TOKEN_CHARACTERS = 512  # more than any token has; the longest are rows of blanks
_USUAL_CHARACTERS = 4  # of a token, in English


def far_too_long(
    messages: Sequence[Message], tools: Any, context: int, asked: int, most: int | None = None
) -> ContextLengthExceededError | None:
    """Make the error for a prompt for which the engine would take gigabytes to count its tokens; None for any other.

    :param tools: those of the call
    :param context: how many tokens a prompt may have
    :param asked: the context that the caller has asked for
    :param most: the largest context that the model can have; None if that is not known
    """
    calls = [message.get("tool_calls") for message in messages]
    characters = _characters(messages) + len(str(tools or "")) + sum(len(str(call)) for call in calls if call)
    if characters <= context * _TOKEN_CHARACTERS:
        return None
    tokens = characters // _USUAL_CHARACTERS
    remedy = _remedy(context, asked, tokens + _ANSWER_TOKENS, most, _shorter(messages, tokens, context))
    too_long = f"the prompt has {characters:,} characters, far more than fit the context of {context} tokens"
    return ContextLengthExceededError(f"{too_long}; {remedy}", status=400)


def context_error(
    parsed: Any, asked: int, most: int | None = None, messages: Sequence[Message] = ()
) -> ContextLengthExceededError | None:
    """Make the error for a prompt that does not fit; None where the engine's refusal is about something else.

    :param parsed: the refusal
    :param asked: the context that the caller has asked for
    :param most: the largest context that the model can have; None if that is not known
    :param messages: those of the prompt
    """
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return None
    context = error.get("n_ctx")
    if error.get("type") == "exceed_context_size_error" and isinstance(context, int):
        tokens = error.get("n_prompt_tokens")
        if not isinstance(tokens, int):
            tokens = context
        more = f"{tokens - context} more" if tokens > context else "no fewer"
        too_long = f"the prompt has {tokens} tokens, {more} than the context of {context}"
        remedy = _remedy(context, asked, tokens + _ANSWER_TOKENS, most, _shorter(messages, tokens, context))
        return ContextLengthExceededError(f"{too_long}; {remedy}", status=400)
    if found := _TEXT_TOO_LONG.match(str(error.get("message"))):
        return ContextLengthExceededError(
            f"a text has {found[1]} tokens, more than the context of {found[2]}; "
            f"{_more(int(found[2]), asked, int(found[1]), most)}, or give shorter texts",
            status=400,
        )
    return None


def context_told(
    deltas: Iterator[Delta], context: int, asked: int, most: int | None = None, messages: Sequence[Message] = ()
) -> Iterator[Delta]:
    """Pass an answer's deltas on, and warn where it ends because the context is full.

    :param context: how many tokens it has
    :param asked: the context that the caller has asked for
    :param most: the largest context that the model can have; None if that is not known
    :param messages: those of the prompt
    """
    for delta in deltas:
        if isinstance(delta, Usage) and delta.total_tokens >= context:
            full = f"it and the prompt fill the context of {context}"
            shorter = _shorter(messages, delta.prompt_tokens or context, context)
            warn(f"the answer was cut, because {full}; {_remedy(context, asked, context + 1, most, shorter)}")
        yield delta


def _characters(messages: Sequence[Message]) -> int:
    return sum(len(text_of(message.get("content"))) for message in messages)


def _shorter(messages: Sequence[Message], tokens: int, context: int) -> str:
    """Say how a prompt gets shorter: by its earlier messages, if it has any, or else itself.

    :param tokens: how many the prompt has
    """
    if sum(message["role"] == "user" for message in messages) != 1:
        return "leave out earlier messages"
    room = max(context - _ANSWER_TOKENS, context // 2)
    if tokens <= room:
        return "send a shorter prompt"
    characters = _characters(messages) * room // tokens
    return f"send a shorter prompt, of about {characters // 100 * 100 or characters} characters"


def _remedy(context: int, asked: int, needed: int, most: int | None, shorter: str) -> str:
    wanted = 2 * context
    while wanted < needed:
        wanted *= 2
    if most is not None and needed <= most:
        wanted = min(wanted, most)
    return f"{_more(context, asked, wanted, most)}, or {shorter}"


def _more(context: int, asked: int, wanted: int, most: int | None) -> str:
    if context < asked or (most is not None and wanted > most):
        return "take a model that can have a larger one"
    return f"make it larger with Local(context={wanted})"
