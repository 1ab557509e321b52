"""What a URL says, as requests and urllib3 read it: its origin, and whether its host is this machine.

There is one parser for what is checked and for what is sent.  Two of them differ: in ``http://a\\@b/``, ``urlsplit``
reads the host ``b``, and urllib3 connects to ``a``.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from urllib.parse import urljoin

import requests
from urllib3.util import Url, parse_url

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = r"[\w.-]+|\[[\w:.%-]+\]"  # as it is sent; the % is that of the zone of an IPv6 address

MAX_LENGTH = 64 * 1024  # characters of a URL that a service names: to quote one of a megabyte takes requests a minute

Origin = tuple[str, "str | None", "int | None"]


def origin_of(url: str | None) -> str:
    """Return ``scheme://host:port`` of a URL as text, as it is written there and without credentials."""
    scheme, _, rest = (url or "").partition("://")
    return f"{scheme}://{_authority(rest).rpartition('@')[2]}"


def as_sent(url: str) -> str:
    """Return a URL as requests sends it.

    :raises ValueError: if it cannot be sent
    """
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url or ""


def parse_origin(url: str | None) -> Origin:
    """Return scheme, host and port of the place that a request for a URL goes to, to compare it with another's.

    :returns: the port that the scheme implies where the URL names none; ``("", None, None)`` for what is not a URL
    """
    parts = _parsed(url or "")
    if parts is None or not parts.host or parts.scheme not in DEFAULT_PORTS:
        return "", None, None
    return parts.scheme, parts.host, parts.port or DEFAULT_PORTS[parts.scheme]


def is_plain(url: str) -> bool:
    """Return whether a URL that a service names can be followed: http or https, and nothing that programs read apart.

    A backslash, white space, control characters and credentials have no place in it, and no other sign than those of
    names and addresses in its host; no service needs them there.  It is at most 64 KiB long.
    """
    if len(url) > MAX_LENGTH or not url.isprintable() or re.search(r"[\s\\]", url):
        return False
    host = parse_origin(url)[1] or ""
    return re.fullmatch(_HOST, host, re.ASCII) is not None and "@" not in _authority(url.partition("://")[2])


def redirected(url: str, location: str | None) -> str | None:
    """Return the absolute URL that a redirect leads to; None where it names none that can be followed."""
    try:
        target = urljoin(url, location) if location else ""
    except ValueError:
        return None
    return target if is_plain(target) else None


@functools.lru_cache(64)  # a provider's requests all go to a few addresses
def is_loopback(url: str) -> bool:
    """Return whether a request for a URL, or what goes through a proxy at it, goes to this machine."""
    parts = _parsed(url)
    host = ((parts and parts.host) or "").strip("[]").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(url: str) -> Url | None:
    """Parse a URL as it is sent, or the URL of a proxy as it is; None for what is not one."""
    try:
        return parse_url(as_sent(url) if url.lstrip()[:4].lower() == "http" else url)
    except ValueError:  # those of requests and urllib3 are such
        return None


def _authority(rest: str) -> str:
    """Return what stands between ``://`` and the path."""
    return re.split(r"[/?#\\]", rest, maxsplit=1)[0]
