"""Opens the sockets of connections, within the time that a call has left, and closes those that no one holds."""

from __future__ import annotations

import socket
import ssl
import sys
import traceback
from typing import Any

from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from .signals import pass_on_signal
from .transfer import Transfer

# urllib3 leaves TCP_NODELAY out for proxies, where a prompt's body then waits 40 ms for its head to be acknowledged.
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
UNSENT_BYTES = 128 * 1024  # of a request that may wait in its socket


def open_socket(connection: Any, transfer: Transfer) -> socket.socket:
    """Connect to the host, or to the SOCKS proxy: try each of its addresses, within the time that is left.

    urllib3 and PySocks make their sockets where nobody can reach them, so nothing could end a slow attempt
    before its own timeout.

    :param connection: urllib3's connection, which may be one to a proxy; its host is a mere name where the transfer
        has the path of a socket
    :param transfer: the request that is to go over it
    :raises urllib3.exceptions.HTTPError: if no address accepts the connection
    :raises G4FLiteError: if the call ended, or the address guard refuses an address
    """
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    deadline = transfer.deadline
    socks = getattr(connection, "_socks_options", None)
    name, port = (socks["proxy_host"], socks["proxy_port"]) if socks else (connection.host, connection.port)
    refusal: Exception = NewConnectionError(connection, f"{name} has no address")
    at_path = transfer.socket_path
    found = _at_path(at_path) if at_path else _addresses(connection, name.strip("[]"), int(port))
    for family, address in found:
        if transfer.address_guard is not None and not (socks or connection.proxy):
            transfer.address_guard(str(address[0]))
        sock = _socks_socket(family, socks) if socks else socket.socket(family, socket.SOCK_STREAM)
        try:
            if not at_path:
                for option in (NO_DELAY, *(connection.socket_options or ())):
                    sock.setsockopt(*option)
                keep_little_unsent(sock)
            sock.settimeout(deadline.limit_handshake())
            deadline.hold(sock)
            sock.connect((connection.host, connection.port) if socks else address)
            if transfer.confirm is not None:
                transfer.confirm(deadline)
            return sock
        except OSError as error:
            sock.close()
            pass_on_signal(error)
            deadline.check()
            # PySocks keeps the reason there.
            late = isinstance(getattr(error, "socket_err", error), TimeoutError) or deadline.is_shut
            kind: Any = ConnectTimeoutError if late else NewConnectionError
            refusal = kind(connection, f"no connection to {name}: {error}")
            refusal.__cause__ = error
        except BaseException:
            sock.close()
            raise
    raise refusal


def _at_path(path: str) -> list[tuple[int, Any]]:
    return [(socket.AF_UNIX, path)]


def _addresses(connection: Any, name: str, port: int) -> list[tuple[int, Any]]:
    if name.lower().rstrip(".").endswith(".localhost"):  # this machine's by RFC 6761, but some resolvers ask a server
        name = "localhost"
    try:
        found = socket.getaddrinfo(name, port, allowed_gai_family(), socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(name, connection, error) from error
    except UnicodeError as error:
        raise LocationParseError(f"{name!r}, label empty or too long") from error
    return list(dict.fromkeys((int(family), address) for family, *_, address in found))


def close_half_made(error: OSError) -> None:
    """Close the socket of a TLS handshake that failed before it began.

    ``ssl.SSLSocket._create`` leaves a socket that was reset by then to the garbage collector; only the frames of the
    exception still know it.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        unfinished = frame.f_locals.get("self")
        if isinstance(unfinished, ssl.SSLSocket):
            unfinished.close()


def keep_little_unsent(sock: socket.socket) -> None:
    """Let a socket accept data only while little waits in it, where the operating system can do that.

    Linux takes megabytes into a socket's buffer, and then nothing for as long as a slow server needs for a third of
    them: an upload that flows would look like silence.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        except OSError as error:
            pass_on_signal(error)


def _socks_socket(family: int, options: dict[str, Any]) -> socket.socket:
    """Make a socket that connects by way of a SOCKS proxy; the proxy looks the name up where ``rdns`` says so."""
    import socks

    sock = socks.socksocket(family, socket.SOCK_STREAM)
    sock.set_proxy(
        options["socks_version"],
        options["proxy_host"],
        int(options["proxy_port"]),
        options["rdns"],
        options["username"],
        options["password"],
    )
    return sock  # type: ignore[no-any-return]
