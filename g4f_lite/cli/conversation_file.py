"""The file of a conversation: ``--save`` and ``--continue``."""

from __future__ import annotations

import os
from pathlib import Path

from ..conversation import Conversation
from ..messages import Message, Messages
from ..providers.base import BaseProvider
from .failure import Failure, Misuse, checking_arguments
from .files import is_folder, is_there


class ConversationFile:
    """Loads a conversation, and saves it after each turn.

    :param source: the file of an earlier conversation, or None
    :param target: a new file to save to; the source if None.  If both are the same file, it may exist or not
    :ivar source: the file of the earlier conversation, or None if a new one begins
    :raises click.ClickException: if the target exists, or its directory does not
    """

    def __init__(self, source: Path | None, target: Path | None) -> None:
        if source is not None and target is not None and os.path.abspath(source) == os.path.abspath(target):
            source, target = (source, None) if is_there(target) else (None, target)
        self.source = source
        self._target = source if target is None else target
        self._known = 0  # messages of the conversation that the file has
        self._first: Messages = []  # those that the conversation has before them
        if target == Path("-"):
            raise Misuse("--save needs the name of a file: a conversation cannot be saved to standard output")
        if target is not None and is_there(target):
            raise Misuse(f"{target} already exists; continue it with --continue {target}, or name another file")
        if self._target is not None and not is_folder(self._target.parent):
            raise Misuse(f"{self._target.parent} is not a directory")
        if self._target is not None:
            from .locked_file import append_turn, replace  # which load filelock

            self._append_turn, self._replace = append_turn, replace

    def open(self, provider: BaseProvider, *, system: str | None, model: str | None) -> Conversation:
        """Start a conversation, or continue the one in the file.

        :raises click.ClickException: if the file cannot be read
        """
        try:
            with checking_arguments():
                if self.source is None:
                    return Conversation(provider, system=system, model=model)
                conversation = Conversation.load(self.source, provider, model=model)
                self._known = len(conversation.messages) if self._target is self.source else 0
                if system is not None:
                    self._begin(conversation, system)
                return conversation
        except Misuse as error:
            if isinstance(error.__cause__, OSError):
                is_missing = isinstance(error.__cause__, FileNotFoundError)
                hint = f"; --save {self.source} begins a new conversation, also beside --continue" if is_missing else ""
                raise Misuse(f"cannot read {self.source}: {error.__cause__.strerror}{hint}") from error
            raise

    def _begin(self, conversation: Conversation, system: str) -> None:
        """Put a system message before the messages of a file, which is written with the next turn.

        :raises click.ClickException: if the file has a system message
        """
        if any(map(is_instruction, conversation.messages)):
            raise Misuse("--system cannot be combined with --continue here: the file has a system message of its own")
        first: Message = {"role": "system", "content": system}
        conversation.messages.insert(0, first)
        self._first = [first] if self._known else []

    def save(self, conversation: Conversation) -> None:
        """Write the conversation to the file, if there is one.

        :raises click.ClickException: if the file cannot be written
        """
        longer = len(conversation.messages) >= len(self._first) + self._known
        self._write(conversation, is_longer=longer)

    def save_changed(self, conversation: Conversation) -> None:
        """Write a conversation whose earlier messages have changed to the file, if that has been written already.

        :raises click.ClickException: if the file cannot be written
        """
        if self._known:
            self._write(conversation, is_longer=False)

    def _write(self, conversation: Conversation, *, is_longer: bool) -> None:
        if self._target is None:
            return
        try:
            if is_longer:
                self._append_turn(self._target, conversation, self._known, self._first)
            else:
                self._replace(self._target, conversation, self._known)
        except (OSError, ValueError) as error:
            raise Failure(f"cannot write {self._target}: {getattr(error, 'strerror', None) or error}") from error
        self._known, self._first = len(conversation.messages), []

    def is_saved_to(self, path: Path) -> bool:
        """Return whether the conversation is saved to this file."""
        return self._target is not None and os.path.abspath(self._target) == os.path.abspath(path)

    def stop_saving(self) -> str:
        """Leave the file as it is, and return a notice for the user; a file that is not written yet is still used."""
        file = self._target
        if file is None or not self._known:
            return ""
        self._target = None
        return f"{file} is left as it is; further messages are not saved.\n"


def is_instruction(message: Message) -> bool:
    """Return whether a message is a system message."""
    return message["role"] in ("system", "developer")
