"""What went wrong, in one line on standard error."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from .characters import harmless

logger = logging.getLogger(__name__)

# How the library calls a setting in Python, and what it is called here.
_OPTIONS = {"api_key": "--api-key-file", "base_url": "--base-url", "provider": "--provider"}
_REFUSED = re.compile(r"\.__init__\(\) got (?:an unexpected keyword|multiple values for) argument '(\w+)'")
_MISSING = re.compile(r"\.__init__\(\) missing .* arguments?: '(\w+)'")


class Failure(click.ClickException):
    """Something that the user can do something about."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {one_line(self.message)}", file=file, err=file is None)


def one_line(text: str) -> str:
    """Give a message as one line, in the words of the command line."""
    text = re.sub(r"\b(?:provider=|(?:api_key|base_url)\b=?)", lambda found: _OPTIONS[found[0].rstrip("=")], text)
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
        logger.debug("wrong arguments", exc_info=True)
        raise Failure(str(error)) from error


def option_missing_or_refused(error: TypeError, provider: str) -> str | None:
    """Say in the words of the command line that a provider's class has not such a parameter, or needs it."""
    if refused := _REFUSED.search(str(error)):
        return f"{provider} has no use for {_option(refused[1])}"
    if missing := _MISSING.search(str(error)):
        return f"{provider} needs {_option(missing[1])}"
    return None


def _option(name: str) -> str:
    return _OPTIONS.get(name, "--" + name.replace("_", "-"))
