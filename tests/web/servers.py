"""The servers that people run Flask apps with, each as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE = 30  # seconds

_GUNICORN = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--log-level", "warning"]
_WAITRESS = [sys.executable, "-m", "waitress", "--listen", "127.0.0.1:{port}", "--channel-request-lookahead=1"]
COMMANDS = {
    "gunicorn sync": [*_GUNICORN, "--worker-class", "sync"],
    "gunicorn sync --preload": [*_GUNICORN, "--worker-class", "sync", "--preload"],
    "gunicorn gthread": [*_GUNICORN, "--worker-class", "gthread", "--threads", "4"],
    "gunicorn gthread --preload": [*_GUNICORN, "--worker-class", "gthread", "--threads", "4", "--preload"],
    "gunicorn gevent": [*_GUNICORN, "--worker-class", "gevent"],
    "gunicorn gevent --preload": [*_GUNICORN, "--worker-class", "gevent", "--preload"],
    "gunicorn gevent_pywsgi": [*_GUNICORN, "--worker-class", "gevent_pywsgi"],
    "waitress": _WAITRESS,
    "development": [sys.executable, "-m", "flask", "run", "--port", "{port}"],
}


@contextmanager
def running(
    server: str,
    *options: str,
    app: str = "served_app:app",
    cwd: Path = HERE,
    log: Path | None = None,
    **environment: str,
) -> Iterator[int]:
    """Run a server until the end of a ``with`` block; give its port.

    :param server: one of ``COMMANDS``
    :param options: further options of the command
    :param log: the file for its standard error; None shows it
    :param environment: further variables of the environment
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [*(part.format(port=port) for part in COMMANDS[server]), *options]
    with nullcontext() if log is None else log.open("wb") as errors:
        process = subprocess.Popen(
            command if server == "development" else [*command, app],  # which finds it in FLASK_APP
            cwd=cwd,
            env={**os.environ, "FLASK_APP": app, **environment},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # for killpg
        )
    try:
        until = time.monotonic() + PATIENCE
        while not listens(port):
            assert process.poll() is None, f"{server} ended with {process.returncode}"
            assert time.monotonic() < until, f"{server} does not listen"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def listens(port: int) -> bool:
    """Tell whether something accepts connections at a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
