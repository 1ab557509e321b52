"""What a shell completes besides commands and options: names of providers and models, without a request."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ..errors import G4FLiteError
from ..providers.openai.presets import PRESETS
from ..providers.registry import find_class, suggested_names

FILE = click.Path(path_type=Path, readable=False)  # which shells complete; whether it can be read is told later


def complete_provider(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """List the names of providers that still answer and begin with a text."""
    return [CompletionItem(name) for name in suggested_names() if name.lower().startswith(begun.lower())]


def complete_file(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Let the shell list the files that begin with a text."""
    return [CompletionItem(begun, type="file")]


def complete_model(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """List the models that begin with a text, of the provider that is named before; files where it is Local."""
    given = context.params
    words = (*(given["providers"] or ()), *context.args) if "providers" in given else ()  # click leaves them in args
    named, server = ",".join((*words, *given["names"])), given["base_url"]
    if not named and not server:
        named, server = os.environ.get("G4F_LITE_PROVIDER", ""), os.environ.get("G4F_LITE_BASE_URL")
    if not named and server:
        return []
    provider = (named or "Local").split(",")[0].partition(":")[0].strip()
    found = [CompletionItem(name) for name in _models(provider) if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")] if provider.lower() == "local" else found


def complete_weights(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """List the models that the embedded engine knows and whose names begin with a text."""
    return [CompletionItem(name) for name in _models("local") if name.startswith(begun)]


def _models(provider: str) -> list[str]:
    if provider.lower() in PRESETS:
        return list(filter(None, [PRESETS[provider.lower()].default_model]))
    if provider.lower() == "local":
        from ..providers.local import weights

        return [model.name for model in weights.known()]
    try:
        kind = find_class(provider)
    except G4FLiteError:
        return []
    return list(dict.fromkeys(filter(None, [*kind.models, getattr(kind, "default_model", "")])))
