"""The one way in which this library opens a SQLite file: whose file it is, which version, and which error is raised."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import StoreError
from ..http.forks import ForkGate, lock_free_in_children

BUSY_SECONDS = 30.0  # that a statement waits while another process writes, unless the kind of file says otherwise
_RETRY_SECONDS = 0.01  # between tries to switch to WAL, during which SQLite itself does not wait
_lock = lock_free_in_children()  # of the connections of all databases
_inherited: list[Any] = []  # connections of a parent process, which must be neither used nor closed after a fork

# What SQLite says, what it means, and what to do; Python 3.10 does not give its error codes.
_REASONS = {
    "disk is full": ("full", "the disk is full; make room, or name a file on another disk"),
    "readonly": ("unwritable", "it cannot be written; check its permissions and those of its folder"),
    "unable to open": ("unwritable", "it cannot be opened; check its permissions and those of its folder"),
    "is locked": ("locked", "another process keeps writing to it"),
    "not a database": ("foreign", "it is not a SQLite file; name another file"),
    "malformed": ("damaged", "it is damaged; move it away, or restore a copy"),
    "no such table": ("damaged", "a table is missing in it; move it away, or restore a copy"),
    "no such column": ("damaged", "a column is missing in it; move it away, or restore a copy"),
    "I/O error": ("unwritable", "the disk reports an error, or is full"),
}


class Kind(NamedTuple):
    """A kind of file: what SQLite's header says about it, and what is in it.

    :param what: what the file holds, for errors, such as ``"answers"``
    :param application_id: the number in the header that tells this kind from all other files
    :param versions: the SQL statements that make each version from the one before; the last is the present version
    :param busy_seconds: how long to wait while another process or thread writes; None for 30 s
    :param pragmas: settings of SQLite for each connection
    """

    what: str
    application_id: int
    versions: Sequence[Sequence[str]]
    busy_seconds: float | None = None
    pragmas: Sequence[str] = ()


class _Idle:
    """Connections that nobody uses, of one process."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []
        self.process = os.getpid()

    def take(self) -> sqlite3.Connection | None:
        """Return a connection; None if none is left.

        One may be closed: a garbage collection that ends an abandoned use of it gives it back, and goes on to it.
        """
        while self.connections:
            connection = self.connections.pop()
            with suppress(sqlite3.ProgrammingError):
                _ = connection.in_transaction
                return connection
        return None

    def leave_to_parent(self) -> None:
        """Forget the connections of a parent process."""
        if self.process != os.getpid():
            _inherited.append(self.connections)
            self.connections, self.process = [], os.getpid()

    def close(self) -> None:
        """Close the connections of this process."""
        if self.process != os.getpid():
            return
        with _lock:
            connections, self.connections = self.connections, []
        with _gate.passed():
            for connection in connections:
                connection.close()


_all_idle: weakref.WeakSet[_Idle] = weakref.WeakSet()


def _close_idle() -> None:
    """Close what nobody uses, before a fork: SQLite in the child would take the parent's locks for its own."""
    with _lock:
        every = list(_all_idle)
    for idle in every:
        idle.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_idle)  # the last one to be registered, which is the gate, is the first to run
_gate = ForkGate()  # to SQLite, which has locks of its own for the whole process


def _is_planted(path: str) -> bool:
    """Return whether another user has made a file or link in a folder in which all users may: its owner could read it.

    Linux refuses to open such a file by ``protected_regular``, but not on each machine, and not without ``O_CREAT``.
    """
    if not hasattr(os, "geteuid"):
        return False
    try:
        folder, found = os.stat(os.path.dirname(path)), os.lstat(path)
    except OSError:  # it is not there, or cannot be opened either
        return False
    return bool(folder.st_mode & stat.S_IWOTH) and found.st_uid not in (os.geteuid(), folder.st_uid, 0)


class Database:
    """A SQLite file of this library, which several processes and threads may use at once::

        database = Database("answers.db", ANSWERS)
        with database.transaction() as connection:
            connection.execute("INSERT …")
        rows = database.rows("SELECT …")

    A connection serves one thread at a time, and one process.  The file is made with mode 0600, in WAL mode: who reads
    does not wait for who writes, and what is committed survives the end of the process, however it ends.

    :param path: the file; it is made if it does not exist, in a folder that does
    :param kind: what the file must be
    :raises StoreError: if it is not such a file, or cannot be opened
    """

    def __init__(self, path: str | os.PathLike[str], kind: Kind) -> None:
        self.path = Path(os.path.abspath(path))  # also a relative one stays the same after a chdir
        self._kind = kind
        self._idle = _Idle()
        with _lock:
            _all_idle.add(self._idle)
        # Not by __del__: in a circle of garbage the connections might come first, and complain that they are open.
        weakref.finalize(self, _Idle.close, self._idle)
        self._closed = 0  # how often; what was lent before is closed when it comes back
        self._create()
        with self._translating(), self._connection():
            pass

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that may write; commit at the end, or undo everything if an exception is raised.

        :raises StoreError: if the file cannot be written; nothing of the transaction is kept then
        """
        with self._translating(), self._connection() as connection:
            try:  # which begins here, as a signal may raise when BEGIN has waited and is done
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite itself ends it when the disk is full
                    connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a SELECT.

        :raises StoreError: if the file cannot be read
        """
        with self._translating(), self._connection() as connection:
            return connection.execute(sql, parameters).fetchall()

    def patience(self) -> Callable[[], None]:
        """Return a check for who waits for another thread that writes; it raises when that takes too long."""
        ends = time.monotonic() + self._busy_seconds

        def check() -> None:
            if time.monotonic() > ends:
                raise self._error(*_REASONS["is locked"])

        return check

    def close(self) -> None:
        """Close the connections of this process, those in use as soon as they are not; the next use opens new ones."""
        with _lock:
            self._closed += 1
        self._idle.close()

    @property
    def _busy_seconds(self) -> float:
        return BUSY_SECONDS if self._kind.busy_seconds is None else self._kind.busy_seconds

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Database, (self.path, self._kind)

    def __repr__(self) -> str:
        return f"Database({str(self.path)!r}, {self._kind.what})"

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in autocommit mode, which nobody else uses or closes meanwhile."""
        with _gate.passed():
            with _lock:
                self._idle.leave_to_parent()
                connection = self._idle.take()
                closed, process = self._closed, self._idle.process
            connection = connection or self._open()
            try:
                yield connection
            finally:
                with _lock:
                    if process != os.getpid():  # a fork in between
                        _inherited.append(connection)
                    elif closed == self._closed and not connection.in_transaction:
                        self._idle.connections.append(connection)
                    else:
                        connection.close()

    def _create(self) -> None:
        """Make the file with its mode before SQLite would make it with the usual one.

        A file that is there is not opened: to close it would release all locks that the process has on it, those of
        other connections too, and the next process that closes it would take away what they write.
        """
        for path in (self.path, Path(os.path.realpath(self.path))):
            for end in ("", "-wal", "-shm", "-journal"):
                if _is_planted(f"{path}{end}"):
                    told = f"another user has made {path.name}{end} in a folder where all may make files"
                    raise self._error("foreign", f"{told}; name another file")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            with _lock:  # until it is closed, nobody here has a lock on it
                os.close(os.open(os.path.realpath(self.path), flags, 0o600))
            return
        except FileExistsError:
            pass
        except OSError as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise self._error("unwritable", f"there is no folder {self.path.parent}; make it first") from error
            if not os.path.exists(self.path):  # Path.exists raises where a folder may not be entered
                hint = "check its permissions and those of its folder"
                raise self._error("unwritable", f"{error.strerror or error}; {hint}") from error
        if self.path.is_dir():  # which Windows calls a lack of permission
            raise self._error("directory", "it is a folder; name a file in it")
        if not self.path.is_file():
            raise self._error("foreign", "it is not a regular file; name another one")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN")  # both reads see the file as it was at one moment: another may be making it now
            self._check(connection)
            connection.execute("COMMIT")
            _switch_to_wal(connection, self._busy_seconds)
            # What is committed survives the end of the process; only a power failure may take the last moments back.
            connection.execute("PRAGMA synchronous=NORMAL")
            for pragma in self._kind.pragmas:
                connection.execute(f"PRAGMA {pragma}")
            if self._version(connection) < len(self._kind.versions):
                self._upgrade(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raise unless the file is of this kind, or empty, and of a known version."""
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        is_empty = owner == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        if owner != self._kind.application_id and not is_empty:
            raise self._error("foreign", f"it is a SQLite file, but not one of {self._kind.what}; name another file")
        version, known = self._version(connection), len(self._kind.versions)
        if version > known:
            raise self._error(
                "newer",
                f"a newer g4f_lite wrote it, in version {version}, and this one knows {known}; upgrade g4f_lite",
            )

    def _version(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        """Bring the file to the present version, in one transaction; another process may just have done so."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._check(connection)
            for statements in self._kind.versions[self._version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id={self._kind.application_id}")
            connection.execute(f"PRAGMA user_version={len(self._kind.versions)}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Raise what SQLite reports as a StoreError that says what it means."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:  # a name or a number that nobody wrote, too
            if isinstance(error, sqlite3.ProgrammingError):
                raise  # a mistake in this library
            said = str(error)
            reason, meaning = next((found for words, found in _REASONS.items() if words in said), ("damaged", said))
            raise self._error(reason, meaning) from error

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """Raise what fails while values of the file are read as a StoreError: something else has written them."""
        try:
            yield
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError, OSError) as error:  # of a date, too
            raise self._error("damaged", f"it is damaged: {error}; move it away, or restore a copy") from error

    def _error(self, reason: str, meaning: str) -> StoreError:
        return StoreError(f"cannot use {self.path} for {self._kind.what}: {meaning}", self.path, reason=reason)


def _switch_to_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch the file to WAL mode, in which it then stays; a disk that does not support it keeps its own mode."""
    ends = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(_RETRY_SECONDS)
