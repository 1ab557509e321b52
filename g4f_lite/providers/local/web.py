"""GET requests to Hugging Face's hub and to other places that have weights."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import requests

from ...arguments import check_proxy, safe_url
from ...errors import (
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderNotConfiguredError,
    ResponseFormatError,
    TransportError,
)
from ...http.body import Body
from ...http.checks import check
from ...http.deadline import Deadline
from ...http.exchange import Exchange
from ...http.pool import PooledSession
from ...http.route import Route
from ...http.session import Session
from ...http.urls import origin_of, parse_origin, redirected
from ...timeout import Timeout
from .engine import BearerAuth

HUB = "https://huggingface.co"
MAX_REDIRECTS = 5
TIMEOUT = Timeout(connect=10, read=60, total=None)


def hub() -> str:
    """Return the address of the hub, or of the mirror that ``HF_ENDPOINT`` names.

    :raises ValueError: if that is not an address
    """
    address = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise ValueError(f"HF_ENDPOINT must be an address such as {HUB}, not {safe_url(address)!r}")
    return address


class Web:
    """Sends GET requests; as a context manager it holds the connections.

    The user's ``HF_TOKEN`` goes to the hub alone, by https, and only where it refuses a request without it.
    """

    def __init__(self) -> None:
        self.call = Deadline(TIMEOUT)
        proxy = os.environ.get("G4F_LITE_PROXY")
        route = Route(check_proxy(proxy, "G4F_LITE_PROXY") if proxy else None, proxies_loopback=False)
        self._token = (os.environ.get("HF_TOKEN") or "").strip()
        self._refused = False  # without the token
        self._exchange = Exchange(PooledSession(Session()), self.call, route, "Local", lambda: [self._token])

    def __enter__(self) -> Web:
        self.call.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._exchange.close()
        self._exchange.pooled.session.close()
        self.call.__exit__()

    def get(self, url: str, **headers: str) -> Body:
        """Send a request, and where it is redirected, and give the response once it is a success.

        :raises AuthenticationError: if the file is not for everybody, and the token is missing or not good for it
        :raises ModelNotSupportedError: if there is nothing at this address
        :raises G4FLiteError: if it failed
        """
        try:
            body = self._follow(url, headers)
            try:
                check(body, lambda status, parsed, text: _refusal(status, url, bool(self._token)))
            except G4FLiteError:
                body.close()
                raise
        except G4FLiteError as error:
            error.provider = "Local"
            _explain(error, url)
            self._exchange.scrub(error)
            raise
        return body

    def _follow(self, url: str, headers: dict[str, str]) -> Body:
        for _ in range(MAX_REDIRECTS + 2):  # one more for the token
            body = self._exchange.send(self._request(url, headers), "bootstrap")
            target = body.headers.get("Location")
            if body.status in (301, 302, 303, 307, 308) and target:
                body.close()
                before, after = url, redirected(url, target)
                if after is None or parse_origin(after)[0] not in ("https", parse_origin(before)[0]):
                    shown = safe_url(after or target)
                    raise ResponseFormatError(
                        f"{origin_of(before)} redirects to {shown}, which is not a plain https URL"
                    )
                url = after
            elif body.status in (401, 403) and not self._refused and self._may_have_token(url):
                body.close()
                self._refused = True
            else:
                return body
        raise ResponseFormatError(f"{origin_of(url)} redirects more than {MAX_REDIRECTS} times")

    def _request(self, url: str, headers: dict[str, str]) -> requests.Request:
        signs: Any = BearerAuth(self._token) if self._refused and self._may_have_token(url) else lambda request: request
        return requests.Request("GET", url, headers={"Accept-Encoding": "identity", **headers}, auth=signs)

    def _may_have_token(self, url: str) -> bool:
        origin = parse_origin(url)
        return bool(self._token) and origin[0] == "https" and origin == parse_origin(hub())


def check_online() -> None:
    """Raise where the user has forbidden to use the hub.

    :raises ProviderNotConfiguredError: ``HF_HUB_OFFLINE`` says so
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise ProviderNotConfiguredError(
            "HF_HUB_OFFLINE forbids to fetch anything from the hub; unset it to do so", provider="Local"
        )


def _explain(error: G4FLiteError, url: str) -> None:
    """Add to an error what to do where the hub cannot be reached."""
    is_reached = not isinstance(error, TransportError) or error.cause not in ("connection", "dns")
    if is_reached or parse_origin(url) != parse_origin(hub()):
        return
    asked = "is this machine online? HF_ENDPOINT can name a mirror of the hub, and"
    if os.environ.get("HF_ENDPOINT"):
        asked = "is the server running that HF_ENDPOINT names? And"
    error.message += f"; {asked} a .gguf file that you have is used by its path"
    error.args = (error.message,)


def _refusal(status: int, url: str, had_token: bool) -> G4FLiteError | None:
    if status in (401, 403):
        what = f"{safe_url(url)} is not there, or not for everybody (status {status})"
        page = _page_of(url)
        if page is None:
            return AuthenticationError(f"{what}: download it yourself, and give the path of the file", status=status)
        terms = f"look for a misprint, or accept the terms at {page} in your browser"
        token = f"{'the token in HF_TOKEN is not good for it: ' if had_token else ''}set HF_TOKEN to a token of yours"
        return AuthenticationError(f"{what}: {terms}, and {token} from {hub()}/settings/tokens", status=status)
    if status == 404:
        return ModelNotSupportedError(f"there is nothing at {safe_url(url)}; look for a misprint", status=status)
    return None


def _page_of(url: str) -> str | None:
    """Return the page of the repository that a URL of the hub leads to; None for a URL of elsewhere."""
    found = re.match(re.escape(hub()) + r"/(?:api/models/)?([^/]+/[^/]+)/(?:revision|resolve)/", url)
    return f"{hub()}/{found[1]}" if found else None
