"""``g4f-lite cache``: what the cache of answers holds, and removing it."""

from __future__ import annotations

from pathlib import Path

import click

from ...store.cache import Cache
from ..failure import Failure


@click.group()
def command() -> None:
    """Show or clear the cache of answers, which Client(cache=True) fills."""


@command.command()
@click.option("--path", metavar="FILE", type=Path, help="Another cache than the default one.")
def info(path: Path | None) -> None:
    """Show where the cache is, and how much is in it."""
    with _existing(path) as cache:
        found = cache.info()
    click.echo(f"{found.path}: {found.answers:,} answers, {found.bytes:,} bytes")


@command.command()
@click.option("--path", metavar="FILE", type=Path, help="Another cache than the default one.")
def clear(path: Path | None) -> None:
    """Remove all answers from the cache."""
    with _existing(path) as cache:
        removed = cache.clear()
    click.echo(f"{removed:,} answers removed")


def _existing(path: Path | None) -> Cache:
    """Return a cache whose file exists.

    :raises click.ClickException: if it does not
    """
    cache = Cache(path)
    if not cache.path.exists():
        raise Failure(f"there is no cache at {cache.path}")
    return cache
