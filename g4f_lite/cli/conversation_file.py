"""The file that a conversation is kept in."""

from __future__ import annotations

from pathlib import Path

from ..conversation import Conversation
from ..providers.base import BaseProvider
from .failure import Failure, Misuse, checking_arguments


class ConversationFile:
    """Where a conversation comes from, and where it is kept after each turn.

    :param source: the file of an earlier one, or None;  :param target: a new file; None is the source
    :raises click.ClickException: the target is there already, or cannot be
    """

    def __init__(self, source: Path | None, target: Path | None) -> None:
        self._source = source
        self._target = source if target is None else target
        self._known = 0  # messages of the conversation that the file has
        if target is not None and target.exists():
            raise Misuse(f"{target} is there already; go on with it with --continue {target}, or name another file")
        if self._target is not None and not self._target.parent.is_dir():
            raise Misuse(f"{self._target.parent} is no folder")
        if self._target is not None:
            from .locked_file import append_turn  # which loads filelock

            self._append_turn = append_turn

    def open(self, provider: BaseProvider, *, system: str | None, model: str | None) -> Conversation:
        """Begin a conversation, or go on with the one in the file.

        :raises click.ClickException: the file cannot be read
        """
        try:
            with checking_arguments():
                if self._source is None:
                    return Conversation(provider, system=system, model=model)
                conversation = Conversation.load(self._source, provider, model=model)
                self._known = len(conversation.messages) if self._target is self._source else 0
                return conversation
        except Misuse as error:
            if isinstance(error.__cause__, OSError):
                raise Misuse(f"cannot read {self._source}: {error.__cause__.strerror}") from error
            raise

    def keep(self, conversation: Conversation) -> None:
        """Write the conversation to the file, where there is one.

        :raises click.ClickException: it cannot be written
        """
        if self._target is None:
            return
        try:
            self._append_turn(self._target, conversation, self._known)
        except (OSError, ValueError) as error:
            raise Failure(f"cannot write {self._target}: {getattr(error, 'strerror', None) or error}") from error
        self._known = len(conversation.messages)

    def leave(self) -> str:
        """Keep nothing from here on; give the words that say so, where something was kept."""
        left, self._target = self._target, None
        return "" if left is None else f"{left} stays as it is; what follows is not saved.\n"
