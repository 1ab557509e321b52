"""Whether a file is as ``g4f-lite batch`` wrote it, so that nothing is lost that its user has changed in it since."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path

from ..store.answers import AnswerStore
from .failure import Failure
from .files import is_there

_PART_BYTES = 1024**2


class WrittenFile:
    """A file of which a store keeps a hash of what was written, so that a copy, or a new time, is no change.

    It is known by its path as seen from the store, so that both may be moved together.

    :param path: the file, which need not exist
    :param store: the file with the answers, which need not exist
    """

    def __init__(self, path: Path, store: Path) -> None:
        self._path, self._store = path, store
        file, folder = os.path.realpath(path), os.path.dirname(os.path.realpath(store))
        try:
            name = os.path.relpath(file, folder)
        except ValueError:  # on another drive of Windows
            name = file
        self._name = ascii(name)  # half of a character is no text for SQLite

    def is_changed(self) -> bool:
        """Return whether somebody has changed it; False if it is not there, or nothing is known of it.

        :raises click.ClickException: if it cannot be read
        :raises StoreError: if the store cannot be read
        """
        if not is_there(self._path) or not is_there(self._store):
            return False
        with closing(AnswerStore(self._store)) as store:
            written = store.written(self._name)
        return bool(written) and _hash_of(self._path) not in written

    def note(self, new: Path) -> None:
        """Keep what it is about to become, beside what it is: the program may end before the one is the other.

        :param new: the file that will take its place
        :raises click.ClickException: if a file cannot be read
        :raises StoreError: if the store cannot be written
        """
        hashes = [_hash_of(path) for path in (new, self._path) if is_there(path)]
        with closing(AnswerStore(self._store)) as store:
            store.note_written(self._name, hashes)


def _hash_of(path: Path) -> str:
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                hasher.update(part)
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error
    return hasher.hexdigest()
