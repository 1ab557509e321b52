"""Conversations in one SQLite file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from ..errors import ConversationNotFoundError
from ..messages import Message, Messages, get_random_string, text_of, to_messages
from .database import Database, Kind

ID_LENGTH = 26  # letters and digits, 134 bits: an id cannot be guessed
TITLE_LENGTH = 80

# SQLite moves changes from the -wal to the file after 1,000 pages, so that for days a copy of the file alone would lack
# them, and it keeps in both what was deleted.  Conversations change seldom enough to move each change at once.
_PRAGMAS = ("wal_autocheckpoint=1", "secure_delete=ON", "journal_size_limit=0")

CONVERSATIONS = Kind(
    "conversations",
    0x67346C63,  # "g4lc"
    [  # not WITHOUT ROWID, as SQLite leaves copies of such rows behind when it splits a page
        [
            """CREATE TABLE conversations (
                id TEXT PRIMARY KEY, title TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL
            )""",
            """CREATE TABLE messages (
                conversation TEXT NOT NULL, number INTEGER NOT NULL, message TEXT NOT NULL,
                PRIMARY KEY (conversation, number)
            )""",
        ]
    ],
    pragmas=_PRAGMAS,
)


@dataclass(frozen=True)
class ConversationInfo:
    """What :meth:`Conversations.list` tells of a conversation.

    :param id: its id
    :param title: the beginning of its first user message, in one line; empty if there is none
    :param created: when it was created, in UTC
    :param changed: when a message was last added, in UTC
    :param messages: the number of its messages
    """

    id: str
    title: str
    created: datetime
    changed: datetime
    messages: int


class Conversations:
    """Conversations in one SQLite file, which several processes and threads may use at once::

        conversations = Conversations("conversations.sqlite")
        id = conversations.create()
        chat = client.conversation(messages=conversations.load(id), on_turn=lambda turn: conversations.append(id, turn))
        chat.ask("Why is the sky blue?")

    The file can be read by its owner only.

    :param path: the file; it is made if it does not exist
    :raises StoreError: if it is another file, or cannot be opened
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = Database(path, CONVERSATIONS)

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._database.path

    def create(self, messages: str | Message | Sequence[Message] = ()) -> str:
        """Create a conversation and return its id, which cannot be guessed.

        :param messages: its first messages, such as a system message; as in :meth:`append`, but there may be none
        :raises StoreError: if the file cannot be written
        :raises TypeError: if a message has the wrong type
        :raises ValueError: if a message is invalid
        """
        checked = _checked(messages) if messages else []
        id, now = get_random_string(ID_LENGTH), time.time()
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO conversations VALUES (?, '', ?, ?)", (id, now, now))
            _append(connection, id, checked)
        return id

    def list(self) -> list[ConversationInfo]:
        """List the conversations, the one that changed last first.

        :raises StoreError: if the file cannot be read
        """
        rows = self._database.rows(
            "SELECT id, title, created, changed, (SELECT COUNT(*) FROM messages WHERE conversation = id) "
            "FROM conversations ORDER BY changed DESC, id"
        )
        with self._database.understanding():
            return [
                ConversationInfo(id, title, _utc(made), _utc(changed), count)
                for id, title, made, changed, count in rows
            ]

    def load(self, id: str) -> Messages:
        """Return the messages of a conversation; a later change of the list does not change the file.

        :param id: the id that :meth:`create` returned
        :raises ConversationNotFoundError: if there is no such conversation
        :raises StoreError: if the file cannot be read
        """
        rows = self._database.rows(
            "SELECT message FROM conversations LEFT JOIN messages ON conversation = id WHERE id = ? ORDER BY number",
            (_checked_id(id),),
        )
        if not rows:
            raise _not_found(id)
        with self._database.understanding():
            messages = [json.loads(message) for (message,) in rows if message is not None]
            return to_messages(messages) if messages else []

    def append(self, id: str, messages: str | Message | Sequence[Message]) -> None:
        """Add messages to a conversation: all of them or none, and none between them, whoever else writes.

        :param id: the id that :meth:`create` returned
        :param messages: one message or several; a string is a user message
        :raises ConversationNotFoundError: if there is no such conversation
        :raises StoreError: if the file cannot be written
        :raises TypeError: if a message has the wrong type
        :raises ValueError: if a message is invalid
        """
        checked = _checked(messages)
        with self._database.transaction() as connection:
            now = time.time()
            if not connection.execute(
                "UPDATE conversations SET changed = ? WHERE id = ?", (now, _checked_id(id))
            ).rowcount:
                raise _not_found(id)
            _append(connection, id, checked)

    def delete(self, id: str) -> None:
        """Delete a conversation; its text is overwritten in the file, with the next changes if somebody is reading it.

        :param id: the id that :meth:`create` returned
        :raises ConversationNotFoundError: if there is no such conversation
        :raises StoreError: if the file cannot be written
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM messages WHERE conversation = ?", (_checked_id(id),))
            if not connection.execute("DELETE FROM conversations WHERE id = ?", (id,)).rowcount:
                raise _not_found(id)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._database.close()

    def __enter__(self) -> Conversations:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Conversations({str(self.path)!r})"


def _checked(messages: str | Message | Sequence[Message]) -> Messages:
    return to_messages([messages] if isinstance(messages, dict) else messages)


def _append(connection: Connection, id: str, messages: Messages) -> None:
    (last,) = connection.execute(
        "SELECT COALESCE(MAX(number), 0) FROM messages WHERE conversation = ?", (id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO messages VALUES (?, ?, ?)",
        [(id, number, json.dumps(message, ensure_ascii=False)) for number, message in enumerate(messages, last + 1)],
    )
    title = next((_title(message) for message in messages if message["role"] == "user"), "")
    connection.execute("UPDATE conversations SET title = ? WHERE id = ? AND title = ''", (title, id))


def _title(message: Message) -> str:
    line = " ".join(text_of(message.get("content")).split())
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"


def _checked_id(id: Any) -> str:
    if not isinstance(id, str):
        raise TypeError(f"the id of a conversation must be a string, not {type(id).__name__}")
    if not id.isascii():  # it may come from a URL, and SQLite refuses half a character
        raise _not_found(id)
    return id


def _not_found(id: str) -> ConversationNotFoundError:
    return ConversationNotFoundError(f"there is no conversation {id!r:.60}; it was deleted, or is in another file")


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
