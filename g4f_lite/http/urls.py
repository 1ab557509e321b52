"""What a URL says: its origin, and whether its host is this machine."""

from __future__ import annotations

import functools
import ipaddress
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, "str | None", "int | None"]


def origin_of(url: str | None) -> str:
    """Return ``scheme://host:port`` of a URL as text, as it is written there and without credentials."""
    scheme, _, rest = (url or "").partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def parse_origin(url: str | None) -> Origin:
    """Return scheme, host and port of a URL, to compare it with another's.

    :returns: the port that the scheme implies where the URL names none; ``("", None, None)`` for what is not a URL
    """
    try:
        parts = urlsplit(url or "")
        return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


@functools.lru_cache(64)  # a provider's requests all go to a few addresses
def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
