"""Hugging Face's hub: which file a reference means, and where it is."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from ...errors import ModelNotSupportedError, ResponseFormatError
from .catalogue import HubFile
from .references import HubReference
from .web import Web, hub

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FILE = re.compile(r"[^\\\x00-\x1f\x7f\ud800-\udfff]{1,1000}")  # a path that every system and every locale can take


def address_of(file: HubFile) -> str:
    """Return the address of a file, at its commit."""
    return f"{hub()}/{file.repository}/resolve/{file.revision}/{quote(file.file)}"


def locate(reference: HubReference, web: Web) -> HubFile:
    """Ask the hub for the commit that a reference means now, and for the file's size and hash there.

    :raises ModelNotSupportedError: if there is no such repository, revision or file
    :raises ResponseFormatError: if the answer is not the hub's
    """
    revision = quote(reference.revision or "main", safe="")
    body = web.get(f"{hub()}/api/models/{reference.repository}/revision/{revision}?blobs=true")
    try:
        answer = body.json()
    finally:
        body.close()
    siblings = answer.get("siblings") if isinstance(answer, dict) else None
    commit = answer.get("sha") if isinstance(answer, dict) else None
    if not isinstance(siblings, list) or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise ResponseFormatError(f"{hub()} says nothing of the files in {reference.repository}", provider="Local")
    rows = [row for row in siblings if isinstance(row, dict) and isinstance(row.get("rfilename"), str)]
    files = {row["rfilename"]: row for row in rows if _FILE.fullmatch(row["rfilename"])}
    name = reference.choose(list(files))
    stored = files[name].get("lfs")
    size, sha256 = (stored.get("size"), stored.get("sha256")) if isinstance(stored, dict) else (None, None)
    if not isinstance(size, int) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ModelNotSupportedError(f"the hub has no hash of {name}, by which it could be checked", provider="Local")
    return HubFile(reference.repository, commit, name, size, sha256.lower(), _licence(answer))


def _licence(answer: dict[str, Any]) -> str:
    """Find the licence that a repository's card names."""
    card = answer.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    if isinstance(licence, str) and licence != "other":
        return licence
    name = card.get("license_name") if isinstance(card, dict) else None
    return name if isinstance(name, str) else licence if isinstance(licence, str) else ""
