"""What an address says: its origin, its port, whether it is this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def origin_of(url: str | None) -> str:
    """Give ``scheme://host:port`` of a URL, without credentials."""
    scheme, _, rest = (url or "").partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
