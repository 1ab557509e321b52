"""Keeps secrets out of what people read: messages, logs, reprs, and the chain of causes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests

HIDDEN = "***"
_SHORTEST_SECRET = 4  # characters; hiding shorter ones would make a text unreadable and hide nothing
_SHORTEST_PART = 8  # characters of a secret that stands beside other words, or is cut
SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|pass|nonce|session|sign", re.IGNORECASE)
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)(://)[^/\s]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"(?i)([?&](?:[\w-]*(?:key|token|secret|signature|credential)|sig|password|nonce|_wpnonce)=)[^&\s\"']+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(?:sk|gsk|xai|pk|rk)-[\w-]{8,}"), HIDDEN),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Give ``text`` with each of ``secrets``, and whatever looks like a credential, replaced by ``***``."""
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), repr(secret)[1:-1]}:
            text = _hide(text, form)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _hide(text: str, secret: str) -> str:
    """Hide a secret, and the beginning of one where a message was cut within it."""
    text = text.replace(secret, HIDDEN)
    shortest = max(_SHORTEST_PART, len(secret) // 2)
    start = text.find(secret[:shortest]) if shortest < len(secret) else -1
    while start >= 0:
        end = start + shortest
        while text[end : end + 1] == secret[end - start : end - start + 1] != "":
            end += 1
        text = text[:start] + HIDDEN + text[end:]
        start = text.find(secret[:shortest], start + len(HIDDEN))
    return text


def secrets_in(headers: Mapping[str, Any]) -> list[str]:
    """List what headers with names like ``Authorization`` hold: their values, and the words in them."""
    found = []
    for name, value in headers.items():
        if value and SECRET_NAME.search(name):
            text = value if isinstance(value, str) else bytes(value).decode("latin-1")
            found += [text, *(word for word in re.split(r"[\s;,=]+", text) if len(word) >= _SHORTEST_PART)]
    return found


def password_in(url: str | None) -> list[str]:
    """List the forms of the password in a proxy's URL."""
    password = urlsplit(url or "").password
    return [password, unquote(password)] if password else []


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
