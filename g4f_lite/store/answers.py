"""Answers on disk, found by a key of what was asked."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Generator, Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.deltas import Delta, Finish, Identity, Usage
from ..answers.stream import AnswerStream
from ..errors import StoreError
from ..http.forks import ForkSafeLock
from ..prompt import Prompt
from .database import Database, Kind
from .delta_json import from_json, to_json

_KEY_BYTES = 16
# Options that change how a prompt travels, and not what is answered.
_TRAVEL = frozenset({"stream_options"})
_NOTHING = (CallUsage("", "", cached=True),)  # what an answer from the disk took: nothing was sent
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode

# A row is an answer: its key, its number among equal prompts of a batch, its deltas as JSON, what is known about the
# call, its size in bytes, and when it was made and last used, in seconds since 1970.
_SCHEMA = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "INSERT INTO facts VALUES ('salt', randomblob(32)), ('bytes', 0)",
    """
    CREATE TABLE answers (
        key BLOB NOT NULL, occurrence INTEGER NOT NULL, deltas TEXT NOT NULL,
        provider TEXT NOT NULL, model TEXT, seconds REAL NOT NULL, attempts INTEGER,
        size INTEGER NOT NULL, made REAL NOT NULL, used REAL NOT NULL,
        PRIMARY KEY (key, occurrence)
    ) WITHOUT ROWID
    """,
)
_CACHE_SCHEMA = (*_SCHEMA, "CREATE INDEX by_use ON answers (used, size)")
# Why the members of a chain that were asked before did not answer: a JSON object of their names and reasons.
_PASSED_OVER = ("ALTER TABLE answers ADD COLUMN passed_over TEXT NOT NULL DEFAULT '{}'",)
BATCH = Kind("the answers of batches", 0x67346662, (_SCHEMA, _PASSED_OVER))
# Within a call, which has time limits.
CACHE = Kind("cached answers", 0x67346663, (_CACHE_SCHEMA, _PASSED_OVER), busy_seconds=1.0)

Key = tuple[bytes, int]


class Kept(NamedTuple):
    """An answer that is on disk.

    :param deltas: its deltas, joined
    :param provider: the provider that answered
    :param model: the model that was requested
    :param seconds: how long the answer took
    :param attempts: how many times its prompt was sent; None if the provider did not say
    :param passed_over: of a chain, why the members that were asked before did not answer, by their names
    :param took: what its calls took in this process; it is not kept on disk
    :param alone: where the first member of a chain gave the answer that it gives alone, its own name and the mark of
        its scope; likewise
    """

    deltas: list[Delta]
    provider: str
    model: str | None
    seconds: float = 0.0
    attempts: int | None = None
    passed_over: dict[str, str] = {}  # noqa: RUF012  which nobody changes
    took: tuple[CallUsage, ...] = ()
    alone: tuple[str, bytes] | None = None

    @classmethod
    def of(cls, stream: AnswerStream, seconds: float = 0.0) -> Kept:
        """Take the answer from a stream that was read to its end.

        :raises ResponseFormatError: if it is longer than what a stream keeps
        """
        source = stream.provider, stream.model, seconds, stream.attempts, stream.passed_over, stream.took
        return cls(stream.kept, *source)

    def answer(self) -> Answer:
        """Make the answer again."""
        text, usage, reason, served = [], None, None, None
        for delta in self.deltas:
            if isinstance(delta, str):
                text.append(delta)
            elif isinstance(delta, Usage):
                usage = delta
            elif isinstance(delta, Finish):
                reason = delta.reason
            elif isinstance(delta, Identity):
                served = delta.model
            else:
                break
        else:  # nearly always; it takes a fifth of the time of a stream
            named: dict[str, Any] = {"model": self.model, "provider": self.provider, "seconds": self.seconds}
            named |= {"usage": usage, "finish_reason": reason, "served_model": served or None, "took": self.took}
            return Answer("".join(text), **named)
        answer = AnswerStream(self._replay, provider=self.provider, model=self.model).text()
        answer.seconds, answer.took = self.seconds, self.took
        return answer

    def _replay(self) -> Generator[Delta, None, None]:
        yield from self.deltas


class AnswerStore:
    """A file of answers, for several processes and threads at once.

    An answer that is there stays as it is, whoever brings another for the same key.

    :param path: the file
    :param kind: ``BATCH`` or ``CACHE``
    :raises StoreError: if the file cannot be used
    """

    def __init__(self, path: str | os.PathLike[str], kind: Kind = BATCH) -> None:
        self.database = Database(path, kind)
        salts = self.database.rows("SELECT value FROM facts WHERE name = 'salt'")
        if [type(salt) for (salt,) in salts] != [bytes] or len(salts[0][0]) > blake2b.MAX_KEY_SIZE:
            raise StoreError(f"{self.database.path} is damaged: its salt is missing", self.database.path)
        self._salt: bytes = salts[0][0]
        self._writing = ForkSafeLock()  # SQLite would let threads that wait sleep too long
        self._scopes: dict[str | bytes, Any] = {}

    def key(self, scope: str | bytes, prompt: Prompt, more: str = "") -> bytes:
        """Return the key of a prompt: a salted hash, which does not show the prompt or the credentials.

        :param scope: what tells the provider from others: its name, its URL, its model and its credentials; or the hash
            of that, as :meth:`other_scopes` returns it
        :param more: what else changes the answer
        """
        hasher = self._scopes.get(scope)
        if hasher is None:
            hashed = self._hash(scope) if isinstance(scope, str) else scope
            hasher = blake2b(hashed, key=self._salt, digest_size=_KEY_BYTES)
            self._scopes[scope] = hasher
        return digest_of(prompt, more, hasher)

    def _hash(self, scope: str) -> bytes:
        return blake2b(scope.encode(), key=self._salt, digest_size=_KEY_BYTES).digest()

    def other_scopes(self, scope: str, without_keys: str) -> list[bytes]:
        """Return hashes of the scopes that differ from one by its credentials, and have answers here.

        :param without_keys: the scope without them
        """
        pattern, own = f"scope {self._hash(without_keys).hex()} *", self._hash(scope)
        rows = self.database.rows("SELECT value FROM facts WHERE name GLOB ? AND value <> ?", (pattern, own))
        return [value for (value,) in rows if isinstance(value, bytes)]

    def note_scope(self, scope: str, without_keys: str) -> None:
        """Note that a scope has answers.

        :param without_keys: the scope without its credentials
        :raises StoreError: if the file cannot be written
        """
        own = self._hash(scope)
        name = f"scope {self._hash(without_keys).hex()} {own.hex()}"
        with self._writing.held(self.database.patience()), self.database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, own))

    def find(self, key: Key, *, since: float = 0.0, until: float = math.inf) -> Kept | None:
        """Return the answer with a key, or None if there is none.

        :param since: an answer that was made before, in seconds since 1970, does not count
        :param until: nor does one that was made later, as by a clock that was ahead
        :raises StoreError: if the file cannot be read
        """
        rows = self.database.rows(
            "SELECT deltas, provider, model, seconds, attempts, passed_over FROM answers"
            " WHERE key = ? AND occurrence = ? AND made BETWEEN ? AND ?",
            (*key, since, until),
        )
        if not rows:
            return None
        deltas, *facts, passed_over = rows[0]
        with self.database.understanding():
            kept = Kept(from_json(deltas), *facts)
            return kept._replace(passed_over=dict(json.loads(passed_over)), took=_NOTHING)

    def keep(self, key: Key, kept: Kept, *, replace: bool = False, instead_of: Key | None = None) -> int:
        """Write an answer, unless there is one with its key.

        :param replace: whether to write it in place of that one
        :param instead_of: the key of another answer whose place it takes; None if there is none
        :returns: the bytes that it takes; 0 if it was not written
        :raises G4FLiteError: if one of its images cannot be fetched
        :raises StoreError: if the file cannot be written
        """
        deltas, passed_over = to_json(kept.deltas), json.dumps(kept.passed_over)
        # 200: the other columns, and the index
        size, now = len(deltas.encode()) + len(passed_over) + 200, time.time()
        row = (*key, deltas, kept.provider, kept.model, kept.seconds, kept.attempts, size, now, now, passed_over)
        with self._writing.held(self.database.patience()), self.database.transaction() as connection:
            added = 0
            for old in filter(None, (key if replace else None, instead_of)):
                where = "FROM answers WHERE key = ? AND occurrence = ?"
                added -= sum(freed for (freed,) in connection.execute(f"SELECT size {where}", old).fetchall())
                connection.execute(f"DELETE {where}", old)
            done = connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            written = size if done.rowcount else 0
            connection.execute("UPDATE facts SET value = value + ? WHERE name = 'bytes'", (added + written,))
        return written

    def written(self, name: str) -> list[str]:
        """Return the hashes that were noted last for a file with answers; none if nothing is known of it."""
        rows = self.database.rows("SELECT value FROM facts WHERE name = ?", (f"written {name}",))
        return [found for (value,) in rows for found in str(value).split()]

    def note_written(self, name: str, hashes: Iterable[str]) -> None:
        """Note the hashes of what a file with answers may hold, in the place of those that were noted before.

        :raises StoreError: if the file cannot be written
        """
        with self.database.transaction() as connection:
            connection.execute("REPLACE INTO facts VALUES (?, ?)", (f"written {name}", " ".join(hashes)))

    def keys(self) -> list[Key]:
        """Return the keys of all answers."""
        return self.database.rows("SELECT key, occurrence FROM answers")

    def providers(self) -> list[str]:
        """Return the names of the providers that gave the answers, in order."""
        return [name for (name,) in self.database.rows("SELECT DISTINCT provider FROM answers ORDER BY provider")]

    def count(self) -> int:
        """Return how many answers there are."""
        return int(self.database.rows("SELECT count(*) FROM answers")[0][0])

    def bytes(self) -> int:
        """Return how many bytes the answers take."""
        return int(self.database.rows("SELECT CAST(total(value) AS INTEGER) FROM facts WHERE name = 'bytes'")[0][0])

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def mark_of(scope: str) -> bytes:
    """Return a hash of what tells a provider from others, which does not show the credentials."""
    return blake2b(scope.encode(), digest_size=_KEY_BYTES).digest()


def digest_of(prompt: Prompt, more: str = "", hasher: Any = None) -> bytes:
    """Return a hash of the messages and options of a prompt.

    :param more: what else changes the answer
    :param hasher: what has taken the salt and the scope; None for a hash without them
    """
    hasher = blake2b(digest_size=_KEY_BYTES) if hasher is None else hasher.copy()
    options = {name: value for name, value in prompt.options.items() if name not in _TRAVEL}
    hasher.update(f"\n{_encode([prompt.messages, options, more])}".encode("utf-8", "surrogatepass"))
    digest: bytes = hasher.digest()
    return digest
