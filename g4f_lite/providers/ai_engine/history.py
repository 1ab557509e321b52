"""A conversation in the form that AI Engine takes: earlier turns, and the last user message apart from them."""

from __future__ import annotations

from ...messages import Messages, last_user_message, text_of

KEPT_TURNS = 16  # the first one and the last 15, as the plugin's maxMessages is by default

_ROLES = {"system": "system", "developer": "system", "assistant": "assistant"}


def split_turns(messages: Messages) -> tuple[list[dict[str, str]], str]:
    """Return the earlier turns in the plugin's form, and the last user message.

    :raises ValueError: if no user message has a text
    """
    message = last_user_message(messages)
    calls = _calls_in(messages)
    texts = [calls.get(turn.get("tool_call_id"), "") + text_of(turn.get("content")) for turn in messages]
    last = max(i for i, turn in enumerate(messages) if turn["role"] == "user" and texts[i] == message)
    turns = [
        {"role": _ROLES.get(turn["role"], "user"), "content": text}
        for i, (turn, text) in enumerate(zip(messages, texts, strict=True))
        if i != last and text.strip()
    ]
    return turns, message


def _calls_in(messages: Messages) -> dict[object, str]:
    """Return what to put before the result of each function, by the id of its call: the plugin keeps no calls."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    return {
        call["id"]: f"{call['function'].get('name')}({call['function'].get('arguments')}) returned: "
        for call in calls
        if call.get("id") and isinstance(call.get("function"), dict)
    }
