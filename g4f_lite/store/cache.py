"""A cache of answers on disk."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

from ..answers.deltas import Delta
from ..answers.source import Stage
from ..answers.stream import AnswerStream
from ..arguments import check_whole_number, warn
from ..errors import G4FLiteError, StoreError
from ..http.forks import ForkSafeLock
from ..prompt import Prompt
from .answers import CACHE, AnswerStore, Kept

logger = logging.getLogger(__name__)

MAX_BYTES = 1024**3
_NAME_A_FILE = 'name a file, as in Cache("answers.db")'
_LEFT_AFTER_EVICTION = 0.9  # of max_bytes, so that not every answer evicts another
_USE_SECONDS = 3600.0  # an answer's last use is written at most this often
_CLOCK_SECONDS = 60.0  # by which an answer may be from the future, as two machines that share a file differ


class CacheInfo(NamedTuple):
    """What a cache holds.

    :param path: its file
    :param answers: how many answers there are
    :param bytes: how many bytes they take
    """

    path: Path
    answers: int
    bytes: int


class Cache:
    """A cache of answers on disk: what was asked once is not asked again::

        client = Client("groq", cache=Cache("answers.db", max_age=7 * 86400))

    The file is opened, and made if need be, at the first call.  It may be used by several processes at once.  Only
    whole answers are kept, whatever their ``temperature``.  If an answer cannot be kept, for instance because the disk
    is full, there is a warning, and the caller gets the answer nevertheless.

    :param path: the file; by default ``g4f-lite/answers.db`` in the user's folder for caches
    :param max_age: seconds after which an answer is asked for again; None for never
    :param max_bytes: how much the answers may take before those that were not used for longest are removed
    :ivar is_shared: whether it is the default file, which all programs of the user share
    :raises TypeError: if an argument has the wrong type
    :raises ValueError: if an argument has an invalid value
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        max_age: float | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path must be a path, not {type(path).__name__}")
        if max_age is not None:
            if isinstance(max_age, bool) or not isinstance(max_age, (int, float)):
                raise TypeError(f"max_age must be seconds, not {type(max_age).__name__}")
            if not max_age > 0 or math.isinf(max_age):
                raise ValueError(f"max_age must be a number of seconds above 0, or None, not {max_age}")
        self.is_shared = path is None
        self.path = default_path() if path is None else Path(os.path.abspath(path))
        self.max_age = max_age
        self.max_bytes = check_whole_number(max_bytes, "max_bytes")
        self._opening = ForkSafeLock()
        self._opened: AnswerStore | None = None

    @classmethod
    def of(cls, given: Any) -> Cache | None:
        """Return the cache for a ``cache=`` argument: False for none, True for the default one, a path, or a Cache.

        :raises TypeError: if it is something else
        """
        if given is None or given is False:
            return None
        if isinstance(given, Cache):
            return given
        if given is True or isinstance(given, (str, os.PathLike)):
            return cls(None if given is True else given)
        raise TypeError(f"cache must be True, False, a path or a Cache, not {type(given).__name__}")

    def stage(self, stream: AnswerStream, scope: Callable[[], str], prompt: Prompt) -> Stage:
        """Return the stage that takes an answer from the cache if it is there, and else keeps it at its end.

        :param stream: the stream that the stage is for
        :param scope: returns what tells the provider from others
        """

        def from_cache(deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
            store = self._store()
            key = (store.key(scope(), prompt), 0)
            kept = None if prompt.fresh else self._find(store, key)
            if kept is not None:
                stream.take_origin(kept.provider, kept.model, kept.passed_over)
                yield from kept.deltas
                return
            began_at = time.monotonic()
            yield from deltas
            stream.check_complete()
            try:
                self._keep(store, key, Kept.of(stream, time.monotonic() - began_at), replace=prompt.fresh)
            except StoreError as error:  # the answer is paid for and whole
                warn(f"the answer was not cached: {error}")
            except G4FLiteError as error:  # too long, or an image that cannot be fetched any more
                logger.info("the answer was not cached: %s", error)

        return from_cache

    def info(self) -> CacheInfo:
        """Return what the cache holds.

        :raises StoreError: if the file cannot be used
        """
        store = self._store()
        return CacheInfo(self.path, store.count(), store.bytes())

    def clear(self) -> int:
        """Remove all answers, and return how many there were.

        :raises StoreError: if the file cannot be used
        """
        store = self._store()
        with store.database.transaction() as connection:
            removed = connection.execute("DELETE FROM answers").rowcount
            connection.execute("UPDATE facts SET value = 0 WHERE name = 'bytes'")
        store.database.rows("VACUUM")
        return removed

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._opening.held():
            if self._opened is not None:
                self._opened.close()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _store(self) -> AnswerStore:
        if (opened := self._opened) is not None:
            return opened
        if self.is_shared:
            try:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                why = f"the folder {self.path.parent} for the cache cannot be made: {error.strerror}"
                raise StoreError(f"{why}; {_NAME_A_FILE}", self.path, reason="unwritable") from error
        # By each thread that needs it now, as one that waits for a locked file must not make the others wait longer.
        store = AnswerStore(self.path, CACHE)
        with self._opening.held():
            if self._opened is None:
                self._opened = store
            else:
                store.close()
            return self._opened

    def _find(self, store: AnswerStore, key: tuple[bytes, int]) -> Kept | None:
        now = time.time()
        if self.max_age is None:
            kept = store.find(key)
        else:
            kept = store.find(key, since=now - self.max_age, until=now + _CLOCK_SECONDS)
        if kept is not None:
            due = store.database.rows("SELECT 1 FROM answers WHERE key = ? AND used < ?", (key[0], now - _USE_SECONDS))
            if due:
                try:
                    with store.database.transaction() as connection:
                        connection.execute("UPDATE answers SET used = ? WHERE key = ?", (now, key[0]))
                except StoreError as error:  # the answer is there nevertheless
                    logger.info("the last use of a cached answer was not written: %s", error)
        return kept

    def _keep(self, store: AnswerStore, key: tuple[bytes, int], kept: Kept, *, replace: bool) -> None:
        # An answer that is too old is in the way of the new one.
        store.keep(key, kept, replace=replace or self.max_age is not None)
        if store.bytes() <= self.max_bytes:
            return
        with store.database.transaction() as connection:
            left = connection.execute("SELECT value FROM facts WHERE name = 'bytes'").fetchone()[0]
            wanted = int(self.max_bytes * _LEFT_AFTER_EVICTION)
            oldest = connection.execute("SELECT key, occurrence, size FROM answers ORDER BY used")
            evicted = []  # first, as no answer may be removed while they are read
            while left > wanted and (old := oldest.fetchone()) is not None:
                evicted.append(old[:2])
                left -= old[2]
            oldest.close()
            connection.executemany("DELETE FROM answers WHERE key = ? AND occurrence = ?", evicted)
            connection.execute("UPDATE facts SET value = ? WHERE name = 'bytes'", (left,))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opening": None, "_opened": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _opening=ForkSafeLock())

    def __repr__(self) -> str:
        return f"Cache({str(self.path)!r})"


def default_path() -> Path:
    """Return the file of the cache that ``cache=True`` uses, in the user's folder for caches.

    :raises StoreError: if the user has no home directory, as in some containers
    """
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "g4f-lite/Cache"
        elif sys.platform == "darwin":
            base = Path.home() / "Library/Caches/g4f-lite"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "g4f-lite"
    except RuntimeError as error:
        raise StoreError(f"there is no folder for the cache: {error}; {_NAME_A_FILE}", reason="unwritable") from error
    return base / "answers.db"
