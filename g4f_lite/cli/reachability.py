"""Reaching a server step by step: DNS, connection, TLS.

A call does all of this at once.  Here each step has a time and an error of its own.
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
from ..http.failures import without_tls
from ..http.urls import DEFAULT_PORTS
from .files import is_folder

SOCKS_PORT = 1080

Addresses = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Endpoint:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Return the endpoint of a URL, of a server or a proxy."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, SOCKS_PORT))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def look_up(endpoint: Endpoint, seconds: float) -> Addresses:
    """Look up the host name.

    The operating system's look-up has no timeout, so it runs in a thread that is abandoned if it takes too long.

    :raises TransportError: if the name is unknown, or the look-up takes too long
    """
    found: list[Addresses] = []
    errors: list[OSError] = []

    def resolve() -> None:
        try:
            found.append(list(socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            errors.append(error if isinstance(error, OSError) else OSError(None, str(error)))

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    reason = (errors[0].strerror or str(errors[0])) if errors else f"no answer within {seconds:g} s"
    raise TransportError(f"{endpoint.host} could not be looked up: {reason}", cause="dns")


def connect(endpoint: Endpoint, addresses: Addresses, seconds: float) -> socket.socket:
    """Connect to the first address that accepts the connection.

    :raises TransportError: if none does
    """
    reason = "it has no address"
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
    raise TransportError(f"could not connect to {endpoint}: {reason}")


def handshake(
    connection: socket.socket, endpoint: Endpoint, verify: bool | str, cert: str | tuple[str, str] | None
) -> str:
    """Perform the TLS handshake; return the version of TLS, and when the certificate expires.

    :param verify: False, the path of a CA bundle, or True for the default bundle
    :param cert: the path of a client certificate, or a pair of paths: certificate and key
    :raises TransportError: if the handshake fails
    """
    try:
        with _context(verify, cert).wrap_socket(connection, server_hostname=endpoint.host) as secure:
            expiry = (secure.getpeercert() or {}).get("notAfter")
            certificate = f"certificate valid until {expiry}" if expiry else "certificate not verified"
            return f"{secure.version()}, {certificate}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        refused = without_tls(f"https://{endpoint}", [error], reason)
        raise refused or TransportError(f"no TLS with {endpoint}: {reason}", cause="tls") from error


def _context(verify: bool | str, cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """Return a TLS context like that of requests."""
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        bundle = verify if isinstance(verify, str) else certifi.where()
        context.load_verify_locations(**{"capath" if is_folder(Path(bundle)) else "cafile": bundle})
    if cert is not None:
        context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    return context
