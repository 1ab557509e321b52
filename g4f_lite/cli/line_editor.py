"""Reading the user's messages in a terminal, with a history and completion where readline is installed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

LENGTH = 1000  # messages that the history file keeps


class LineEditor:
    """Reads messages; pasted lines are one message.

    :param commands: words at the beginning of a message that the Tab key completes
    """

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._file: Path | None = None
        try:
            import readline
        except ImportError:  # Windows, which edits lines itself
            return
        readline.set_completer_delims("")
        readline.set_completer(self._complete)
        if "libedit" in (readline.__doc__ or ""):
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            if os.environ.get("TERM") not in ("dumb", "unknown"):
                readline.parse_and_bind("set enable-bracketed-paste on")  # which Python switches off
        self._file = _history_file()
        readline.clear_history()
        with contextlib.suppress(OSError, ValueError):
            readline.read_history_file(self._file)

    def read(self) -> str:
        """Return the next message.

        :raises EOFError: if the user presses Ctrl-D
        :raises KeyboardInterrupt: if the user presses Ctrl-C
        """
        return input("> ").strip()

    def save(self) -> None:
        """Write the history to its file, which only the user can read; a directory that is not writable is no error."""
        if self._file is None:
            return
        import readline

        readline.set_history_length(LENGTH)
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(self._file)
            self._file.chmod(0o600)

    def _complete(self, text: str, number: int) -> str | None:
        found = [command for command in self._commands if command.startswith(text)] if text.startswith("/") else []
        return found[number] if number < len(found) else None


def _history_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    directory = Path(state) if state and os.path.isabs(state) else Path("~/.local/state").expanduser()
    return directory / "g4f-lite" / "history"
