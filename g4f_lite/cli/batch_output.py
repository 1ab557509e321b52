"""The files that ``g4f-lite batch`` writes: a new one takes the place of an old one when it is complete."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

import filelock

from ..batch.files import opened
from ..errors import sanitize
from .failure import Failure, Misuse, Passing
from .files import is_folder, is_there
from .output import writing


class OutputFile:
    """A file that is written beside an old one, under its name and ``.partial``, and then takes its place::

        with OutputFile(path) as output:
            with output.writing():
                output.file.write(text)
            output.publish()

    Whatever happens before ``publish()``, the old file is as it was, and the new one is at ``partial``.  Standard
    output, a device and a pipe are written to as they are; a terminal gets JSON in which what it would obey is escaped.

    :param path: the file; None or ``-`` for standard output
    :raises click.ClickException: if it cannot be written, there is no folder for it, or another command is writing it
    """

    def __init__(self, path: Path | None) -> None:
        self.path = None if path is None or str(path) == "-" else path
        self.partial: Path | None = None
        self._target = None if self.path is None else Path(os.path.realpath(self.path))  # a link stays a link
        if self._target is not None and (not is_there(self._target) or self._target.is_file()):
            beside = self._target if self.path is None or self.path.is_symlink() else self.path
            self.partial = beside.with_name(f"{beside.name}.partial")
        if self._target is not None and not is_folder(self._target.parent):
            raise Misuse(f"there is no folder {self._target.parent} for {self.path}; make it first")
        self._stack = ExitStack()
        self.file: TextIO = cast("TextIO", _Terminal(sys.stdout)) if sys.stdout.isatty() else sys.stdout

    def __enter__(self) -> OutputFile:
        if self._target is None:
            return self
        try:
            if self.partial is not None:
                lock = filelock.FileLock(self._target.with_name(f".{self._target.name}.lock"), timeout=0, mode=0o600)
                self._stack.enter_context(lock)
                self.partial.unlink(missing_ok=True)  # a new file, so that nothing goes through another user's link
            how = "w" if self.partial is None else "x"
            self.file = self._stack.enter_context(opened(self.partial or self._target, how))
        except filelock.Timeout as error:
            raise Passing(f"another command is writing {self.path}; wait for it, or name another file") from error
        except OSError as error:
            self._stack.close()
            raise Misuse(f"cannot write {self.path}: {error.strerror}") from error
        return self

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write to the file in a ``with`` block, at the end of which nothing is left in a buffer.

        :raises click.exceptions.Exit: if it is standard output, and its reader has gone away
        :raises click.ClickException: if writing fails, for instance because the disk is full
        """
        if self.path is None:
            with writing():
                yield
                self.file.flush()
            return
        with self._failing(f"cannot write {self.partial or self.path}"):
            yield
            self.file.flush()

    def publish(self) -> None:
        """Put the new file in the place of the old one.

        :raises click.ClickException: if it cannot be written
        """
        if self.partial is None or self._target is None:
            return
        with self._failing(f"cannot replace {self.path} by {self.partial}"):
            os.fsync(self.file.fileno())  # before it has the name, so that a power failure leaves the old file
            if os.name != "nt" and self._target.exists():
                self.partial.chmod(stat.S_IMODE(self._target.stat().st_mode))
            self.file.close()  # which Windows demands before a file is renamed
            self.partial.replace(self._target)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Failure(f"{what}: {error.strerror}") from error

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a full disk, which was told
            self._stack.close()


class _Terminal:
    """Writes JSON to a terminal, with the characters that it would obey as ``\\u009b``.

    :param out: the terminal
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.flush = out.flush

    def write(self, text: str) -> int:
        """Write JSON, in which such characters are in strings only."""
        return self._out.write("".join(char if sanitize(char) == char else f"\\u{ord(char):04x}" for char in text))
