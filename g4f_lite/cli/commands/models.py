"""``g4f-lite models``: list the models of a provider."""

from __future__ import annotations

from typing import Any

import click

from ..failure import tell
from ..options import ProviderOptions, provider_options
from ..output import write


@click.command()
@provider_options
def command(provider_options: ProviderOptions) -> None:
    """List the models of a provider, one per line."""
    settings: dict[str, Any] = {"timeout": provider_options.timeout, "proxy": provider_options.proxy}
    provider = provider_options.choose(**{name: value for name, value in settings.items() if value is not None})
    names = provider.get_models()
    if not names:
        tell(f"{provider.name} does not list its models; any name can be tried.")
    write("".join(f"{name}\n" for name in names))
