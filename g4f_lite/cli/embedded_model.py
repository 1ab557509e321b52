"""The embedded model that is in effect: which one, where its file is, and how large its context and its memory are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import G4FLiteError
from ..providers.local import weights
from ..providers.local.catalogue import DEFAULT
from ..providers.local.references import is_reference, name_of
from ..providers.local.runner import CONTEXT, context_setting
from ..providers.registry import name_and_model
from ..providers.selection import is_of_server


@dataclass(frozen=True)
class EmbeddedModel:
    """The model that ``Local`` runs here.

    :ivar file: the path of its file, or why there is none
    :ivar source: what names it, or ``"found"``
    :ivar context: the tokens of its context; None where the file does not say how many it can have
    :ivar capped: whether that is less than was asked for
    :ivar most: the tokens that the model can have at most; None where the file does not say it
    :ivar memory: the bytes that its engine takes, about; None where that is not known
    """

    file: str
    source: str
    context: int | None = None
    capped: bool = False
    most: int | None = None
    memory: int | None = None


def embedded_model(given: Mapping[str, str | None], default: str) -> EmbeddedModel:
    """Return the embedded model that the settings choose, or the one that comes by itself if they choose no other.

    :param given: the settings from the command line, by name
    :param default: the source of what nobody has named
    """
    name, source = named_model(given)
    try:
        path = weights.find(name) if is_reference(name) else Path(name_of(name, DEFAULT))
        if path is None:
            pull = "g4f-lite local pull" if name == DEFAULT else f"g4f-lite local pull {name}"
            return EmbeddedModel(f"not downloaded; run `{pull}`", source or default)
    except G4FLiteError as error:  # the other providers work without it
        return EmbeddedModel(error.message, source or default)
    try:
        context = given.get("context")
        asked = context_setting(None if context is None else int(context)) or CONTEXT
        file = weights.measured(path)
    except (G4FLiteError, ValueError):  # which the examination tells
        return EmbeddedModel(str(path), source or "found")
    most = file.context or asked
    return EmbeddedModel(str(path), source or "found", min(asked, most), asked > most, file.context, file.memory(asked))


def named_model(given: Mapping[str, str | None]) -> tuple[str, str]:
    """Return the model's name, and where it was named; the source is "" for the one that comes by itself."""
    providers, source, variable = given.get("provider"), "command line", None
    if providers is None and given.get("base_url") is None:  # the environment chooses
        address = os.environ.get("G4F_LITE_BASE_URL")
        providers = os.environ.get("G4F_LITE_PROVIDER") or ("OpenAICompatible" if address else "Local")
        source, variable = "G4F_LITE_PROVIDER", os.environ.get("G4F_LITE_MODEL")
    members = [name_and_model(part) for part in (providers or "").split(",")]
    own = next((model for kind, model in members if kind.lower() == "local"), None)
    if own is None:
        return DEFAULT, ""
    if model := given.get("model"):
        return model, "command line"
    if own:
        return own, source
    if variable and not (len(members) > 1 and is_of_server(variable)):
        return variable, "G4F_LITE_MODEL"
    return DEFAULT, ""
