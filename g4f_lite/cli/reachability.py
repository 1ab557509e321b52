"""The way to a server, one step at a time: its name, a connection, TLS.

A call does all of this at once.  Here each step has its own time and its own error.
"""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
from urllib3.util.ssl_ import create_urllib3_context

from ..errors import TransportError

DEFAULT_PORTS = {"http": 80, "https": 443}
SOCKS_PORT = 1080

Addresses = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Place:
    """A host and a port to connect to."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Place:
        """Find it in the address of a server or a proxy."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, SOCKS_PORT))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def look_up(place: Place, seconds: float) -> Addresses:
    """Look the host's name up.

    The operating system's look-up has no time limit of its own, so a late one is left to itself.

    :raises TransportError: it is not known, or not in time
    """
    found: list[Addresses] = []
    errors: list[OSError] = []

    def ask() -> None:
        try:
            found.append(list(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            errors.append(error if isinstance(error, OSError) else OSError(None, str(error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    reason = (errors[0].strerror or str(errors[0])) if errors else f"no answer for {seconds:g} s"
    raise TransportError(f"{place.host} could not be looked up: {reason}", cause="dns")


def connect(place: Place, addresses: Addresses, seconds: float) -> socket.socket:
    """Connect to the first address that accepts it.

    :raises TransportError: none does
    """
    reason = "there is no address"
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(seconds)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            reason = f"{address[0]}: {error.strerror or error}"
        else:
            return connection
    raise TransportError(f"no connection to {place}: {reason}")


def handshake(connection: socket.socket, place: Place, verify: bool | str, cert: str | tuple[str, str] | None) -> str:
    """Do TLS on a connection; give its version, and until when the certificate is good.

    :param verify: False, or the path of a CA bundle; True is the usual one
    :raises TransportError: it fails
    """
    try:
        with _context(verify, cert).wrap_socket(connection, server_hostname=place.host) as secure:
            until = (secure.getpeercert() or {}).get("notAfter")
            checked = f"certificate good until {until}" if until else "certificate not checked"
            return f"{secure.version()}, {checked}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        raise TransportError(f"no TLS with {place}: {reason}", cause="tls") from error


def _context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """Make what requests would use."""
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        bundle = verify if isinstance(verify, str) else certifi.where()
        context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    if cert is not None:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context
