"""Errors of the command line, shown as one line on standard error."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any
from urllib.parse import urlsplit

import click

from ..arguments import service_of
from ..errors import (
    AllProvidersFailedError,
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderNotFoundError,
    TransportError,
    sanitize,
    without_double_marks,
)
from ..http.retry import may_pass
from ..http.urls import is_loopback, parse_origin
from ..messages import finite
from ..providers.openai.keys import OPENAI_ORIGIN
from ..providers.openai.presets import NO_MODEL, PRESETS
from ..providers.registry import is_provider_name
from .assignments import LISTED
from .wording import in_options

logger = logging.getLogger(__name__)

_NOWHERE = re.compile(r"could not connect to (\S+?):? ")
_UNKNOWN = re.compile(r"it has no model '([^']+)'; try .* or give the path of a \.gguf file")
_QUOTED = re.compile(r"""['"`](\w+):[^'"`\s]+['"`]""")  # as a server writes the name of a model that it refuses


class Failure(click.ClickException):
    """An error that the user can do something about.

    :param details: what stands below the message, each in a line of its own
    """

    exit_code = 1

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = details

    def show(self, file: IO[Any] | None = None) -> None:
        tell(f"Error: {one_line(self.message)}")
        for detail in self.details:
            tell(f"  {one_line(detail)}", indent="    ")


def tell(line: str, indent: str = "") -> None:
    """Write a line to standard error; a terminal gets it broken between words.

    :param indent: what is before all lines of a terminal but the first
    """
    if sys.stderr.isatty():
        size = (80, 24)
        with suppress(OSError, ValueError):  # standard output may be a pipe, and standard error no file
            size = os.get_terminal_size(sys.stderr.fileno())
        columns = shutil.get_terminal_size(size).columns or 80
        line = textwrap.fill(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    click.echo(line, err=True)


class Misuse(Failure):
    """An error in the command line itself; nothing was sent."""

    exit_code = 2


class Passing(Failure):
    """An error that may pass by itself, so that the same command may work later."""

    exit_code = 3


def failure_of(error: G4FLiteError) -> Failure:
    """Return an error of the library with its exit code."""
    return (Passing if may_pass(error) else Failure)(message_of(error))


def fields_of(error: G4FLiteError) -> dict[str, Any]:
    """Return an error of the library as plain JSON types."""
    names = ("provider", "step", "status", "request_id", "retry_after", "attempts", "elapsed", "partial")
    fields: dict[str, Any] = {"type": type(error).__name__, "message": one_line(message_of(error))}
    fields |= {name: finite(getattr(error, name, None)) for name in names}
    if isinstance(error, AllProvidersFailedError):
        fields["errors"] = [fields_of(each) for each in error.errors]
    return fields


def one_line(text: str) -> str:
    """Return a message as one line, with options instead of the names of Python arguments."""
    text, listed, names = text.partition(LISTED)  # the listed names are not options
    text = in_options(text) + listed + names
    lines = filter(None, map(str.strip, text.splitlines()))
    text = "; ".join(lines).replace(":; ", ": ")  # below a line that ends with a colon are its details
    return sanitize(without_double_marks(text))


@contextmanager
def checking_arguments() -> Iterator[None]:
    """Raise ValueError, TypeError and OSError in a ``with`` block as an error in the command line.

    The block only passes arguments on, and sends nothing.
    """
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, G4FLiteError) and not isinstance(error, ValueError):
            raise  # for instance a key that is missing in the environment
        logger.debug("invalid arguments", exc_info=True)
        raise Misuse(message_of(error)) from error


def message_of(error: Exception) -> str:
    """Return the message of an error, with what its user can do about it."""
    if _is_of_openai(error):
        return f"{error}; OPENAI_BASE_URL does not change this URL: pass that as --base-url"
    if isinstance(error, ModelNotSupportedError) and error.provider != "Local":
        return f"{error}{advice_on_model(error.message)}"
    if isinstance(error, ModelNotSupportedError) and (unknown := _UNKNOWN.search(error.message)):
        name = unknown[1]
        for first, sign, rest in (name.partition(":"), name.partition("/")):
            if sign and is_provider_name(first):
                return f"{error}; with its provider it is -p {first}:{rest}"
        if os.path.isfile(f"{name}.gguf"):
            return f"Local: there is no file {name}; did you mean {name}.gguf?"
        if "/" in name:  # the path of a file that is not there, or the hub's, which the message tells
            return str(error)
        if service := service_of(name):
            return f"{error}; of the service {service}, write -p {service}{'' if name.isalpha() else f' -m {name}'}"
        return f"{error}; if a server such as Ollama has it, name that too: -p ollama -m {name}"
    if isinstance(error, TransportError) and (refused := _NOWHERE.search(error.message)) and is_loopback(refused[1]):
        if error.provider == "Local":
            is_told = error.step != "bootstrap" or "HF_ENDPOINT" in error.message
            return str(error) if is_told else f"{error}; is the server running that the name of the model leads to?"
        same = "`g4f-lite doctor`, with the same --provider or --base-url, tests it"
        program = _program_at(refused[1])
        if error.provider == program:
            name = next(name for name, one in PRESETS.items() if one.title == program)
            same += f"; with -p {name},local, say, the embedded model answers where it does not run"
        asked = f"is {program} running?"
        return f"{error}; {same}" if "running?" in error.message else f"{error}; {asked} {same}"
    if isinstance(error, ProviderNotFoundError) and "URL" not in error.message:
        return f"{error}; `g4f-lite providers` lists them"
    if not isinstance(error, (G4FLiteError, ValueError, TypeError, OSError)):
        return f"{type(error).__name__}: {error}"  # from the code of a provider: the text of a KeyError is its key
    return str(error)


def advice_on_model(refusal: str) -> str:
    """Return what to add to a service's refusal of a model, such as where the others are listed."""
    told = _provider_in_model(refusal)
    if NO_MODEL in refusal or re.search(r"; (?:try|it has) (?!.* more)", refusal):
        return told  # which names them
    return f"{told}; `g4f-lite models`, with the same --provider or --base-url, lists them"


def _provider_in_model(refusal: str) -> str:
    """Return how the model of a refusal is written if the name of a provider is in it; "" otherwise."""
    named = next((found for found in _QUOTED.finditer(refusal) if is_provider_name(found[1])), None)
    return f"; for the provider {named[1]}, write -p {named[0][1:-1]}" if named else ""


def _is_of_openai(error: Exception) -> bool:
    """Return whether OpenAI failed, although its own client's variable names another server."""
    if (
        not isinstance(error, (AuthenticationError, ModelNotSupportedError, TransportError))
        or error.provider != "OpenAI"
    ):
        return False
    context = click.get_current_context(silent=True)
    given = context is not None and context.params.get("base_url")
    named = os.environ.get("OPENAI_BASE_URL")
    return not given and bool(named) and parse_origin(named) != OPENAI_ORIGIN


def _program_at(origin: str) -> str:
    """Return the name of the program that usually listens at an origin on this machine."""
    port = urlsplit(origin).port
    usual = (one.title for one in PRESETS.values() if port and urlsplit(one.base_url).port == port)
    return next(usual, "the server")
