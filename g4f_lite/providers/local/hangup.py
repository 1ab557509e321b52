"""Hang up on every client of a server that lives in this process and cannot be told to."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from pathlib import Path

#: Where a POSIX system lists the open files of the process that looks.
OPEN_FILES = Path("/dev/fd")
#: Seconds between two looks at the connections.
POLL_SECONDS = 0.005


def hang_up(port: int, *, within: float) -> bool:
    """Cut the connections to a port of this process, and wait until its server has closed them.

    Meant for the end of the process: from the first cut on, a daemon thread
    that dies of its broken connection does so in silence.

    :param within: seconds to wait at most
    :return: whether none is left; ``False`` too where the system does not list open files
    """
    if not OPEN_FILES.exists():
        return False
    deadline = time.monotonic() + within
    while connections := _accepted(port):
        _silence_daemon_threads()
        for connection in connections:
            with connection:
                _cut(connection)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # its client was faster
        return


def _accepted(port: int) -> list[socket.socket]:
    """Give duplicates of the server's ends: a file number may be closed and reused at any moment."""
    found = []
    for name in os.listdir(OPEN_FILES):
        try:
            duplicate = os.dup(int(name))
        except OSError:  # closed since it was listed
            continue
        if stat.S_ISSOCK(os.fstat(duplicate).st_mode):
            connection = socket.socket(fileno=duplicate)
            if _is_accepted(connection, port):
                found.append(connection)
            else:
                connection.close()
        else:
            os.close(duplicate)
    return found


def _is_accepted(connection: socket.socket, port: int) -> bool:
    try:
        return (
            connection.family == socket.AF_INET
            and connection.getsockname()[1] == port
            and not connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
    except OSError:  # closed by both sides
        return False


def _silence_daemon_threads() -> None:
    if getattr(threading.excepthook, "quiet", False):
        return
    report = threading.excepthook

    def excepthook(args: threading.ExceptHookArgs) -> None:
        if args.thread is None or not args.thread.daemon:
            report(args)

    excepthook.quiet = True  # type: ignore[attr-defined]
    threading.excepthook = excepthook
