"""``g4f-lite models``: list the models of a provider."""

from __future__ import annotations

from typing import Any

import click

from ...errors import G4FLiteError
from ...providers.chain import all_failed
from ...providers.hooks import models_of
from ...providers.openai.listing import ListingProvider
from ..failure import tell
from ..options import ProviderOptions, named_members, note_unlisted, provider_options
from ..output import write, write_json


@click.command()
@provider_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(provider_options: ProviderOptions, as_json: bool) -> None:
    """List the models of a provider, one per line.

    If several providers are named, the models of all that answer are listed.
    """
    settings: dict[str, Any] = {"timeout": provider_options.timeout, "proxy": provider_options.proxy}
    provider = provider_options.choose(**{name: value for name, value in settings.items() if value is not None})
    rows: list[dict[str, str]] = []
    members = named_members(provider)
    errors: list[G4FLiteError] = []
    for name, one in members:
        try:
            names = models_of(one)
        except G4FLiteError as error:
            if len(members) == 1:
                raise
            if error.provider in (None, one.name):
                error.provider = name
            errors.append(error)
            continue
        if not names:
            listed = "lists no models: it has none, or takes any name"
            tell(f"{name} {one.without_models() if isinstance(one, ListingProvider) else listed}.")
        rows += [{"provider": name, "model": model} for model in names]
    if len(errors) == len(members):
        raise all_failed("no provider listed its models", errors, "bootstrap") from errors[-1]
    note_unlisted(errors)
    if as_json:
        write_json({"models": rows})
    else:
        write("".join(f"{name}\n" for name in dict.fromkeys(row["model"] for row in rows)))
