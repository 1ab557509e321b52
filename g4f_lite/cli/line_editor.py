"""Reading the user's messages in a terminal, with a history and completion where readline is installed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import history

PROMPT = "> "
QUIT_HINT = "Press Ctrl-C again, or Ctrl-D, to quit."


class LineEditor:
    """Reads messages; pasted lines are one message.

    :param commands: what the Tab key completes at the beginning of a message
    :param arguments: for those that have an argument, what lists those that begin with a text
    """

    def __init__(self, commands: Sequence[str], arguments: Mapping[str, Callable[[str], list[str]]]) -> None:
        self._commands = [f"{command} " if command in arguments else command for command in commands]
        self._arguments = arguments
        self._found: list[str] = []
        self._file = _history_file()
        self._last = ""
        self._readline: Any = None
        try:
            import readline
        except ImportError:  # Windows, which edits lines itself
            return
        self._readline = readline
        readline.set_completer_delims("")
        readline.set_completer(self._complete)
        if "libedit" in (readline.__doc__ or ""):
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            readline.parse_and_bind(r'"\e\C-m": "\C-v\C-j"')  # Alt-Enter, as if the newline were quoted
            if os.environ.get("TERM") not in ("dumb", "unknown"):
                readline.parse_and_bind("set enable-bracketed-paste on")  # which Python switches off
        readline.set_auto_history(False)
        readline.clear_history()
        with contextlib.suppress(OSError):
            for message in history.load(self._file):
                self._recall(message)

    def read(self) -> str:
        """Return the next message.  Ctrl-C clears the line.

        :raises EOFError: if the user presses Ctrl-D
        :raises KeyboardInterrupt: if the user presses Ctrl-C twice on an empty line
        """
        warned = False
        while True:
            try:
                message = input(PROMPT).strip()
                self.add(message)
                return message
            except KeyboardInterrupt:
                has_text = self._has_text()
                if warned and not has_text:
                    raise
                warned = not has_text
                sys.stdout.write("\n" if has_text else f"\n{QUIT_HINT}\n")

    def add(self, message: str) -> None:
        """Add a message to the history and to its file at once: the terminal may be closed during the answer."""
        if self._readline is None or not message or message == self._last:
            return
        self._recall(message)
        with contextlib.suppress(OSError):  # for instance a directory that is not writable
            history.append(self._file, message)

    def _recall(self, message: str) -> None:
        """Let the Up key recall a message."""
        self._last = message
        with contextlib.suppress(ValueError):  # not in the encoding of the locale, or with a NUL
            self._readline.add_history(message)

    def _has_text(self) -> bool:
        """Return whether something was typed before Ctrl-C."""
        return self._readline is not None and bool(self._readline.get_line_buffer())

    def _complete(self, text: str, number: int) -> str | None:
        if not number:
            command, blank, begun = text.partition(" ")
            if not blank:
                self._found = [name for name in self._commands if text.startswith("/") and name.startswith(text)]
            elif list_arguments := self._arguments.get(command):
                # What a service or another user has named may be something that a terminal obeys.
                found = filter(str.isprintable, list_arguments(begun))
                self._found = [f"{command} {argument}" for argument in found]
            else:
                self._found = []
        return self._found[number] if number < len(self._found) else None


def paths(begun: str) -> list[str]:
    """List the paths that begin with a text; a directory ends with a slash."""
    directory, begun_name = os.path.split(begun)
    try:
        entries = sorted(Path(directory).expanduser().iterdir())
    except (OSError, RuntimeError):  # no such directory, or no home
        return []
    shown = [path for path in entries if path.name.startswith(begun_name) and (begun_name or path.name[0] != ".")]
    return [os.path.join(directory, path.name) + "/" * path.is_dir() for path in shown]


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    directory = Path(state) if state and os.path.isabs(state) else Path("~/.local/state").expanduser()
    return directory / "g4f-lite" / "history"
