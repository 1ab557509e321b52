"""How a request travels: through which proxy, with which certificates, and where it may not go."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from ..arguments import check_proxy, hide_keys
from ..errors import ProviderNotConfiguredError, TransportError
from .urls import is_loopback, origin_of

# The variables that may name a CA bundle, the first one set wins.  requests leaves out OpenSSL's own SSL_CERT_FILE.
CA_BUNDLES = ("G4F_LITE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
NEEDS_PYSOCKS = 'a SOCKS proxy needs PySocks: pip install "g4f-lite[socks]"'


class Route(NamedTuple):
    """How the requests of a call travel; None leaves a choice to the session and the environment.

    :param proxy: the URL of the proxy for every request
    :param direct: whether no proxy is used, whoever has set one: neither the session's nor the environment's
    :param verify: True, False, or the path of a CA bundle
    :param cert: the path of a client certificate, or a pair with its key
    :param proxies_loopback: whether the proxy is for this machine's own addresses too
    """

    proxy: str | None = None
    verify: bool | str | None = None
    cert: str | tuple[str, str] | None = None
    proxies_loopback: bool = True
    direct: bool = False

    def __repr__(self) -> str:
        return f"Route(verify={self.verify!r}, cert={self.cert!r})"  # a proxy may hold a password

    def settings_for(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Choose proxy, CA bundle and certificate: this route's, else the session's, else the environment's.

        :param session: the session that sends the request
        :param url: where it goes
        :returns: keyword arguments for ``requests.Session.send``
        """
        if self.direct:
            return {"proxies": {}, "stream": True, "verify": True, "cert": None}
        # All are passed with each request, because the environment's proxies would win over the session's
        # (psf/requests#2018), and its CA bundle over the session's verify (psf/requests#3829).
        proxies = dict(session.proxies)
        verify = self.verify
        if verify is None and session.verify is True:
            names = CA_BUNDLES if session.trust_env else CA_BUNDLES[:1]
            verify = next((path for name in names if (path := os.environ.get(name))), None)
        elif verify is None:
            verify = session.verify
        if self.proxy and (self.proxies_loopback or not is_loopback(url)):
            proxies = {"http": self.proxy, "https": self.proxy}
        elif is_loopback(url) and not proxy_among(proxies, url):
            # Nothing of the environment matters for loopback by http, and requests takes long to look there.
            if url.startswith("http:"):
                return {"proxies": {}, "stream": True, "verify": True, "cert": None}
            # requests would send loopback addresses to the environment's proxy.  An empty proxy prevents that; its
            # no_proxy= would write to os.environ, which all threads see.
            proxies[urlsplit(url).scheme] = ""
        settings = _merged(session, url, proxies, verify, self.cert)
        # Without what the session adds: its proxy for this very host would win over the call's.
        if self.proxy and self.proxy in proxies.values():
            settings["proxies"] = proxies
        return settings

    def proxy_for(self, session: requests.Session, url: str) -> str | None:
        """Return the URL of the proxy that a request of a session to ``url`` goes through, if any."""
        return proxy_among(self.settings_for(session, url)["proxies"], url)


def refuse_when_offline(url: str) -> None:
    """Raise if ``G4F_LITE_OFFLINE=1`` forbids a request.

    :raises ProviderNotConfiguredError: if the URL leads to another machine
    :raises ValueError: if the variable's value makes no sense
    """
    if not is_loopback(url) and is_switched_on("G4F_LITE_OFFLINE"):
        raise ProviderNotConfiguredError(
            f"G4F_LITE_OFFLINE=1 allows nothing but loopback, and {origin_of(url)} is not; unset it to go there"
        )


def is_switched_on(variable: str) -> bool:
    """Return whether a variable of the environment that is a switch is on.

    :raises ValueError: if its value is neither 1, true, yes or on, nor 0, false, no, off or empty
    """
    value = os.environ.get(variable, "")
    word = value.strip().lower()
    if word not in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
        raise ValueError(
            f"{variable} must be 1, true, yes or on, or else 0, false, no or off, not {hide_keys(value)!r}"
        )
    return word in ("1", "true", "yes", "on")


def proxy_among(proxies: dict[str, str], url: str) -> str | None:
    """Return the URL of the one of these proxies that a request to ``url`` goes through, if any."""
    return requests.utils.select_proxy(url, proxies) or None if proxies else None  # it parses the URL three times


def _merged(session: requests.Session, url: str, proxies: Any, verify: Any, cert: Any) -> dict[str, Any]:
    """Add the session's and the environment's settings to those of a call."""
    for _ in range(3):
        # urllib iterates over os.environ, which raises when another thread removes a variable meanwhile.
        with suppress(KeyError):
            return dict(session.merge_environment_settings(url, proxies, True, verify, cert))
    return dict(session.merge_environment_settings(url, proxies, True, verify, cert))


def check_found_proxy(proxy: str) -> None:
    """Check a proxy that may be the environment's or a session's; these may leave out ``http://``.

    :raises TransportError: if it is not a URL of a proxy
    """
    try:
        check_proxy(proxy if "://" in proxy else f"http://{proxy}", "the proxy in the environment or the session")
    except ValueError as error:
        raise TransportError(str(error), cause="proxy") from None
