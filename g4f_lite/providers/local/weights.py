"""A model's name → its file: found on this machine, or fetched once and checked.

::

    path = find("smollm2") or fetch("smollm2", download=True)

Names are those of the catalogue, ``hf:owner/name…`` and addresses with a hash; see ``references.py``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...answers.interruption import short_interrupt
from ...errors import G4FLiteError, MissingDependencyError, ModelNotSupportedError, ProviderNotConfiguredError
from . import elsewhere, package, store
from .catalogue import DEFAULT, WEIGHTS, HubFile, PackageFile
from .download import Download, Progress
from .gguf import read_metadata
from .hub import address_of, locate
from .memory import memory_for
from .permission import PROVIDER, check_download, check_licence, interactive
from .progress import ended, noted, progress_shown
from .references import HubReference, Reference, UrlFile, parse
from .web import Web, check_online

__all__ = ["WEIGHTS", "Known", "fetch", "find", "find_or_allow", "is_first_chat", "known", "measured", "pull", "remove"]

DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def find(name: str = DEFAULT) -> Path | None:
    """Find a model's file on this machine: our own, or another program's; it is hashed when it is seen first.

    :raises MissingDependencyError: platformdirs, which knows our folder, is not installed
    :raises ModelNotSupportedError: if there is no such model
    """
    return _find(parse(name))


def fetch(name: str = DEFAULT, *, download: bool | str | None = None) -> Path:
    """Return the path of a model's file, downloading and checking it where :func:`find` finds none.

    :param download: whether it may be downloaded, or the name of the one model that may; None: the default model where
        somebody sees it, see :func:`.permission.interactive`
    :raises MissingDependencyError: platformdirs is not installed
    :raises ModelNotSupportedError: if there is no such model
    :raises ProviderNotConfiguredError: if it may not be downloaded, or cannot be for a reason on this machine
    :raises ResponseFormatError: if what was downloaded is not the file that was expected
    :raises TransportError: if the download failed
    """
    return find_or_allow(name, download=download) or pull(name)


def find_or_allow(name: str, *, download: bool | str | None = None) -> Path | None:
    """Find a model's file, or raise if :func:`fetch` would not download it; None: it would.

    :param download: as for :func:`fetch`
    :raises G4FLiteError: as :func:`fetch` does before it downloads
    """
    if found := find(name):
        return found
    if download is None:
        download = name == DEFAULT and interactive()
    check_download(name, allowed=name == download if isinstance(download, str) else download)
    return None


@short_interrupt
def pull(
    name: str = DEFAULT,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    accept_licence: bool = False,
) -> Path:
    """Download the weights of a model, check them, and give their path; what is here is not fetched again.

    ::

        Local.pull("qwen3-0.6b")
        Local.pull("hf:Qwen/Qwen3-0.6B-GGUF:Q8_0")
        Local.pull("https://example.org/model.gguf", sha256="9465e63a…")

    Processes that ask at the same time download once; the others wait for it.

    :param name: a known name, a file on Hugging Face's hub, or an address
    :param revision: a branch, a tag or a commit on the hub
    :param sha256: the hash of the file at an address
    :param progress: called with the bytes that are here, and all of them or None; where there is none, a
        terminal shows them
    :param accept_licence: whether to accept a licence other than Apache's or MIT's; False asks at a terminal and in
        a notebook, and raises elsewhere
    :raises ValueError: if an address has no hash, or a name that needs none has one
    :raises G4FLiteError: if they could not be had, see :func:`fetch`
    """
    reference, asked = parse(name, revision=revision, sha256=sha256), ""
    if isinstance(reference, HubReference):
        reference, asked = _located(reference), reference.revision or "main"
    if found := _find(reference):
        return found
    check_download(name, allowed=True)
    target = store.place_of(reference)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.parent / "download.lock" if isinstance(reference, PackageFile) else store.lock_of(target)
        with store.locked(lock) as alone:
            if found := _find(reference):
                return found
            if isinstance(reference, HubFile):  # who gives an address and a hash has been where they are
                check_licence(name, reference.licence, accepted=accept_licence)
            _download(reference, target, progress, alone)
            store.record(target, reference, asked)
    except G4FLiteError:  # some of them are OSErrors
        raise
    except OSError as error:
        raise _not_kept(name, reference, target, error) from error
    return target


@dataclass(frozen=True)
class Known:
    """A model that has a name, or was fetched.

    :param name: the name
    :param size: the file's bytes
    :param licence: the model's licence, empty where it is not known
    :param path: the file; None where it is not on this machine
    :param context: the most tokens that a prompt and its answer may have together; None where it is not known
    :param token_bytes: what the engine remembers of each of them
    """

    name: str
    size: int
    licence: str
    path: Path | None
    context: int | None = None
    token_bytes: int = 0

    def memory(self, context: int) -> int:
        """Return the bytes that the engine takes, about.

        :param context: the tokens that it is to have; the model may be able to have fewer
        """
        return memory_for(self.size, self.token_bytes, min(context, self.context or context))


def known() -> Iterator[Known]:
    """List the models of the catalogue, and others that were fetched."""
    for name, file in WEIGHTS.items():
        yield Known(name, file.size, file.licence, find(name), file.context or None, file.token_bytes)
    catalogued = {store.source_of(file) for file in WEIGHTS.values()}
    for path, record in store.kept():
        if record.source not in catalogued:
            try:
                other = measured(path)
            except ModelNotSupportedError:
                other = Known("", record.size, "", path)
            yield replace(other, name=record.source, licence=record.licence)


def measured(path: Path) -> Known:
    """Return what is known of a model's file.

    :raises ModelNotSupportedError: if it cannot be read, or is damaged
    """
    metadata = read_metadata(path)
    return Known(path.stem, path.stat().st_size, "", path, metadata.context or None, metadata.cache_bytes())


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
    with ended(shown), Web() as web:
        Download(url, target, size, file.sha256, progress or shown, alone).run(web)


def _not_kept(name: str, file: Reference, target: Path, error: OSError) -> ProviderNotConfiguredError:
    if error.errno in DISK_FULL:
        needed = 2 * file.size if isinstance(file, PackageFile) else 0
        reason = f"the disk is full: {f'{needed >> 20} MiB are needed' if needed else 'make room'} in {target.parent}"
    else:
        place = error.filename or target.parent
        reason = f"{place}: {error.strerror}; make it writable, or choose another place with XDG_CACHE_HOME"
    return ProviderNotConfiguredError(f"cannot keep the weights of {name}: {reason}", provider=PROVIDER)
