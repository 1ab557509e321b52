"""How many tokens a text or a prompt has: as exactly as can be told here, without asking a service."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from typing import Any, Literal

from ..arguments import check_name
from ..messages import Message, text_of, to_messages
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.regular_file import open_regular
from .text_limits import approximate_tokens

Method = Literal["engine", "tiktoken", "estimate"]

# What OpenAI's models add, by OpenAI's own account: to each message, to a name in it, and before the answer.
PER_MESSAGE, PER_NAME, BEFORE_ANSWER = 3, 1, 3

# tiktoken downloads these when they are not in its cache, or are not what they should be.  Their SHA-256:
_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
VOCABULARIES = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
_MOST_BYTES = 16 * 1024**2  # of such a file
_FILE_OF = {"o200k_harmony": "o200k_base"}
_encodings: dict[str, Any] = {}


class TokenCount(int):
    """A number of tokens, which says how it was counted.

    :ivar method: ``"engine"`` if the model itself counted; ``"tiktoken"`` for a model of OpenAI's, by its vocabulary;
        ``"estimate"`` otherwise
    """

    method: Method

    def __new__(cls, count: int, method: Method) -> TokenCount:
        made = super().__new__(cls, count)
        made.method = method
        return made

    @property
    def is_estimate(self) -> bool:
        """Whether it may be wrong by a sixth for English and code, and by more for other languages."""
        return self.method == "estimate"

    def __getnewargs__(self) -> tuple[int, Method]:  # type: ignore[override]  # as __new__ has it
        return int(self), self.method


def count_tokens(provider: BaseProvider, model: str | None, prompt: str | Sequence[Message]) -> TokenCount:
    """Count the tokens of a text, or of a prompt.

    :param model: the model; the provider's own if None
    :param prompt: a text, or messages
    :raises TypeError: if one of them is something else
    """
    if model is not None:
        check_name(model)
    member = provider.providers[0] if isinstance(provider, Fallback) else provider
    count = getattr(member, "count_tokens", None)
    if count is not None:
        return TokenCount(count(prompt, model=model), "engine")
    encoding = _encoding_of(model or member.get_model(None) or "")
    method: Method = "estimate" if encoding is None else "tiktoken"

    def count_text(text: str) -> int:
        return approximate_tokens(text) if encoding is None else len(encoding.encode(text, disallowed_special=()))

    if isinstance(prompt, str):
        return TokenCount(count_text(prompt), method)
    total = BEFORE_ANSWER
    for message in to_messages(prompt):
        content = message.get("content")
        if not isinstance(content, (str, type(None))) and any(part.get("type", "text") != "text" for part in content):
            method = "estimate"  # of images and the like nothing is known
        total += PER_MESSAGE + count_text(str(message["role"])) + count_text(text_of(content))
        if name := message.get("name"):
            total += PER_NAME + count_text(name)
    return TokenCount(total, method)


def _encoding_of(model: str) -> Any:
    """Return tiktoken's encoding for a model; None without tiktoken, for other models, and without its file here."""
    try:
        import tiktoken

        name = tiktoken.encoding_name_for_model(model.rpartition("/")[2])
    except (ImportError, KeyError):
        return None
    if name not in _encodings:
        if not _is_here(_FILE_OF.get(name, name)):
            return None
        _encodings[name] = tiktoken.get_encoding(name)
    return _encodings[name]


def _is_here(vocabulary: str) -> bool:
    """Return whether tiktoken finds the file of a vocabulary in its cache, so that it downloads nothing."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    if not folder or vocabulary not in VOCABULARIES:
        return False
    name = hashlib.sha1(_ADDRESS.format(vocabulary).encode(), usedforsecurity=False).hexdigest()
    try:
        if not _is_ours(os.stat(folder)):
            return False
        with open_regular(os.path.join(folder, name)) as file:
            if not _is_ours(os.fstat(file.fileno())):
                return False
            return hashlib.sha256(file.read(_MOST_BYTES)).hexdigest() == VOCABULARIES[vocabulary]
    except OSError:
        return False


def _is_ours(found: os.stat_result) -> bool:
    """Return whether a file is not another user's, who could change it: the folder is one that all may make."""
    return not hasattr(os, "geteuid") or found.st_uid in (os.geteuid(), 0)
