"""The command as a fork of a Python that has imported what it uses.

Imports are most of what a start of the command costs, and the same each time.  The *template* is a process that has
done them, with one thread.  For each order it forks, and the fork becomes the command: with descriptors, environment
and folder of its own, it runs what ``python -m g4f_lite`` runs.  It ends as any Python does, but for one thing: where
it has an exit code, the modules of the template are not taken apart, which takes longer than most commands.  Our
package is imported anew where the environment says what to log, which is all that it reads of it when it is imported;
and tests of what a start loads, or of what is left at the very end, start Python itself.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

PRELOADED = """
    requests socks tenacity click rich.console rich.markdown waitress concurrent.futures html decimal difflib coverage
    click.shell_completion filelock platformdirs sqlite3 csv
    g4f_lite.cli.app g4f_lite.cli.line_editor g4f_lite.cli.live g4f_lite.cli.diagnosis g4f_lite.cli.emulation
    g4f_lite.cli.commands.chat g4f_lite.cli.commands.batch g4f_lite.cli.commands.serve g4f_lite.cli.commands.emulate
    g4f_lite.batch.map g4f_lite.contrib.server.serving
    g4f_lite.providers.openai.provider g4f_lite.providers.local.provider
"""
MEASURED = "COVERAGE_PROCESS_"  # with which names of the environment coverage has children measured
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def can_be_forked(environment: dict[str, str]) -> bool:
    """Tell whether a fork is the same as a start: not where Python reads the environment when it starts."""
    names = environment.keys() - {"PYTHONIOENCODING"}  # which the fork reads as Python does
    return hasattr(os, "fork") and not any(name.startswith(("PYTHON", "LANG", "LC_")) for name in names)


class Child:
    """The command while it runs: what ``subprocess.Popen`` gives, as far as the tests use it.

    :param stdin: the descriptor of its standard input
    :param code: a program that runs in place of the command, as with ``python -c``
    :param terminal: the descriptor of a terminal that is all three, and whose Ctrl-C it gets; pipes are read if None
    """

    def __init__(
        self,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        stdin: int,
        terminal: int | None = None,
        code: str | None = None,
    ) -> None:
        self.returncode: int | None = None
        order = {"argv": arguments, "environ": environment, "folder": os.getcwd(), "terminal": terminal is not None}
        order["code"] = code
        pipes = [os.pipe() for _ in range(3 if terminal is None else 1)]
        reads, writes = zip(*pipes, strict=True)
        self._reported, *streams = (open(read, "rb") for read in reads)  # noqa: SIM115
        self.stdout, self.stderr = streams or (None, None)
        report, *given = writes
        socket.send_fds(template(), [json.dumps(order).encode() + b"\n"], [report, stdin, *(given or [terminal] * 2)])
        for write in writes:
            os.close(write)
        self.pid = int(self._reported.readline())

    def poll(self, seconds: float | None = 0) -> int | None:
        """Give the exit code, or minus the signal that has ended it; None as long as it runs."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._reported, selectors.EVENT_READ)
                if selector.select(seconds):
                    self.returncode = int(self._reported.readline())
                    self._reported.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        code = self.poll(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("the command", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """End it as an init system does."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it whatever it does."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        """Read both pipes to their ends, and wait for its own."""
        until = time.monotonic() + timeout
        read: dict[Any, bytes] = {self.stdout: b"", self.stderr: b""}
        with selectors.DefaultSelector() as selector:
            for pipe in read:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired("the command", timeout, *read.values())
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    read[key.fileobj] += data
                    if not data:
                        selector.unregister(key.fileobj)
        self.wait(max(0.0, until - time.monotonic()))
        return read[self.stdout], read[self.stderr]

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()


@functools.cache
def template() -> socket.socket:
    """Start the process that is forked, and give the socket for orders to it; it ends when that is closed."""
    ours, its = socket.socketpair()
    code = f"import sys; sys.path.insert(0, {TESTS!r}); from e2e import forked; forked.serve({its.fileno()})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(MEASURED)}
    environment["PYTHONUNBUFFERED"] = ""
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, pass_fds=[its.fileno()], start_new_session=True
    )
    its.close()
    atexit.register(child.wait)
    atexit.register(ours.close)  # what is registered last is called first
    return ours


def serve(descriptor: int) -> None:
    """Fork for each order; return in the forks alone, where the command is over."""
    orders = socket.socket(fileno=descriptor)
    del sys.path[0]
    for name in PRELOADED.split():
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    noticed, woken = os.pipe()  # by a signal at any time, also in the moment before the wait for an order
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, noticed], [], [])
        if noticed in ready:
            os.read(noticed, 1 << 16)
            _report_ends(reports)
        if orders not in ready:
            continue
        data, descriptors, *_ = socket.recv_fds(orders, 1 << 16, 4)
        while data and not data.endswith(b"\n"):
            more = orders.recv(1 << 16)
            data = data + more if more else b""
        if not data:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            _become_command(descriptors, **json.loads(data))
            return
        report, *streams = descriptors
        os.write(report, b"%d\n" % pid)
        reports[pid] = report
        for stream in streams:
            os.close(stream)


def _report_ends(reports: dict[int, int]) -> None:
    """Tell the exit codes of the forks that have ended."""
    for pid, status in iter(lambda: os.waitpid(-1, os.WNOHANG) if reports else (0, 0), (0, 0)):
        with suppress(BrokenPipeError), open(reports.pop(pid), "wb") as report:
            report.write(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become_command(
    descriptors: list[int], argv: list[str], environ: dict[str, str], folder: str, terminal: bool, code: str | None
) -> None:
    for number, stream in enumerate(descriptors[1:]):
        os.dup2(stream, number)
    os.closerange(3, 1024)  # those of the template and of other forks as well
    if terminal:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    wanted, _, handler = environ.get("PYTHONIOENCODING", "").partition(":")
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # as Python makes them when it starts
        old, mode = getattr(sys, name), "w" if number else "r"
        encoding, errors = wanted or old.encoding, old.errors
        if wanted and name != "stderr":
            errors = handler or "strict"
        new = open(number, mode, encoding=encoding, errors=errors, newline="\n", closefd=False)  # noqa: SIM115
        new.reconfigure(line_buffering=new.line_buffering or name == "stderr")
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if any(name.startswith(MEASURED) for name in environ):  # as what coverage installs does when Python starts
        importlib.import_module("coverage").process_startup()
    if "G4F_LITE_LOG" in environ:
        importlib.reload(sys.modules["g4f_lite"])
    sys.path.insert(0, folder)
    sys.argv[:] = ["-c" if code else "g4f_lite", *argv]
    try:
        if code:
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_module("g4f_lite", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        _end(ended.code)
    _end(0)


def _end(code: int) -> None:
    """Do what Python does at its end: wait for threads, call what was registered for it, and write what is buffered."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python tells it, and has a code of its own for it
        sys.exit(code)
    os._exit(code)
