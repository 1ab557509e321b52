"""``g4f-lite image``: have a picture made, and keep it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click

from ...answers.images import ImageResponse
from ...client.images import first_success, generate_images
from ...errors import G4FLiteError
from ...providers.fallback import Fallback
from ..failure import Failure, Misuse
from ..options import ProviderOptions, provider_options
from ..output import write, write_bytes
from ..prompt import read_prompt

STANDARD_OUTPUT = Path("-")


@click.command()
@click.argument("prompt", required=False)
@provider_options
@click.option("--model", "-m", metavar="NAME", help="The model that draws; the provider's own where none is named.")
@click.option("--size", metavar="WIDTHxHEIGHT", help="How large, where the service lets one choose.")
@click.option("--output", "-o", required=True, metavar="FILE", type=Path, help="Where to; - is standard output.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(
    prompt: str | None,
    provider_options: ProviderOptions,
    model: str | None,
    size: str | None,
    output: Path,
    force: bool,
) -> None:
    """Have a picture made, save it, and print where.

    PROMPT says what it shows. The suffix of FILE is set to what the picture is.
    """
    text = read_prompt(prompt)
    check_target(output, force=force)
    provider = provider_options.choose()
    options: dict[str, Any] = {} if size is None else {"size": size}
    limits: tuple[Any, Any] = (provider_options.proxy, provider_options.timeout)
    members = provider.providers if isinstance(provider, Fallback) else [provider]
    try:
        pictures = first_success(members, lambda member: generate_images(member, text, model, *limits, **options))
    except G4FLiteError:
        raise
    except (ValueError, TypeError) as error:  # of arguments, before anything was sent
        raise Misuse(str(error)) from error
    if output == STANDARD_OUTPUT:
        write_bytes(pictures[0].bytes())
        return
    for picture in pictures:
        for index in range(len(picture.urls)):
            write(f"{save(picture, index, output, force=force and picture is pictures[0] and index == 0)}\n")


def check_target(target: Path, *, force: bool) -> None:
    """Find out before a picture is paid for whether it can be saved.

    :raises click.ClickException: it cannot
    """
    if target == STANDARD_OUTPUT or target.is_dir():
        return
    if not target.parent.is_dir():
        raise Misuse(f"{target.parent} is no folder")
    if target.exists() and not force:
        raise Misuse(f"{target} is there already; name another file, or give --force")


def save(picture: ImageResponse, index: int, target: Path, *, force: bool) -> Path:
    """Save a picture; where its right name is taken, with a number behind it, because it may have cost something."""
    picture.bytes(index)  # fetched before an OSError can only be one of the file's
    place, taken = target, None
    for number in itertools.count(2):
        try:
            return picture.save(place, index=index, overwrite=force)
        except FileExistsError as error:
            taken = taken or Path(error.filename)
            place = taken.with_name(f"{taken.stem}-{number}{taken.suffix}")
        except OSError as error:
            raise Failure(f"cannot write {place}: {error.strerror}") from error
    raise AssertionError("numbers do not end")
