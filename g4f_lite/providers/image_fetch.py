"""Fetching images from URLs that a service sent, and that are therefore not trusted.

Only http and https are allowed, and only public hosts or the provider's own origin.  The address is checked on the
connection itself, and again at every redirect.  The response must be an image of limited size.
"""

from __future__ import annotations

import ipaddress
import re
import socket

import requests

from ..answers.images import MAX_IMAGE_BYTES
from ..errors import G4FLiteError, ResponseFormatError
from ..http.body import Body
from ..http.checks import check
from ..http.exchange import Exchange
from ..http.pool import PooledSession
from ..http.route import refuse_when_offline
from ..http.session import Session
from ..http.signals import pass_on_signal
from ..http.urls import as_sent, is_loopback, is_plain, parse_origin, redirected
from ..messages import image_type

MAX_REDIRECTS = 5
_NOT_PLAIN = "it is not an http or https URL without credentials, white space and backslashes"
_ENDS_IN_NUMBER = r"(?i)(^|\.)(\d+|0x[\da-f]*)$"  # as no name does, and every spelling of an IPv4 address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Ranges for special purposes (registries of IANA) that some versions of Python take for public ones, and the address
# at which a machine in Azure reaches its host.
_SPECIAL = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "5f00::/16"))
)


def fetch_image(exchange: Exchange, url: str, *, home: str) -> bytes:
    """Return the image at a URL that a service sent.

    :param home: a URL of the provider; its origin is allowed even if it is not public
    :raises ResponseFormatError: if the URL is not allowed, or the response is not an image
    """
    try:
        return _follow(exchange, url, home)
    except G4FLiteError as error:
        exchange.failed(error, "image")
        raise


def _follow(exchange: Exchange, url: str, home: str) -> bytes:
    """Fetch an image, following redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        if not is_plain(url):
            raise _refusal(url, _NOT_PLAIN)
        url = as_sent(url)
        if parse_origin(url) == parse_origin(home):
            body = exchange.send(_request(url), "image")
        else:
            body = _send_to_other_host(exchange, url)
        try:
            if body.status in (301, 302, 303, 307, 308) and "Location" in body.headers:
                location = body.headers["Location"]
                if (target := redirected(url, location)) is None:
                    raise _refusal(location, _NOT_PLAIN)
                url = target
                continue
            check(body, lambda status, parsed, text: None)
            data = body.read(MAX_IMAGE_BYTES)
        finally:
            body.close()
        if image_type(data) is None:
            raise _refusal(url, "the response is not a PNG, JPEG, GIF, WebP or BMP image")
        return data
    raise _refusal(url, f"it redirects more than {MAX_REDIRECTS} times")


def refuse_private(address: str) -> None:
    """Raise unless an IP address is public.

    :raises ResponseFormatError: if it is loopback, private, link-local, reserved or multicast
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    is_public = ip.is_global and not (ip.is_multicast or ip.is_reserved or getattr(ip, "is_site_local", False))
    if not is_public or any(ip in network for network in _SPECIAL):
        raise _not_public(address)


def _send_to_other_host(exchange: Exchange, url: str) -> Body:
    """Send a request to another host: without cookies or credentials, and only to a public address."""
    session = Session()
    session.proxies = exchange.pooled.session.proxies
    session.trust_env = exchange.pooled.session.trust_env
    route = exchange.route._replace(cert=None)
    other = Exchange(PooledSession(session), exchange.deadline, route, exchange.name, exchange.hidden, exchange.sent)
    other.used = exchange.used
    if other.route.proxy_for(other.pooled.session, url):  # the proxy connects, so that only this look-up can be checked
        refuse_when_offline(url)  # a name that is looked up can tell something, too
        _refuse_private_host(url)
    try:
        body = other.send(_request(url), "image", guard=refuse_private)
    except BaseException:
        session.close()
        raise
    body.on_close = session.close
    return body


def _request(url: str) -> requests.Request:
    headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
    return requests.Request("GET", url, headers=headers, auth=lambda request: request)


def _refuse_private_host(url: str) -> None:
    """Raise if the host of a URL is, or is looked up here as, an address that is not public.

    A name that cannot be looked up here passes, because perhaps the proxy can; what looks like an address does not:
    the proxy may read one in it that is unknown here.

    :raises ResponseFormatError: if it is not public
    """
    host = (parse_origin(url)[1] or "").strip("[]").rstrip(".")  # 127.0.0.1. is the same host
    if is_loopback(url):
        raise _not_public(host)
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        pass_on_signal(error)
        if re.search(_ENDS_IN_NUMBER, host) or ":" in host:
            raise _not_public(host) from error
        return
    for one in found:
        refuse_private(str(one[4][0]))


def _not_public(host: str) -> ResponseFormatError:
    return ResponseFormatError(f"the service sent the URL of an image on {host}, which is not a public address")


def _refusal(url: str, why: str) -> ResponseFormatError:
    shown = url.partition("?")[0][:100]  # the query may be a signature, which gives access to the image
    return ResponseFormatError(f"the service sent the image URL {shown!r}, which cannot be used: {why}")
