"""Settings for other programs, or in a file, which somebody may take for settings of this one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

import click

from ..arguments import safe_url
from ..http.urls import parse_origin
from ..providers.openai.keys import OPENAI_ORIGIN
from ..providers.openai.presets import PRESETS
from ..providers.registry import name_and_model
from ..providers.selection import ANY_SERVER, names_any_server
from .notes import note

_CHOOSING = ("G4F_LITE_PROVIDER", "G4F_LITE_BASE_URL", "G4F_LITE_MODEL")
_MOST = 65536  # characters that are read of a file
_SETTING = re.compile(r"^[ \t]*(?:export[ \t]+)?(G4F_LITE_[A-Z_]+)[ \t]*=", re.MULTILINE)


def note_unread_settings() -> None:
    """Note what chooses no provider, though it looks so, where no option names one."""
    named = os.environ.get("G4F_LITE_PROVIDER")
    address = os.environ.get("G4F_LITE_BASE_URL")
    if named and address and address not in named and not names_any_server(named):
        note(f"G4F_LITE_BASE_URL is not used, as G4F_LITE_PROVIDER is {named}; {ANY_SERVER} there is its server")
    model = os.environ.get("G4F_LITE_MODEL")
    if named and model and all(own not in ("", model) for own in _models_in([named])):
        note(f"G4F_LITE_MODEL is not used, as G4F_LITE_PROVIDER is {named}")
    if uses := uses_of_keys():
        note(f"no provider is named, and the embedded model answers; {', '.join(uses)}")
    if names := unread_in_file():
        note(f"the file .env is not read; set {', '.join(names)} in the environment")


def uses_of_keys() -> list[str]:
    """Say which option uses what other programs read: the URL of a server, or else the key of each preset.

    There is nothing to say if a variable chooses the provider.
    """
    if any(os.environ.get(name) for name in _CHOOSING):
        return []
    if address := os.environ.get("OPENAI_BASE_URL"):
        named = "openai" if parse_origin(address) == OPENAI_ORIGIN else safe_url(address)
        return [f"-p {named} uses OPENAI_BASE_URL"]
    keys = {name: preset.key_variable for name, preset in PRESETS.items() if preset.key_variable}
    return [f"-p {name} uses {variable}" for name, variable in keys.items() if os.environ.get(variable)]


def note_unread_model(names: tuple[str, ...]) -> None:
    """Note that ``--model`` names another model than the names of the providers do.

    :param names: those of ``--provider``
    """
    context = click.get_current_context(silent=True)
    if context is None or context.params.get("names") != names:  # which is named in a chat, later
        return
    model = context.params.get("model")
    if model and (unread := [own for own in _models_in(names) if own not in ("", model)]):
        note(f"the model {unread[0]} of --provider is not used, as --model is {model}")


def _models_in(names: Sequence[str]) -> list[str]:
    """Return of each name of a provider the model in it; "" if there is none."""
    given = [name.strip() for each in names for name in each.split(",") if name.strip()]
    return [name_and_model(name)[1] for name in given]


def unread_in_file() -> list[str]:
    """List the settings in a file ``.env`` in the current folder that are not in the environment as well."""
    text = ""
    with suppress(OSError):
        if os.path.isfile(".env"):
            with open(".env", encoding="utf-8-sig", errors="replace") as file:
                text = file.read(_MOST)
    return [name for name in dict.fromkeys(_SETTING.findall(text)) if name not in os.environ]
