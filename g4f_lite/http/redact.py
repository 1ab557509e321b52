"""Keeps secrets out of what people read: messages, logs, reprs, and an error's chain of causes."""

from __future__ import annotations

import base64
import inspect
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlsplit

import requests

from ..errors import G4FLiteError, sanitize

HIDDEN = "***"
_SHORTEST_SECRET = 4  # characters; to hide shorter ones would make a text unreadable and hide nothing
_SHORTEST_PART = 8  # characters of a secret that stands beside other words, or is cut
_OUR_WORDS = {"provider", "step", "cause", "limit"}  # attributes of errors that programs compare
# What looks like a credential, and what is shown in its place.  Not compiled here: re does that once, when an error
# or a log line first needs it, and an import needs none of them.
_PATTERNS = (
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}", rf"\1 {HIDDEN}"),
    (
        r"(?i)([?&](?:[\w-]*(?:key|token|secret|signature|credential)|sig|password|nonce|_wpnonce)=)[^&\s\"']+",
        rf"\1{HIDDEN}",
    ),
    # Keys by how they begin: of OpenAI and most others, NVIDIA, Perplexity, Cerebras; Groq, Hugging Face, Replicate,
    # Fireworks, GitHub, GitLab, Slack; Google's API keys and OAuth tokens, Amazon's; JSON web tokens.
    (r"\b(?:sk|pk|rk|xai|gsk|nvapi|pplx|csk|glpat|xox[a-z])-[\w-]{8,}", HIDDEN),
    (r"\b(?:(?:sk|pk|rk)_(?:live|test|proj)|gsk|hf|r8|fw|gh[a-z]|github_pat|tgp_v1)_[A-Za-z0-9_]{8,}", HIDDEN),
    (r"\b(?:AIza[\w-]{16,}|ya29\.[\w-]{16,}|A[KS]IA[A-Z0-9]{12,}|eyJ[\w-]{16,}[\w.-]*)", HIDDEN),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Give ``text`` with each of ``secrets``, and whatever looks like a credential, replaced by ``***``.

    Control characters go too: what is shown to people may quote a service.
    """
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), repr(secret)[1:-1]}:
            text = _hide(text, form)
    for pattern, replacement in _PATTERNS:
        text = re.sub(pattern, replacement, text)
    return sanitize(re.sub(r"[^\s\"'<>]+", _without_credentials, text))


def _without_credentials(word: re.Match[str]) -> str:
    """Hide what is before the last ``@`` of a URL: a password may hold an unescaped ``/``, ``?``, ``#`` or ``@``."""
    start, end = word[0].find("://") + 3, word[0].rfind("@")
    return word[0][:start] + HIDDEN + word[0][end:] if 3 <= start < end else word[0]


def _hide(text: str, secret: str) -> str:
    """Hide a secret, and the beginning of one where a message was cut within it."""
    if is_word(secret):  # else "test" would take a piece out of "latest"
        return re.sub(rf"(?<!\w){secret}(?!\w)", HIDDEN, text)
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


def is_word(text: str) -> bool:
    """Return whether this is a short plain word, such as the value of a cookie ``theme=dark``."""
    return len(text) < _SHORTEST_PART and text.isalpha()


def names_secret(name: str) -> bool:
    """Return whether a header or a query's field with this name is likely to hold a secret."""
    return re.search("auth|key|token|secret|cookie|pass|nonce|session|sign", name, re.IGNORECASE) is not None


def secrets_in(headers: Mapping[str, Any]) -> list[str]:
    """List what headers with names such as ``Authorization`` hold: their values, and the words in these."""
    found = []
    for name, value in headers.items():
        if value and names_secret(name):
            text = value if isinstance(value, str) else bytes(value).decode("latin-1")
            found += [text, *(word for word in re.split(r"[\s;,=]+", text) if len(word) >= _SHORTEST_PART)]
            found += _password_of(text)
    return [text for text in found if not is_word(text)]


def _password_of(authorization: str) -> list[str]:
    """List what an ``Authorization: Basic …`` header encodes: user and password together, and the password."""
    scheme, _, rest = authorization.partition(" ")
    try:
        signed = base64.b64decode(rest).decode("utf-8", "replace") if scheme.lower() == "basic" else ""
    except ValueError:
        return []
    return [part for part in (signed, signed.partition(":")[2]) if part]


def secrets_in_query(url: str, asked: str) -> list[str]:
    """List the values in a request's query that may be secrets: by their name, or because a session's auth added them.

    :param url: the URL that was sent
    :param asked: the URL before the session and its auth added to it
    """
    own, found = urlsplit(asked).query.split("&"), []
    for pair in urlsplit(url).query.split("&"):
        name, _, value = pair.partition("=")
        if names_secret(name) or pair not in own:
            found += [text for text in (value, unquote_plus(value)) if not is_word(text)]
    return found


def password_in(url: str | None) -> list[str]:
    """List the password in a URL: as it is written, as it is meant, and in the pieces into which a parser may cut it.

    A password may hold an unescaped ``/``, ``?``, ``#``, ``@`` or ``\\``, so it goes to the last ``@``.
    """
    url = url or ""
    credentials = url.partition("//")[2].rpartition("@")[0] or url.rpartition("@")[0]
    password = credentials.partition(":")[2]
    pieces = re.split(r"[/?#@:\\\s]+", password)
    return [form for form in dict.fromkeys((password, unquote(password), *pieces)) if form]


def scrub(error: BaseException, secrets: Iterable[str] = ()) -> None:
    """Take secrets, requests and responses out of an exception and all its causes, in place.

    The local variables of the frames that the exception has left are cleared too, because they hold what was sent.
    An exception that the caller was handling meanwhile is left alone.
    """
    secrets = list(secrets)
    for link in _chain(error):
        link.args = tuple(redact(arg, secrets) if isinstance(arg, str) else arg for arg in link.args)
        kept = _OUR_WORDS if isinstance(link, G4FLiteError) else {}
        for name, value in list(vars(link).items()):
            if name == "doc":  # the whole text that a JSONDecodeError is about
                setattr(link, name, "")
            elif isinstance(value, str) and name not in kept:
                setattr(link, name, redact(value, secrets))
        if isinstance(link, requests.RequestException):  # both hold the key
            link.request = link.response = None
        traceback.clear_frames(link.__traceback__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk over an exception, its causes, and the exceptions that it carries as arguments.

    Skip a context that belongs to the caller's own ``except``: Python links it to whatever is raised in there.
    It was caught in a frame that is still running and that our error has not come to.
    """
    here = inspect.currentframe()
    passed = {id(frame) for frame, _ in traceback.walk_tb(error.__traceback__)}
    callers = {id(frame) for frame, _ in traceback.walk_stack(here and here.f_back)} - passed
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        if link.__traceback__ is not None and id(link.__traceback__.tb_frame) in callers:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
