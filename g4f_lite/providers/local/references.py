"""What a model is asked for by: a known name, a file on Hugging Face's hub, or an address with a hash."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...arguments import safe_url, unknown_name
from ...errors import ModelNotSupportedError
from ..openai.presets import preset_named
from .catalogue import WEIGHTS, HubFile, PackageFile
from .gguf import check_gguf, similar_file

_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/([^@:]+\.gguf)|:([\w.-]+))?(?:@([\w./-]+))?")
# An address that is copied from the hub's pages, or what Ollama calls a model of the hub.
_HUB_PAGE = re.compile(
    r"(?i)(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)"
    r"(?:/(?:tree|blob|resolve)/([^/?#]+)(?:/([^?#:]+\.gguf))?)?(?::([\w.-]+))?/?(?:\?[^#]*)?"
)
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Which one of several is taken where none is named.
PREFERRED = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q8_0")


@dataclass(frozen=True)
class HubReference:
    """A file on the hub, as a user names it: ``hf:owner/name[:QUANTIZATION | /file.gguf][@revision]``.

    :param repository: ``owner/name``
    :param file: the file's path in it
    :param quantization: a part of its name, such as ``Q4_K_M``
    :param revision: a branch, a tag or a commit
    """

    repository: str
    file: str | None = None
    quantization: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        which = f"/{self.file}" if self.file else f":{self.quantization}" if self.quantization else ""
        return f"hf:{self.repository}{which}{f'@{self.revision}' if self.revision else ''}"

    def means(self, file: str) -> bool:
        """Return whether a file in the repository may be the one that is meant."""
        if self.file:
            return file == self.file
        return _is_model(file) and (not self.quantization or _is_quantized(file, self.quantization))

    def choose(self, files: Sequence[str]) -> str:
        """Choose the file that is meant.

        :param files: the paths that there are
        :raises ModelNotSupportedError: if there is none, or more than one
        """
        whole = [file for file in files if _is_model(file)]
        found = [file for file in files if self.means(file) and _is_whole(file)]
        if len(found) > 1 and not self.quantization:
            kinds = ([file for file in found if _is_quantized(file, kind)] for kind in PREFERRED)
            found = next(filter(None, kinds), found)
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} such files" if found else "no such file"
        there = f"; there are {', '.join(sorted(found or whole)[:8])}" if whole else ", and none that Local can use"
        raise ModelNotSupportedError(f"{self} has {what}{there}", provider="Local")


@dataclass(frozen=True)
class UrlFile:
    """A file at an address.

    :param url: the address
    :param sha256: the file's hash
    """

    url: str
    sha256: str
    licence: str = ""

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2]


Reference = PackageFile | HubFile | HubReference | UrlFile


def is_reference(name: str) -> bool:
    """Return whether a name is one that :func:`parse` reads, and not the path of a file."""
    return name in WEIGHTS or hub_name(name).startswith(("hf:", "https:", "http:"))


def hub_name(name: str) -> str:
    """Return what an address on the hub, such as ``https://huggingface.co/owner/name``, is called here.

    Any other name is given as it is, and so is an address with a hash.
    """
    if (found := _HUB_PAGE.fullmatch(name)) is None:
        return name
    repository, revision, file, quantization = (part and unquote(part) for part in found.groups())
    return str(HubReference(repository, file, quantization, None if revision == "main" else revision))


def completion_names(own: str) -> dict[str, str]:
    """Return the names of the known models and of ``own``, by what a completion calls each: the name of its file."""
    files = {known: weights.file_name for known, weights in WEIGHTS.items()}
    files.setdefault(own, own)  # behind the others, so that of two files of one name its own is meant
    return {Path(file).stem: known for known, file in files.items()}


def name_of(name: str | None, own: str) -> str:
    """Return what ``Local`` calls a model: a known name, a reference, or the resolved path of a file.

    :param name: one of these, or what a completion calls its model: the file's name without ``.gguf``;
        None for ``own``
    :param own: the model that is asked where none is named
    :raises ModelNotSupportedError: if it is neither, or the file cannot be used
    """
    name = hub_name(completion_names(own).get(name or own, name or own))
    if is_reference(name):
        parse(name)
        return name
    if not os.path.exists(name) and (superfluous := _around_path(name)):
        raise ModelNotSupportedError(f"there is no file {name}; leave out {superfluous}", provider="Local")
    if is_path(name) and os.path.isfile(f"{os.path.expanduser(name)}.gguf"):
        raise ModelNotSupportedError(f"there is no file {name}; did you mean {name}.gguf?", provider="Local")
    if not is_path(name) and not os.path.exists(name):  # which is also false for what no path can be
        raise ModelNotSupportedError(f"{_unknown(name)}; or {similar_file(Path(name))}", provider="Local")
    return str(check_gguf(name))


def is_path(name: str) -> bool:
    """Return whether a name is meant as a path: owner/name may be one on the hub."""
    return name.lower().endswith(".gguf") or name.startswith(("/", "~", ".")) or "\\" in name


def _around_path(name: str) -> str:
    """Return what stands around the path of a .gguf file and does not belong there; "" for nothing."""
    if name != name.strip() and name.strip().endswith(".gguf"):
        return "the blank"
    if name[:1] in ("'", '"') and name.rstrip("'\"").endswith(".gguf"):
        return "the quotes"
    found = re.match(r"(?i)(local:|file:(?://)?).*\.gguf$", name)
    return found[1] if found else ""


def parse(name: str, *, revision: str | None = None, sha256: str | None = None) -> Reference:
    """Read a model's name.

    :param revision: a branch, a tag or a commit of a repository on the hub
    :param sha256: the hash of the file at an address
    :raises ModelNotSupportedError: if no model has this name
    :raises ValueError: if an address without a hash, or a revision or hash for what has none
    """
    if sha256 is None:
        name = hub_name(name)
    if name in WEIGHTS:
        reference: Reference = WEIGHTS[name]
    elif name.startswith("hf:"):
        if not (found := _HUB.fullmatch(name)):
            raise ModelNotSupportedError(
                f"{name!r} is not a file on the hub: write hf:owner/name, hf:owner/name:Q4_K_M or "
                "hf:owner/name/file.gguf, and @revision behind it if you like",
                provider="Local",
            )
        reference = HubReference(found[1], found[2], found[3], found[4])
        if revision:
            reference, revision = replace(reference, revision=revision), None
    elif name.startswith(("https:", "http:")):
        reference, sha256 = _parse_url(name, sha256), None
    elif os.path.isfile(name):
        what = f"{name} is a file of your own, and is used where it is: name it as the model, with -m or Local(…)"
        raise ModelNotSupportedError(what, provider="Local")
    else:
        message = _unknown(name)
        message += "" if "hf:" in message else "; or give a file on the hub as hf:owner/name"
        raise ModelNotSupportedError(message, provider="Local")
    if revision or sha256:
        raise ValueError(f"{'revision' if revision else 'sha256'}= is not for {name!r}, which says it itself")
    return reference


def _unknown(name: str) -> str:
    message = unknown_name("model", name, list(WEIGHTS), "it")
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(?::[\w.-]+)?", name) and preset_named(name.partition("/")[0]) is None:
        message += f"; if it is on Hugging Face's hub, write hf:{name}"
    return message


def _parse_url(name: str, sha256: str | None) -> UrlFile:
    url, _, fragment = name.partition("#")
    if not (file := UrlFile(url, "")).file_name.endswith(".gguf"):
        raise ValueError(f"{safe_url(url)} is not the address of a .gguf file; a server is OpenAICompatible(…)")
    given = sha256 or fragment.removeprefix("sha256=")
    if not _SHA256.fullmatch(given.lower()):
        raise ValueError(f"{safe_url(url)} needs the file's hash behind it: #sha256= and 64 hexadecimal digits")
    return replace(file, sha256=given.lower())


def _is_whole(file: str) -> bool:
    """Tell a model in one file from a part of one."""
    return file.endswith(".gguf") and not _PART.search(file)


def _is_model(file: str) -> bool:
    """Tell a model from what lets a model see images, which is taken only by its own name."""
    return _is_whole(file) and "mmproj" not in file.lower()


def _is_quantized(file: str, quantization: str) -> bool:
    return bool(re.search(rf"(?i)(?<![a-z0-9]){re.escape(quantization)}\.gguf$", file))
