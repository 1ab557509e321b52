"""``g4f-lite providers``: list the providers and what they need."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

import click

from ...errors import sanitize
from ...http.urls import is_loopback
from ...providers.base import BaseProvider, Provider
from ...providers.openai.presets import PRESETS
from ...providers.registry import find_class, provider_names
from ..output import write

YES, NO = "yes", "no"
IN_PROCESS = ("Local", "Scripted", "Echo")


@dataclass(frozen=True)
class Row:
    """A row of the table; the fields are its columns."""

    name: str
    working: str
    key: str
    local: str


@click.command()
def command() -> None:
    """List the providers and what they need.

    The columns: whether a provider works, the variable of its key, and whether it is local. No request is sent. A
    local provider runs on this machine, and no prompt leaves it.
    """
    rows = [Row(*(field.name.upper() for field in fields(Row))), *map(describe, provider_names())]
    widths = [max(len(getattr(row, field.name)) for row in rows) for field in fields(Row)]
    for row in rows:
        cells = (getattr(row, field.name).ljust(width) for field, width in zip(fields(Row), widths, strict=True))
        write("  ".join(cells).rstrip() + "\n")


def describe(name: str) -> Row:
    """Describe a provider without a request to it."""
    if name in PRESETS:
        preset = PRESETS[name]
        here = is_loopback(preset.base_url)
        return Row(name, YES, _key(preset.key_variable, required=not here), YES if here else NO)
    try:
        provider = find_class(name)
    except Exception as error:  # noqa: BLE001  another package's module may raise anything
        return Row(name, sanitize(f"{NO} ({type(error).__name__}: {error})".replace("\n", " ")), "?", "?")
    key = "G4F_LITE_API_KEY, if G4F_LITE_BASE_URL needs one" if name == "OpenAICompatible" else _key(None)
    return Row(name, YES if provider.working else NO, key, _local(name, provider))


def _local(name: str, provider: type[BaseProvider]) -> str:
    if name in IN_PROCESS:
        return YES
    if not issubclass(provider, Provider):
        return "?"
    if not provider.url:
        return "depends on --base-url"
    return YES if is_loopback(provider.url) else NO


def _key(variable: str | None, *, required: bool = True) -> str:
    if variable is None:
        return "none"
    condition = "" if required else ", if it requires one"
    return f"{variable}{condition} ({'set' if os.environ.get(variable) else 'not set'})"
