"""Whether the browser of a request is still there, while there is nothing to send to it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from urllib3.util import wait_for_read

# Under which name a server gives the connection of a request: gunicorn and its worker gevent_pywsgi, Werkzeug.
_SOCKETS = ("gunicorn.socket", "gunicorn.sock", "werkzeug.socket")
_ESTABLISHED = 1  # of the states that Linux reports in the first byte of TCP_INFO


def disconnect_check(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """Return a function that tells whether the client of a request has closed its connection.

    It does not wait and reads nothing away.  Under a server that shows neither the connection nor its state it always
    returns False; the server then notices at the next write.

    :param environ: the WSGI environment of the request
    """
    if check := environ.get("waitress.client_disconnected"):
        # Waitress notices when it reads, which it does not while another request of the same connection waits.
        connection = getattr(getattr(check, "__self__", None), "socket", None)
        return lambda: bool(check()) or (connection is not None and _is_closed(connection))
    for name in _SOCKETS:
        if (connection := environ.get(name)) is not None:
            return lambda: _is_closed(connection)
    return lambda: False


def _is_closed(connection: Any) -> bool:
    try:
        if connection.fileno() < 0:  # the server has closed it
            return True
        if sys.platform == "linux" and connection.family in (socket.AF_INET, socket.AF_INET6):
            # The end of a connection is behind what was not read yet, such as the last record of TLS.
            state: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            return state[0] != _ESTABLISHED
        return wait_for_read(connection, timeout=0) and not connection.recv(1, socket.MSG_PEEK)
    except ValueError:  # TLS on another system, which cannot peek
        return False
    except OSError:
        return True
