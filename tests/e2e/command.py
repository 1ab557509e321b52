"""The command as a child process, in pipes and in a terminal; and in this process, which is quicker."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pytest

from g4f_lite.cli import main
from g4f_lite.emulator import Emulator
from g4f_lite.http.deadline import Deadline

from .forked import Child, can_be_forked

SECONDS = 60.0  # after which something that was waited for does not come, on a busy machine
# Nothing but loopback is reached, and output is buffered as it is for users.
ENVIRONMENT = {"G4F_LITE_OFFLINE": "1", "PYTHONUNBUFFERED": "", "XDG_STATE_HOME": os.devnull}
INTERRUPTED = 130 if sys.platform == "win32" else -signal.SIGINT  # the exit code of a program that Ctrl-C has ended
COMMAND = [sys.executable, "-m", "g4f_lite"]

# The command, but that it does not wait before it sends a request again.
WITHOUT_WAITS = """
from g4f_lite.cli import main
from g4f_lite.http.deadline import Deadline
Deadline.sleep = lambda deadline, seconds: deadline.check()
main()
"""

# Makes the terminal on standard input the one whose Ctrl-C the program gets, and becomes the program.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def run(
    *arguments: str,
    stdin: str | bytes | None = None,
    program: list[str] | None = None,
    code: str | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, and give its exit code and what it wrote; None is no standard input, not a pipe."""
    if stdin is None:
        with start(*arguments, program=program, code=code, **environment) as child:
            out, err = child.communicate(timeout=SECONDS)
            returned = child.wait()
        return subprocess.CompletedProcess(arguments, returned, out.decode(errors="backslashreplace"), err.decode())
    given = stdin.encode() if isinstance(stdin, str) else stdin
    settings = {**os.environ, **ENVIRONMENT, **environment}
    if program is None and can_be_forked(environment):
        source, sink = os.pipe()
        with Child(arguments, settings, source) as child:
            os.close(source)
            with contextlib.suppress(BrokenPipeError), open(sink, "wb") as pipe:
                pipe.write(given)
            out, err = child.communicate(SECONDS)
            returned = child.wait()
    else:
        command = [*(program or COMMAND), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, env=settings, check=False)
        out, err, returned = done.stdout, done.stderr, done.returncode
    return subprocess.CompletedProcess(arguments, returned, out.decode(errors="backslashreplace"), err.decode())


def call(*arguments: str, stdin: str | bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, where neither signals nor what Python does at its end are the point."""
    given = io.TextIOWrapper(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, **environment}.items():
            patch.setenv(name, value)
        for name, replaced in {"argv": ["g4f-lite", *arguments], "stdin": given, "stdout": out, "stderr": err}.items():
            patch.setattr(sys, name, replaced)
        patch.setattr(Deadline, "sleep", lambda deadline, seconds: deadline.check())  # before a request is sent again
        with pytest.raises(SystemExit) as ended:
            main()
    for stream in (out, err):
        stream.flush()
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, ended.value.code, said, complained)  # type: ignore[arg-type]


def asked(emulator: Emulator) -> dict[str, Any]:
    """Give the body of the last prompt that the emulator got."""
    body: dict[str, Any] = [request for request in emulator.requests if request.step == "prompt"][-1].json()
    return body


def assert_failed(done: subprocess.CompletedProcess[str], *words: str, printed: str = "", code: int = 1) -> None:
    """Hold a run to an exit code and one line on standard error."""
    assert (done.returncode, done.stdout) == (code, printed), done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("\n")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Hold a run to what it says of a command line that cannot be followed."""
    assert_failed(done, *words, code=2)


def start(
    *arguments: str, program: list[str] | None = None, code: str | None = None, **environment: str
) -> subprocess.Popen[bytes] | Child:
    """Start the command with pipes, or another program, or code for Python; standard input is the null device."""
    settings = {**os.environ, **ENVIRONMENT, **environment}
    with open(os.devnull, "rb") as nothing:
        if program is None and can_be_forked(environment):
            return Child(arguments, settings, nothing.fileno(), code=code)
        pipe = subprocess.PIPE
        program = [sys.executable, "-c", code] if code else program
        return subprocess.Popen(
            [*(program or COMMAND), *arguments], stdin=nothing, stdout=pipe, stderr=pipe, env=settings
        )


def read_until(stream: IO[bytes], wanted: bytes) -> bytes:
    """Read what a child wrote, as it comes, until it holds something."""
    return read_past(stream.fileno(), wanted, b"")[0]


def read_past(source: int, wanted: bytes, seen: bytes) -> tuple[bytes, bytes]:
    """Give what was read up to the end of what was wanted, and what came after it."""
    end_at = time.monotonic() + SECONDS
    while wanted not in seen:
        readable, _, _ = select.select([source], [], [], max(0.0, end_at - time.monotonic()))
        data = os.read(source, 65536) if readable else b""
        if not data:
            raise AssertionError(f"{wanted!r} did not come; what came is {seen!r}")
        seen += data
    before, found, after = seen.partition(wanted)
    return before + found, after


class Terminal:
    """The command in a terminal of its own.

    with Terminal("chat") as terminal:
        terminal.wait_for("> ")
        terminal.type("Hello\\n")
    """

    def __init__(self, *arguments: str, code: str | None = None, **environment: str) -> None:
        self._own, theirs = os.openpty()
        self._seen = b""
        settings = {**os.environ, **ENVIRONMENT, "TERM": "dumb", **environment}
        self._child: subprocess.Popen[bytes] | Child
        if can_be_forked(environment):
            self._child = Child(arguments, settings, theirs, terminal=theirs, code=code)
        else:
            program = [sys.executable, "-c", code] if code else COMMAND
            command = [sys.executable, "-c", IN_TERMINAL, *program, *arguments]
            self._child = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=settings, start_new_session=True
            )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._own, text.encode())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C until it is noticed: Python misses one in the moment before it waits for a key or an answer."""
        for _ in range(int(SECONDS / 5)):  # seldom enough that none is pressed twice on a busy machine
            self._wait_until_it_sleeps()
            self.type("\x03")
            if select.select([self._own], [], [], 5.0)[0]:
                data = os.read(self._own, 65536)
                self._seen += data
                if b"\n" in data:
                    return

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C until the program ends: Python misses one in the moment before it waits for an answer.

        That moment lasts as long as a thread that writes takes to let go of Python's lock.
        """
        with contextlib.suppress(OSError):  # as in ``end``
            for _ in range(int(SECONDS / 5)):
                self.type("\x03")
                while select.select([self._own], [], [], 5.0)[0] and (data := os.read(self._own, 65536)):
                    self._seen += data
        return self.end()

    def _wait_until_it_sleeps(self) -> None:
        """Wait until the program waits for something, where Linux tells so."""
        state = Path(f"/proc/{self._child.pid}/stat")
        while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()

    def wait_for(self, wanted: str) -> str:
        """Wait for something to be shown, and give all since what was waited for last."""
        shown, self._seen = read_past(self._own, wanted.encode(), self._seen)
        return shown.decode()

    def end(self) -> tuple[int, str]:
        """Wait for the program to end; give its exit code, and what it showed since."""
        shown = self._seen
        with contextlib.suppress(OSError):  # how Linux tells that the other side is gone
            while select.select([self._own], [], [], SECONDS)[0] and (data := os.read(self._own, 65536)):
                shown += data
        return self._child.wait(SECONDS), shown.decode()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._own)
