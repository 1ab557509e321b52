"""The command group and its exit codes."""

from __future__ import annotations

import re
import signal
import sys
from importlib import import_module
from shlex import quote
from textwrap import shorten

import click

from ..errors import G4FLiteError
from .failure import failure_of
from .keyboard import silent_keyboard
from .output import prepare

# Each is a module in `commands`, imported when it is used.
COMMANDS = (
    "chat", "batch", "image", "providers", "models", "doctor", "local", "emulate", "serve", "demo", "cache"
)  # fmt: skip
# What others call them.
OTHER_NAMES = {
    "ask": "chat",
    "run": "chat",
    "help": "--help",
    "pull": "local pull",
    "list": "local list",
    "rm": "local rm",
}
# What others call their options, and the one that is meant where the command has it.
OTHER_OPTIONS = {
    **dict.fromkeys(("--concurrency", "--max-concurrency", "--max-workers", "--parallel", "--jobs", "-j"), "--workers"),
    **dict.fromkeys(("--dry-run", "--cost"), "--estimate"),
    **dict.fromkeys(("--api-key", "--key"), "--api-key-file"),
    **dict.fromkeys(("--url", "--endpoint", "--api-base"), "--base-url"),
    "--temp": "--temperature",
    **dict.fromkeys(("--limit", "-n"), "--head"),
    **dict.fromkeys(("--sep", "--separator"), "--delimiter"),
    **dict.fromkeys(("--bind", "--listen"), "--host"),
}
OF_ARGUMENTS = {"batch": "--output", "models": "--provider"}  # what an argument too many of a command may be meant for
COMPLETION = 'eval "$(_G4F_LITE_COMPLETE=bash_source g4f-lite)"'
COMPLETION_NAMES = ("completion", "completions", "complete", "autocomplete")  # commands of others
# The character after which click leaves the lines of a paragraph as they are stands before each.
EPILOGUE = f"""\
\b
Environment variables:
  G4F_LITE_PROVIDER  The provider, such as ollama or groq:llama-3.3-70b.
  G4F_LITE_MODEL     The model, if that names none.
  G4F_LITE_BASE_URL  The URL of a server, and G4F_LITE_API_KEY its key.
  GROQ_API_KEY etc.  The key of a service; `g4f-lite providers` lists them.
  G4F_LITE_TIMEOUT   Seconds for a whole call.
  G4F_LITE_PROXY     The URL of a proxy.

\b
Exit codes:
  0    Success.
  1    An error; one line on standard error says what.
  2    The command line is invalid; nothing was sent.
  3    An error that may pass by itself, such as a rate limit or a timeout.
  130  Ctrl-C.
  141  The reader of standard output has gone away.
  143  SIGTERM.

\b
Completion of commands and options, in ~/.bashrc; for zsh, write zsh_source:
  {COMPLETION}

\b
The documentation is in the folder docs of the package's source;
docs/command-line.md is about this command, docs/settings.md about variables.
"""


class Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        with silent_keyboard():
            command: click.Command = import_module(f".commands.{name}", __package__).command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if (name := arguments[0]) not in COMMANDS and not context.resilient_parsing:
            import difflib

            if near := [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name, COMMANDS, n=1):
                context.fail(f"there is no command {name!r}; did you mean {near[0]}?")
            if name in COMPLETION_NAMES:
                context.fail(f"there is no command {name!r}; for completion in bash, add to ~/.bashrc: {COMPLETION}")
            context.fail(f"{name!r} is not a command; a prompt comes after one: g4f-lite chat {name!r}")
        return super().resolve_command(context, arguments)


@click.group(cls=Commands, epilog=EPILOGUE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="g4f-lite", message="%(prog)s %(version)s")
def app() -> None:
    """Chat with a model on this machine, on your own server, or from a service."""


def run() -> int:
    """Run the command that the arguments name, and return the exit code.

    An error of the program itself is not caught.

    :raises KeyboardInterrupt: after Ctrl-C
    """
    try:
        prepare()
        status = app.main(prog_name="g4f-lite", standalone_mode=False, windows_expand_args=False)
    except (click.Abort, KeyboardInterrupt) as error:  # click has written a newline
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the process at once, without a traceback
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        _suggested(error).show()
        return error.exit_code
    except G4FLiteError as error:
        failure = failure_of(error)
        failure.show()
        return failure.exit_code
    return status or 0


def _suggested(error: click.ClickException) -> click.ClickException:
    """Return an error, or one that says what may be meant by an option or argument that the command does not have."""
    if isinstance(error, click.UsageError) and error.ctx is not None and "unexpected extra arg" in error.message:
        meant = OF_ARGUMENTS.get(error.ctx.info_name or "")
        return click.UsageError(f"{error.message}; did you mean {meant}?", error.ctx) if meant else error
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        meant = OTHER_OPTIONS.get(error.option_name, "")
        if any(meant in parameter.opts for parameter in error.ctx.command.params):
            return click.UsageError(f"there is no option {error.option_name}; did you mean {meant}?", error.ctx)
        if error.option_name == "--resume" and error.ctx.info_name == "batch":
            return click.UsageError("a batch goes on where it was by itself: leave out --resume", error.ctx)
        dashed = next((argument for argument in sys.argv[1:] if re.match(r"-[^=]*\s", argument)), None)
        if dashed and any(parameter.name == "prompt" for parameter in error.ctx.command.params):
            words = shorten(dashed, 40, placeholder=" …")
            return click.UsageError(
                f"a prompt that begins with a dash comes after --, as in -- {quote(words)}", error.ctx
            )
        chat = error.ctx.command.get_command(error.ctx, "chat") if isinstance(error.ctx.command, Commands) else None
        if chat is not None and any(error.option_name in parameter.opts for parameter in chat.params):
            hint = f"the option {error.option_name} comes after a command: g4f-lite chat {error.option_name} …"
            return click.UsageError(hint, error.ctx)
    return error
