"""The messages of a conversation: how much of them is sent, and what a turn adds."""

from __future__ import annotations

from typing import Any

from ..messages import Messages, text_of


def trim(messages: Messages, max_characters: int | None) -> Messages:
    """Leave out the oldest turns beyond ``max_characters``, but never a system message or the last message."""
    if max_characters is None:
        return messages
    system = [message for message in messages[:-1] if message["role"] in ("system", "developer")]
    left = max_characters - sum(len(text_of(message.get("content"))) for message in [*system, messages[-1]])
    kept: Messages = []
    for message in reversed([message for message in messages[:-1] if message not in system]):
        left -= len(text_of(message.get("content")))
        if left < 0:
            break
        kept.insert(0, message)
    while kept and kept[0]["role"] != "user":  # an answer without its question would confuse the model
        kept.pop(0)
    return [*system, *kept, messages[-1]]


def turn_of(prompt: Any) -> Messages:
    """Return a prompt as a list of messages.

    :raises TypeError: if it has the wrong type
    :raises ValueError: if it is blank
    """
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, (list, tuple)) and prompt:
        return list(prompt)
    if isinstance(prompt, (str, list, tuple)):
        raise ValueError("prompt is blank; give a text or a list of messages")
    raise TypeError(f"prompt must be a string or a list of messages, not {type(prompt).__name__}")
