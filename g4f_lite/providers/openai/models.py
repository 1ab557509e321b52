"""Lists of models, in the forms that servers send."""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import ResponseFormatError
from ...http.checks import shorten
from .errors import failure_in
from .fields import text_in

# What names of models that make no text say: for embeddings, and for rankings, images and videos, speech, moderation.
_EMBEDDINGS = r"embed|minilm|paraphrase-multilingual|(?<![a-z0-9])(?:bge|e5|gte)(?![a-z])"
_OTHER_THAN_CHATS = re.compile(
    _EMBEDDINGS + r"|rerank|dall-e|diffusion|sdxl|whisper|transcribe|moderation"
    r"|(?<![a-z0-9])(clip|image|imagen|flux|sora|veo|tts)(?![a-z])"
)


def read_models(listed: Any) -> list[str]:
    """Read a list of models: OpenAI's, one without anything around it, or that of Ollama's ``/api/tags``.

    Entries without a name are left out.

    :raises G4FLiteError: if it is an error, or not a list of models
    """
    rows = listed
    if isinstance(listed, dict):
        if (failure := failure_in(listed, whole=True)) is not None:
            raise failure
        rows = next((listed[name] for name in ("data", "models", "result") if listed.get(name) is not None), None)
        if rows is None and listed.keys() & {"data", "models"}:
            return []  # as Ollama says that it has none
    names = [_name_of(row) for row in rows] if isinstance(rows, list) else []
    if not isinstance(rows, list) or (rows and not any(names)):
        raise ResponseFormatError(f"expected a list of models, got {shorten(json.dumps(listed), 200)}")
    return list(dict.fromkeys(name for name in names if name))


def model_for_chats(names: list[str]) -> str:
    """Return the first of a server's models that is not for something other than chats, by its name.

    A server lists models for embeddings, images and speech among the others, often as the first ones.

    :param names: the names of its models
    :returns: the first name of all if none is left, and "" if there is none
    """
    return next(filter(is_for_chats, names), names[0] if names else "")


def is_for_chats(name: str) -> bool:
    """Return whether a model is not for something other than chats, by its name."""
    return not _OTHER_THAN_CHATS.search(name.lower())


def is_for_embeddings(name: str) -> bool:
    """Return whether a model is one for embeddings, by its name."""
    return bool(re.search(_EMBEDDINGS, name.lower())) and "rerank" not in name.lower()


def _name_of(row: Any) -> str:
    return row if isinstance(row, str) else text_in(row, "id", "name", "model")
