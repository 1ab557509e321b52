"""``g4f-lite providers``: list the providers and what they need."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

import click

from ...errors import G4FLiteError
from ...http.urls import is_loopback
from ...providers.base import BaseProvider, Provider
from ...providers.openai.presets import PRESETS
from ...providers.registry import find_class, hidden_entry_points, provider_names
from ..failure import one_line
from ..notes import note
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

    The columns say whether a provider works, which environment variable has its key, and whether it is local, so that
    no prompt leaves this machine. No request is sent.
    """
    listed = sorted(
        map(describe, provider_names()), key=lambda row: row.working != YES
    )  # what is of no use stands last
    rows = [Row(*(field.name.upper() for field in fields(Row))), *listed]
    widths = [max(len(getattr(row, field.name)) for row in rows) for field in fields(Row)]
    for row in rows:
        cells = (getattr(row, field.name).ljust(width) for field, width in zip(fields(Row), widths, strict=True))
        write("  ".join(cells).rstrip() + "\n")
    for name in provider_names():
        if error := _error_of(name):
            note(f"{name} does not work: {one_line(error)}")
    for name, value in hidden_entry_points().items():
        unused = f"the provider {name!r} of another package ({value}) is not used, because there is a built-in one"
        note(f"{unused}; its entry point needs another name")


def describe(name: str) -> Row:
    """Describe a provider without a request to it."""
    if name in PRESETS:
        preset = PRESETS[name]
        if _error_of(name):
            return Row(name, f"{NO}, see below", "?", "?")
        here = is_loopback(preset.address())
        return Row(name, YES, _key(preset.key_variable, required=not here), YES if here else NO)
    if _error_of(name):
        return Row(name, f"{NO}, see below", "?", "?")
    provider = find_class(name)
    declared = [_key(secret.variable) for secret in provider.declared_secrets.values()]
    key = "G4F_LITE_API_KEY, if G4F_LITE_BASE_URL needs one" if name == "OpenAICompatible" else ", ".join(declared)
    return Row(name, YES if provider.working else NO, key or _key(None), _local(name, provider))


def _error_of(name: str) -> str:
    """Return why there is no class of a name, or no address of a preset; "" if there is one."""
    try:
        if name in PRESETS:
            PRESETS[name].address()
        else:
            find_class(name)
    except G4FLiteError as error:
        return error.message
    except ValueError as error:
        return str(error)
    return ""


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
