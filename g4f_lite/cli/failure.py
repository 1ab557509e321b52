"""What went wrong, in one line on standard error."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ..errors import G4FLiteError, ModelNotSupportedError
from .assignments import LISTED
from .characters import harmless

logger = logging.getLogger(__name__)

# How the library calls a setting in Python, and what it is called here.
_OPTIONS = {"api_key": "--api-key-file", "base_url": "--base-url", "images": "--image"}
_SETTING = re.compile(r"\b(?:(api_key|base_url)\b=?|(images|provider|proxy|timeout|model)=(?!\w))")


class Failure(click.ClickException):
    """Something that went wrong, and that the user can do something about."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {one_line(self.message)}", file=file, err=file is None)


class Misuse(Failure):
    """A command line that asks for what cannot be done; nothing was sent."""

    exit_code = 2


def one_line(text: str) -> str:
    """Give a message as one line, in the words of the command line."""
    text, listed, names = text.partition(LISTED)  # these names are no options of the command line
    text = _SETTING.sub(lambda found: _OPTIONS.get(found[1] or found[2], f"--{found[2]}"), text) + listed + names
    text = re.sub(r":\s*\n\s*", ": ", text.strip())
    return harmless(re.sub(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*", "; ", text))


@contextmanager
def checking_arguments() -> Iterator[None]:
    """Take a ValueError, TypeError or OSError in the body for an argument that the user got wrong.

    The body only hands arguments over: nothing is sent in it.
    """
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, G4FLiteError) and not isinstance(error, ValueError):
            raise  # such as a key that is missing in the environment
        logger.debug("wrong arguments", exc_info=True)
        raise Misuse(words_of(error)) from error


def words_of(error: Exception) -> str:
    """Give an error's words, and, about an unknown model, a command that tells the known ones."""
    if isinstance(error, ModelNotSupportedError) and error.provider != "Local":
        return f"{error}; `g4f-lite models`, with the same --provider or --base-url, lists what there is"
    return str(error)
