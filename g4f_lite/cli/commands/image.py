"""``g4f-lite image``: generate an image and save it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import click

from ...answers.images import ImageResponse
from ...client.images import first_success, generate_images
from ...errors import G4FLiteError
from ..completion import FILE
from ..failure import Failure, Misuse
from ..files import is_folder, is_there
from ..notes import quiet_option
from ..options import ProviderOptions, provider_options
from ..output import require_output, write, write_bytes
from ..prompt import check_dashes, no_stdin_option, prompt_argument, read_prompt

STANDARD_OUTPUT = Path("-")


@click.command(epilog="`g4f-lite --help` lists the environment variables and the exit codes.")
@prompt_argument
@provider_options
@click.option("--model", "-m", metavar="NAME", help="The image model; the provider's own by default.")
@click.option("--size", metavar="WIDTHxHEIGHT", help="The size, if the service supports it.")
@click.option(
    "--output", "-o", required=True, metavar="FILE", type=FILE, help="The file for the image, or - for standard output."
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@no_stdin_option
@quiet_option
def command(
    prompt: tuple[str, ...],
    provider_options: ProviderOptions,
    model: str | None,
    size: str | None,
    output: Path,
    force: bool,
    no_stdin: bool,
) -> None:
    """Generate an image, save it, and print the path.

    PROMPT describes the image. The suffix of FILE is corrected to the type of the image.
    """
    check_dashes(prompt, no_stdin=no_stdin)
    text = read_prompt(prompt, no_stdin=no_stdin)
    check_target(output, force=force)
    provider = provider_options.choose()
    options: dict[str, Any] = {} if size is None else {"size": size}
    proxy, timeout = provider_options.proxy, provider_options.timeout
    try:
        images = first_success(
            provider, timeout, lambda one, limits: generate_images(one, text, model, proxy, limits, **options)
        )
    except G4FLiteError:
        raise
    except (ValueError, TypeError) as error:  # in the arguments, before anything was sent
        raise Misuse(str(error)) from error
    if output == STANDARD_OUTPUT:
        write_bytes(images[0].bytes())
        return
    for image in images:
        for index in range(len(image.urls)):
            write(f"{save(image, index, output, force=force and image is images[0] and index == 0)}\n")


def check_target(target: Path, *, force: bool) -> None:
    """Check that an image can be saved, before it is generated and may cost something.

    :raises click.ClickException: if it cannot
    """
    if target == STANDARD_OUTPUT:
        require_output()
        return
    folder = target if is_folder(target) else target.parent
    if not is_folder(folder):
        raise Misuse(f"{folder} is not a directory")
    if not os.access(folder, os.W_OK):
        raise Misuse(f"cannot write to the directory {folder}: Permission denied")
    if folder is not target and is_there(target) and not force:
        raise Misuse(f"{target} already exists; name another file, or pass --force")


def save(image: ImageResponse, index: int, target: Path, *, force: bool) -> Path:
    """Save an image; if the file exists, add a number to its name, because the image may have cost something."""
    image.bytes(index)  # fetch it first, so that an OSError below is one of the file
    path, taken = target, None
    for number in itertools.count(2):
        try:
            return image.save(path, index=index, overwrite=force)
        except FileExistsError as error:
            taken = taken or Path(error.filename)
            path = taken.with_name(f"{taken.stem}-{number}{taken.suffix}")
        except OSError as error:
            raise Failure(f"cannot write {path}: {error.strerror}") from error
    raise AssertionError("numbers do not end")
