"""``g4f-lite cache``: what the cache of answers holds, and removing it."""

from __future__ import annotations

from pathlib import Path

import click

from ...store.cache import Cache
from ..completion import FILE
from ..failure import Failure
from ..files import is_there


@click.group()
def command() -> None:
    """Show or clear the cache of answers.

    A program fills it with Client(cache=True).
    """


@command.command()
@click.option("--path", metavar="FILE", type=FILE, help="The file of the cache, if it is not the default one.")
def info(path: Path | None) -> None:
    """Show where the cache is, and how much is in it."""
    cache = Cache(path)
    answers = size = 0
    if _exists(cache, path):
        with cache:
            _, answers, size = cache.info()
    click.echo(f"{cache.path}: {answers:,} stored, {size:,} bytes")


@command.command()
@click.option("--path", metavar="FILE", type=FILE, help="The file of the cache, if it is not the default one.")
def clear(path: Path | None) -> None:
    """Remove all answers from the cache."""
    cache = Cache(path)
    removed = 0
    if _exists(cache, path):
        with cache:
            removed = cache.clear()
    click.echo(f"{removed:,} removed")


def _exists(cache: Cache, path: Path | None) -> bool:
    """Return whether a cache has a file, which is not made here.

    :raises click.ClickException: if the user named one that does not exist
    """
    if path is not None and not is_there(path):
        raise Failure(f"there is no cache at {cache.path}")
    return is_there(cache.path)
