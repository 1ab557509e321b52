"""Keeps secrets out of what people read: messages, logs, reprs, and the chain of causes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import requests

HIDDEN = "***"
_SHORTEST_SECRET = 4  # characters; hiding shorter ones would make a text unreadable and hide nothing
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)(://)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(r"(?i)([?&](?:[\w-]*key|[\w-]*token|[\w-]*secret|password|nonce|_wpnonce)=)[^&\s\"']+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(?:sk|gsk|xai|pk|rk)-[\w-]{8,}"), HIDDEN),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Give ``text`` with each of ``secrets``, and whatever looks like a credential, replaced by ``***``."""
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN).replace(quote(secret, safe=""), HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def without_credentials(url: str) -> str:
    """Give a URL without user, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def scrub(error: BaseException, secrets: Iterable[str] = (), *, outside: BaseException | None = None) -> None:
    """Take secrets, requests and responses out of an exception and of all that it was caused by, in place.

    :param outside: the exception that the caller was handling; it and its causes are left alone
    """
    secrets = list(secrets)
    for link in _chain(error, outside):
        link.args = tuple(redact(arg, secrets) if isinstance(arg, str) else arg for arg in link.args)
        for name, value in list(vars(link).items()):
            if isinstance(value, str):
                setattr(link, name, redact(value, secrets))
        if isinstance(link, requests.RequestException):
            link.request = link.response = None


def _chain(error: BaseException, outside: BaseException | None) -> Iterator[BaseException]:
    """Walk over an exception, its causes, and the exceptions that it carries as arguments."""
    seen = {id(outside)}
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
