"""Where weights are kept, and how it is known that a file is what it should be.

A file is hashed once.  What was seen then is kept in a record, and the file is known again by its size,
its time and its inode.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import MissingDependencyError, ProviderNotConfiguredError
from .catalogue import HubFile, PackageFile
from .references import UrlFile

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # what a file system without locks says


@dataclass(frozen=True)
class Record:
    """What a file was when it was hashed.

    :param size: its bytes
    :param time: when it was changed last, in nanoseconds
    :param inode: its number in the file system
    :param sha256: its hash
    :param source: where it comes from, as ``hf:…`` or an address
    :param licence: the model's
    :param asked: the revision that was asked for, such as a branch, where it comes from the hub
    """

    size: int
    time: int
    inode: int
    sha256: str
    source: str = ""
    licence: str = ""
    asked: str = ""


def cache_directory() -> Path:
    """Return the folder for what is downloaded.

    :raises MissingDependencyError: platformdirs, which knows it, is not installed
    :raises ProviderNotConfiguredError: if the user has no home directory, as in some containers
    """
    try:
        platformdirs = importlib.import_module("platformdirs")
    except ImportError as error:
        raise MissingDependencyError(
            'the embedded model needs platformdirs: pip install "g4f-lite[local]"', provider="Local"
        ) from error
    try:
        return Path(platformdirs.user_cache_path("g4f-lite", appauthor=False))
    except RuntimeError as error:
        raise ProviderNotConfiguredError(
            f"there is no place for the model's weights: {error}; set XDG_CACHE_HOME to a folder", provider="Local"
        ) from error


def place_of(file: PackageFile | HubFile | UrlFile) -> Path:
    """Return the path at which a file is kept."""
    if isinstance(file, HubFile):
        folder = f"models/{file.repository.replace('/', '--')}/{file.revision}"
        if inner := file.file.rpartition("/")[0]:  # two of which may have files of one name
            folder += f"/{hashlib.sha256(inner.encode('utf-8', 'replace')).hexdigest()[:16]}"
    else:
        folder = "" if isinstance(file, PackageFile) else f"models/url/{file.sha256[:16]}"
    return cache_directory() / folder / file.file_name


def source_of(file: PackageFile | HubFile | UrlFile) -> str:
    """Say where a file comes from."""
    if isinstance(file, HubFile):
        return f"hf:{file.repository}/{file.file}@{file.revision}"
    return file.url if isinstance(file, UrlFile) else f"{file.package}=={file.version}"


def is_whole(path: Path, size: int | None, sha256: str) -> bool:
    """Return whether a file is there and has this content; it is hashed if its record does not tell.

    :param size: its bytes, where they are known
    """
    try:
        stat = path.stat()
        if not path.is_file() or (size is not None and stat.st_size != size):
            return False
        known = read_record(path)
        seen = stat.st_size, stat.st_mtime_ns, stat.st_ino
        if known is not None and (known.size, known.time, known.inode) == seen:
            return known.sha256 == sha256
        found = _hash(path, *seen)
    except OSError as error:
        logger.debug("cannot read %s: %s", path, error)
        return False
    if found == sha256:
        kept = (known.source, known.licence, known.asked) if known is not None else ()
        write_record(path, Record(*seen, sha256, *kept))
    return found == sha256


def put_in_place(new: Path, target: Path, sha256: str) -> None:
    """Move a checked file to where it is kept.

    :raises OSError: if that cannot be done, and the same file is not there already
    """
    try:
        os.replace(new, target)
    except PermissionError:  # Windows replaces no file that another process reads, which had the same task
        if not is_whole(target, None, sha256):
            raise
        new.unlink()


def record(path: Path, file: PackageFile | HubFile | UrlFile, asked: str = "") -> None:
    """Record a file that was hashed just now.

    :param asked: the revision that was asked for
    """
    stat = path.stat()
    seen = stat.st_size, stat.st_mtime_ns, stat.st_ino
    write_record(path, Record(*seen, file.sha256, source_of(file), file.licence, asked))


def read_record(path: Path) -> Record | None:
    """Return what is recorded of a file, if anything is."""
    try:
        return Record(**json.loads(_record_place(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, MissingDependencyError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Keep a record, where that is possible; else the file is hashed again next time."""
    with contextlib.suppress(OSError, MissingDependencyError):
        place = _record_place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_suffix(f".{os.getpid()}.new")
        try:
            new.write_text(json.dumps(asdict(record)), encoding="utf-8")
            os.replace(new, place)
        finally:
            new.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file of our own with all that belongs to it."""
    for each in (path, _record_place(path), lock_of(path)):
        each.unlink(missing_ok=True)
    for folder in path.parents:
        if cache_directory() / "models" in folder.parents:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def is_ours(path: Path) -> bool:
    """Return whether a file is in our own folder, and not another program's."""
    return path.is_relative_to(cache_directory())


def kept() -> Iterator[tuple[Path, Record]]:
    """Return the files that were downloaded from the hub or from an address, with their records."""
    for place in sorted((cache_directory() / "models").glob("**/*.gguf.json")):
        path = place.with_suffix("")
        if os.path.isfile(path) and (record := read_record(path)):  # Path.is_file raises where a folder is closed
            yield path, record


def lock_of(path: Path) -> Path:
    """Return the path of the lock for the download of a file."""
    return path.with_name(f"{path.name}.lock")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Let one process at a time in; its lock is gone with it, however it ends.

    :param path: the lock's file
    :returns: whether nobody else is in; False on a file system without locks
    :raises MissingDependencyError: filelock is not installed
    :raises OSError: if the lock's file cannot be written
    """
    try:
        import filelock
    except ImportError as error:
        raise MissingDependencyError(
            'downloading weights needs filelock: pip install "g4f-lite[local]"', provider="Local"
        ) from error
    lock = filelock.FileLock(path, mode=0o600)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield lock.is_locked
    finally:
        lock.release()


def _record_place(path: Path) -> Path:
    """Return the path of a file's record: beside a file of ours, else in our folder."""
    if is_ours(path):
        return path.with_name(f"{path.name}.json")
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return cache_directory() / "elsewhere" / f"{name}.json"


@functools.lru_cache(maxsize=64)
def _hash(path: Path, *_: int) -> str:
    """Hash a file that has not changed; its size, time and inode are arguments, so that it has not."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
