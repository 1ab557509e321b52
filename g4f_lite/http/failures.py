"""What the libraries below us raise → what we raise.  The one place that knows both."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib

import requests
import urllib3.exceptions as urllib3_errors

from ..errors import DeadlineExceededError, G4FLiteError, MissingDependencyError, ResponseFormatError, TransportError
from .deadline import Deadline

# Everything that sending a request or reading its body may raise.
FAILURES = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    zlib.error,
)

NEEDS_PYSOCKS = 'a proxy that speaks SOCKS needs PySocks: pip install "g4f-lite[socks]"'
NO_TLS = "the server does not speak TLS: write http:// in its address"
MAX_REASON = 300  # characters: http.client puts a whole line of the server's into its message
CLOCK_STEP = 0.01  # seconds by which a socket's timeout may come before the clock says so

_TIMEOUTS = (requests.Timeout, urllib3_errors.TimeoutError, TimeoutError)
_CONNECT_TIMEOUTS = (requests.ConnectTimeout, urllib3_errors.ConnectTimeoutError)
_NO_TIMEOUTS = (urllib3_errors.NewConnectionError,)  # although urllib3 derives it from one
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
    zlib.error,
    http.client.LineTooLong,
    http.client.BadStatusLine,
    http.client.UnknownProtocol,
)
_TOO_MANY_HEADERS = http.client.HTTPException  # of which http.client raises no subclass there


def translate(error: BaseException, call: Deadline, origin: str, proxy: str | None = None) -> G4FLiteError:
    """Make our error of another library's.

    :param origin: ``scheme://host:port`` of the server, for the message
    :param proxy: the URL of the proxy that it is reached through, if any
    """
    place = (proxy or "").rpartition("@")[2].rpartition("//")[2]  # without credentials
    links = _inside(error)
    for link in links:  # ours may have come up through urllib3, which wraps what it meets
        if isinstance(link, G4FLiteError):
            return link
    if call.ended or call.remaining() < CLOCK_STEP:
        return call.error()

    def has(kinds: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(link, kinds) for link in links)

    if has(_TIMEOUTS) and not has(_NO_TIMEOUTS):
        limit = "connect" if call.connecting or has(_CONNECT_TIMEOUTS) else "read"
        way = f" by way of the proxy {place}" if proxy and not call.past_proxy else ""
        done = "no connection to" if limit == "connect" else "silence from"
        seconds = getattr(call.timeout, limit) or call.elapsed
        return DeadlineExceededError(f"{done} {origin}{way} for {seconds:g} s, the {limit} limit", limit=limit)
    reason = _reason(links)
    # The name that is looked up for a proxied request is the proxy's; it looks up the server's.
    if (has(_PROXY) or _is_socks(links) or (proxy and has(_LOOKED_UP))) and not call.past_proxy:
        return TransportError(f"the proxy {place} did not let the request to {origin} through: {reason}", cause="proxy")
    if has(_TLS) and "WRONG_VERSION_NUMBER" in reason:
        return TransportError(f"no TLS with {origin}: {NO_TLS}", cause="tls")
    if has(_TLS) and not has(_CLOSED_TLS):
        return TransportError(
            f"no TLS with {origin}: {reason}; a private certificate authority goes in verify=", cause="tls"
        )
    if has(_DNS):
        return TransportError(f"the name in {origin} could not be looked up: {reason}", cause="dns")
    if has((requests.exceptions.InvalidSchema,)) and "SOCKS" in reason:
        return MissingDependencyError(NEEDS_PYSOCKS)
    unreadable = has(_UNREADABLE) or any(type(link) is _TOO_MANY_HEADERS for link in links)
    if unreadable and not has(_CLOSED):
        return ResponseFormatError(f"{origin} sent what is no HTTP answer: {reason}")
    if has((http.client.IncompleteRead, urllib3_errors.IncompleteRead)):
        return TransportError(f"{origin} cut its answer short")
    if call.answer_began or closed_by_peer(error):
        return TransportError(f"lost the connection to {origin}: {reason}")
    cause = "tls" if "TLS CA certificate bundle" in reason else "connection"
    return TransportError(f"could not connect to {origin}: {reason}", cause=cause)


def closed_by_peer(error: BaseException) -> bool:
    """Tell whether a connection turned out closed, as a kept-alive one may at any time."""
    return any(isinstance(link, _CLOSED) for link in _inside(error))


def _inside(error: BaseException) -> list[BaseException]:
    """List an exception and those that it wraps, outermost first."""
    links: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in links:
            links.append(link)
            waiting += [getattr(link, "reason", None), *link.args, link.__cause__]
    return links


def _is_socks(links: list[BaseException]) -> bool:
    return any(type(link).__module__ == "socks" for link in links)


def _reason(links: list[BaseException]) -> str:
    """Find the plainest words: an operating system's, else the innermost exception's."""
    for link in links:
        if isinstance(link, OSError) and link.strerror:
            return str(link.strerror)
    return str(links[-1])[:MAX_REASON] or type(links[-1]).__name__
