"""A file that several commands may write at the same time: a conversation's, above all."""

from __future__ import annotations

from pathlib import Path

import filelock

from ..conversation import Conversation
from ..messages import Messages

LOCK_SECONDS = 10.0  # another command holds the lock while it writes the file, not while it waits for an answer


def append_turn(path: Path, conversation: Conversation, known: int, first: Messages) -> None:
    """Write a conversation to a file, after the turns that other commands have added to it meanwhile.

    The conversation has their turns afterwards.

    :param known: how many messages the file had when it was read or written last
    :param first: the messages that the conversation has before these
    :raises OSError: if the file cannot be written, or its lock cannot be taken
    :raises ValueError: if the file is not a conversation any more
    """
    with lock_of(path):
        added = conversation.messages[len(first) + known :]
        if path.exists():
            current = Conversation.load(path, conversation.provider)
            conversation.messages = [*first, *current.messages, *_without_instructions(added, current.messages)]
            current.messages = conversation.messages
            current.save(path)
        else:
            conversation.save(path)


def replace(path: Path, conversation: Conversation, known: int) -> None:
    """Write a conversation that has lost its last turn, or has another system message, to its file.

    :param known: how many messages the file had when it was read or written last
    :raises OSError: if the file cannot be written, or its lock cannot be taken
    :raises ValueError: if another command has added a turn
    """
    with lock_of(path):
        current = Conversation.load(path, conversation.provider)
        if len(current.messages) != known:
            raise ValueError("another command has added a turn to it")
        current.messages = conversation.messages
        current.save(path)


def lock_of(path: Path) -> filelock.BaseFileLock:
    """Return the lock beside a file: beside the same one, by whichever link the file is named."""
    real = path.resolve()
    return filelock.FileLock(real.with_name(f".{real.name}.lock"), timeout=LOCK_SECONDS, mode=0o600)


def _without_instructions(added: Messages, before: Messages) -> Messages:
    """Leave out system messages at the beginning of a conversation that now follows another."""
    while before and added and added[0]["role"] in ("system", "developer"):
        added = added[1:]
    return added
