"""How a picture is fetched from an address that a service chose, and that is therefore not trusted.

Only http and https, only hosts with a public address or the provider's own origin, checked against
the peer that is really connected to and again at every redirect; bounded in size; only pictures.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

import requests

from ..answers.images import MAX_IMAGE_BYTES
from ..errors import G4FLiteError, ResponseFormatError
from ..http.body import Body
from ..http.checks import check
from ..http.exchange import Exchange
from ..http.failures import pass_on_signal
from ..http.pool import PooledSession, Session
from ..http.urls import DEFAULT_PORTS, parse_origin
from ..messages import image_type

MAX_REDIRECTS = 5
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch_image(exchange: Exchange, url: str, *, home: str) -> bytes:
    """Fetch a picture from an address that a service gave.

    :param home: a URL of the provider's own; the same origin may be reached wherever it is
    :raises ResponseFormatError: the address is not allowed, or what is there is no picture
    """
    try:
        return _follow(exchange, url, home)
    except G4FLiteError as error:
        exchange.failed(error, "image")
        raise


def _follow(exchange: Exchange, url: str, home: str) -> bytes:
    """Fetch a picture from wherever its address leads."""
    for _ in range(MAX_REDIRECTS + 1):
        scheme, host, _ = origin = parse_origin(url)
        if scheme not in DEFAULT_PORTS or not host:
            raise _refusal(url, "it is not an http or https URL")
        if origin == parse_origin(home):
            body = exchange.send(_request(url), "image")
        else:
            body = _send_to_stranger(exchange, url)
        try:
            if body.status in (301, 302, 303, 307, 308) and "Location" in body.headers:
                url = _redirected(url, body.headers["Location"])
                continue
            check(body, lambda status, parsed, text: None)
            data = body.read(MAX_IMAGE_BYTES)
        finally:
            body.close()
        if image_type(data) is None:
            raise _refusal(url, "what is there is no PNG, JPEG, GIF, WebP or BMP picture")
        return data
    raise _refusal(url, f"it redirects more than {MAX_REDIRECTS} times")


def refuse_private(address: str) -> None:
    """Raise unless an IP address is a public one.

    :raises ResponseFormatError: it is loopback, private, link-local, reserved or multicast
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    if not ip.is_global or ip.is_multicast or ip.is_reserved or getattr(ip, "is_site_local", False):
        raise ResponseFormatError(f"the service gave an image address on {address}, which is no public host")


def _send_to_stranger(exchange: Exchange, url: str) -> Body:
    """Send to another host: no cookie, no credential, and only to a public address."""
    session = Session()
    session.proxies = exchange.pooled.session.proxies
    session.trust_env = exchange.pooled.session.trust_env
    route = exchange.route._replace(cert=None)
    stranger = Exchange(
        PooledSession(session), exchange.deadline, route, exchange.name, exchange.secrets, exchange.sent
    )
    if stranger.proxy_for(url):  # which connects in our place, so the look-up here is the only one to check
        for address in _look_up(url):
            refuse_private(address)
    try:
        body = stranger.send(_request(url), "image", guard=refuse_private)
    except BaseException:
        session.close()
        raise
    body.on_close = session.close
    return body


def _request(url: str) -> requests.Request:
    headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
    return requests.Request("GET", url, headers=headers, auth=lambda request: request)


def _look_up(url: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(urlsplit(url).hostname, None)]
    except (OSError, UnicodeError) as error:
        pass_on_signal(error)
        return []  # a name that only the proxy knows


def _redirected(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise _refusal(target, "it is no address") from error


def _refusal(url: str, why: str) -> ResponseFormatError:
    shown = url.partition("?")[0][:100]  # what follows may be a signature, which opens the picture to anybody
    return ResponseFormatError(f"the service gave the image address {shown!r}: {why}")
