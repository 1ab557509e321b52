"""Translates what the libraries below raise into our errors: the one place that knows both.

Two families are mixed here.  A failure while sending is raised by requests; one while the body is read
is raised by urllib3 or http.client, because the body is read past requests (psf/requests#2433).
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions as urllib3_errors

from ..errors import (
    DeadlineExceededError,
    G4FLiteError,
    MissingDependencyError,
    ResponseFormatError,
    ResponseStatusError,
    TransportError,
)
from .route import NEEDS_PYSOCKS
from .signals import links_of
from .urls import is_loopback

if TYPE_CHECKING:
    from .deadline import Deadline
    from .transfer import Transfer

# Everything that sending a request or reading its body may raise.
FAILURES = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    zlib.error,
)

WRITE_HTTP = "write http:// in its address"
MAX_REASON = 300  # characters: http.client puts a whole line of the server's into its message
CLOCK_STEP = 0.01  # seconds by which a socket's timeout may come before the clock says so

_TIMEOUTS = (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError)
_CONNECT_TIMEOUTS = (requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError)
_NO_TIMEOUTS = (urllib3_errors.NewConnectionError,)  # a refused connection; urllib3 derives it from a timeout
_PROXY = (requests.exceptions.ProxyError, urllib3_errors.ProxyError, urllib3_errors.ProxySchemeUnknown)
_TLS = (requests.exceptions.SSLError, urllib3_errors.SSLError, ssl.SSLError)
_LOOKED_UP = (urllib3_errors.NameResolutionError,)
_DNS = (*_LOOKED_UP, socket.gaierror)
_CLOSED_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_CLOSED = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    BrokenPipeError,
    ConnectionAbortedError,
    *_CLOSED_TLS,
)
_UNREADABLE = (
    requests.exceptions.ContentDecodingError,
    urllib3_errors.DecodeError,
    urllib3_errors.InvalidHeader,  # such as a second Content-Length
    zlib.error,
    http.client.LineTooLong,
    http.client.BadStatusLine,
    http.client.UnknownProtocol,
)
_TOO_MANY_HEADERS = http.client.HTTPException  # the very class: http.client raises no subclass there


def translate(
    error: BaseException,
    deadline: Deadline,
    origin: str,
    transfer: Transfer | None = None,
    *,
    proxy: str | None = None,
) -> G4FLiteError:
    """Make our error of another library's.

    :param deadline: the limits of the call
    :param origin: ``scheme://host:port`` of the server, for the message
    :param transfer: how far the request had come; None where its answer was being read
    :param proxy: the URL of the proxy that the server is reached through, if any
    """
    connecting = transfer is not None and transfer.connecting
    at_proxy = transfer is not None and not transfer.past_proxy
    answer_began = transfer is None or transfer.answer_began
    proxy_host = (proxy or "").rpartition("@")[2].rpartition("//")[2]  # without credentials
    links = links_of(error)
    # An error of ours, such as an address guard's, comes wrapped by urllib3, which wraps whatever it meets.
    for link in links:
        if isinstance(link, G4FLiteError):
            return link
    # When the watchdog shuts a socket down, the reader sees a reset, a short body or anything else.
    late = deadline.error() if deadline.ended or deadline.remaining() < CLOCK_STEP else None
    is_handshake = connecting and not proxy and origin.startswith("https:")
    if isinstance(late, DeadlineExceededError) and is_handshake and is_loopback(origin):
        late.message += f"; if the server does not speak TLS, {WRITE_HTTP}"
        late.args = (late.message,)
    if late is not None:
        return late

    def has(kinds: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(link, kinds) for link in links)

    reason = _reason(links)
    is_handshake = is_handshake and not has((*_NO_TIMEOUTS, *_CONNECT_TIMEOUTS, *_DNS))  # the connection was made
    if is_handshake and (plain := without_tls(origin, links, reason)):
        return plain
    if has(_TIMEOUTS) and not has(_NO_TIMEOUTS):
        limit = transfer.silence if transfer is not None else deadline.awaits
        limit = "connect" if connecting or has(_CONNECT_TIMEOUTS) else limit
        way = f" through the proxy {proxy_host}" if proxy and at_proxy else ""
        after = " after it took the prompt" if limit == "first" else ""
        what = "no connection to" if limit == "connect" else "silence from"
        seconds = getattr(deadline.timeout, limit) or deadline.elapsed
        text = f"{what} {origin}{way}{after} for {seconds:g} s, the {limit} limit"
        return DeadlineExceededError(text, limit=limit, seconds=seconds)
    if status := next(filter(None, map(_given_up_on, links)), None):
        refused = ResponseStatusError(
            f"{origin} answered with status {status} at every try of the session", status=status
        )
        refused.may_retry = False  # the retries that are mounted on the session have done so
        return refused
    # Of a proxied request, the name that we look up is the proxy's; the proxy looks up the server's.
    if at_proxy and (has(_PROXY) or _is_socks(links) or (proxy and has(_LOOKED_UP))):
        return TransportError(
            f"the proxy {proxy_host} did not let the request to {origin} through: {reason}", cause="proxy"
        )
    if has(_TLS) and not has(_CLOSED_TLS):
        return TransportError(
            f"no TLS with {origin}: {reason}; give a private certificate authority as verify=", cause="tls"
        )
    if has(_DNS):
        return TransportError(f"the name in {origin} could not be looked up: {reason}", cause="dns")
    if has((requests.exceptions.InvalidSchema,)) and "SOCKS" in reason:
        return MissingDependencyError(NEEDS_PYSOCKS)
    unreadable = has(_UNREADABLE) or any(type(link) is _TOO_MANY_HEADERS for link in links)
    # RemoteDisconnected is a BadStatusLine too, and says only that the connection was closed.
    if unreadable and not has(_CLOSED):
        return ResponseFormatError(f"{origin} sent what is not an HTTP answer: {reason}")
    if has((http.client.IncompleteRead, urllib3_errors.IncompleteRead)):
        return TransportError(f"{origin} ended its response early")
    if answer_began or closed_by_peer(error):
        return TransportError(f"lost the connection to {origin}: {reason}")
    cause = "tls" if "TLS CA certificate bundle" in reason else "connection"
    return TransportError(f"could not connect to {origin}: {reason}", cause=cause)


def without_tls(origin: str, links: Iterable[BaseException], reason: str) -> TransportError | None:
    """Make the error for a failed handshake with a server that does not speak TLS; None where it may speak it.

    On this machine a server that ends the handshake, or does not answer it, is hardly ever one that speaks TLS.

    :param links: what was raised, with all that it wraps
    :param reason: the plainest words for it
    """
    links = list(links)
    if "WRONG_VERSION_NUMBER" in reason:
        return TransportError(f"no TLS with {origin}: the server does not speak it; {WRITE_HTTP}", cause="tls")
    if not is_loopback(origin) or not any(isinstance(link, (*_CLOSED, *_TIMEOUTS)) for link in links):
        return None
    reason = re.sub(r"^_ssl\.c:\d+: | \(_ssl\.c:\d+\)$", "", reason)  # a line of Python's source
    return TransportError(f"no TLS with {origin}: {reason}; if the server does not speak it, {WRITE_HTTP}", cause="tls")


def closed_by_peer(error: BaseException) -> bool:
    """Return whether a connection turned out closed, as a kept-alive one may at any time."""
    return any(isinstance(link, _CLOSED) for link in links_of(error))


def _given_up_on(error: BaseException) -> int | None:
    """Return the status that urllib3's own retries gave up on, which it tells only in its message."""
    found = re.fullmatch(r"too many (\d{3}) error responses", str(error))
    return int(found[1]) if found and isinstance(error, urllib3_errors.ResponseError) else None


def _is_socks(links: list[BaseException]) -> bool:
    return any(type(link).__module__ == "socks" for link in links)  # by name, as PySocks need not be installed


def _reason(links: list[BaseException]) -> str:
    """Find the plainest words: the operating system's, else the innermost exception's."""
    for link in links:
        if isinstance(link, OSError) and link.strerror:
            return str(link.strerror).strip()
    return str(links[-1])[:MAX_REASON].strip() or type(links[-1]).__name__
