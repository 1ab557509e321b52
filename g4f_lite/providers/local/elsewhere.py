"""Weights that other programs have downloaded: they are used where they lie, and never changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from .catalogue import HubFile
from .references import HubReference, UrlFile

_SHA256 = re.compile(r"[0-9a-f]{64}")


def candidates(file: HubFile | UrlFile) -> Iterator[Path]:
    """Return the paths at which other programs may have a file."""
    if isinstance(file, HubFile):
        repository = _hub_cache() / f"models--{file.repository.replace('/', '--')}"
        yield repository / "snapshots" / file.revision / file.file
        yield repository / "blobs" / file.sha256
        for folder in (".lmstudio/models", ".cache/lm-studio/models"):
            yield Path.home() / folder / file.repository / file.file
    yield Path(os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama/models") / "blobs" / f"sha256-{file.sha256}"


def in_hub_cache(reference: HubReference) -> HubFile | None:
    """Find a file in the cache of the hub's own client, which names each after its hash."""
    repository = _hub_cache() / f"models--{reference.repository.replace('/', '--')}"
    commit = reference.revision or "main"
    try:
        commit = (repository / "refs" / commit).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        if not reference.revision:
            return None
    snapshot = repository / "snapshots" / commit
    files = {path.relative_to(snapshot).as_posix(): path for path in snapshot.rglob("*.gguf")}
    if not files:
        return None
    name = reference.choose(list(files))
    blob = files[name].resolve()
    if not _SHA256.fullmatch(blob.name):  # on Windows without links: nothing tells what it should be
        return None
    return HubFile(reference.repository, commit, name, blob.stat().st_size, blob.name, licence="")


def _hub_cache() -> Path:
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache)
    home = os.environ.get("HF_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return base / "hub"
