"""The commands as one program, and how it ends."""

from __future__ import annotations

import signal
from importlib import import_module

import click

from ..errors import G4FLiteError
from .failure import Failure, words_of
from .output import prepare

# Each is a module in `commands`, imported when it is asked for.
COMMANDS = ("chat", "image", "providers", "models", "doctor", "local", "emulate", "demo")

INTERRUPTED = 128 + signal.SIGINT


class Commands(click.Group):
    """Commands that cost nothing until they are used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f".commands.{name}", __package__).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="g4f-lite", message="%(prog)s %(version)s")
def app() -> None:
    """Chat with a model: on this machine, on a server of yours, or of a service."""


def run() -> int:
    """Run the command that the arguments name, and give the exit code.

    A mistake in the program itself is raised as it is.
    """
    try:
        prepare()
        status = app.main(prog_name="g4f-lite", standalone_mode=False, windows_expand_args=False)
    except (click.Abort, KeyboardInterrupt):  # click has written a newline
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends at once, without a word
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except G4FLiteError as error:
        Failure(words_of(error)).show()
        return Failure.exit_code
    return status or 0
