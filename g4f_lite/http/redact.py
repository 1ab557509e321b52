"""Keeps secrets out of what people read: messages, logs, reprs, and an error's chain of causes."""

from __future__ import annotations

import base64
import dataclasses
import inspect
import operator
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

import requests

from ..arguments import KEYS, without_credentials
from ..errors import G4FLiteError, sanitize
from .spellings import SHORTEST_PART, Spellings, is_word

HIDDEN = "***"
MAX_PARTS = 50_000  # of a value in which secrets are looked for: each takes 10 to 30 µs, and no service needs as many
_OUR_WORDS = {"provider", "step", "cause", "limit"}  # attributes of errors that programs compare
# Attributes that hold an answer, or parts of one: nothing but secrets goes out of these, and no short ones, which may
# be words of it.
_OF_ANSWER = {"partial", "reasoning", "messages", "usage", "last_words"}
# A value of a header whose name says nothing: as a key is, and as a word, a date, an address or a phrase is not.
_LIKE_A_KEY = r"(?=\D*\d)(?=.*[A-Za-z])\S{8,}"
_IS_MIXED = r"(?=\D*\d).*[A-Za-z]"  # letters and digits, which no word of an answer has
# Headers that hold no secret, whoever sets them.
_PUBLIC = {"accept", "accept-encoding", "accept-language", "cache-control", "connection", "content-length"} | {
    *("content-type", "dnt", "host", "http-referer", "origin", "pragma", "referer", "transfer-encoding", "user-agent"),
    "x-title",
}
# What looks like a credential, and what is shown in its place.  Not compiled here: re does that once, when an error
# or a log line first needs it, and an import needs none of them.
_PATTERNS = (
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{4,}", rf"\1 {HIDDEN}"),
    (
        r"(?i)([?&](?:[\w-]*(?:key|token|secret|signature|credential)|sig|code|jwt|password|nonce|_wpnonce)=)[^&\s\"']+",
        rf"\1{HIDDEN}",
    ),
    *((pattern, HIDDEN) for pattern in KEYS),
)


def hide(text: str, secrets: Iterable[str] | Spellings) -> str:
    """Give ``text`` with each of ``secrets`` replaced by ``***``, however it is spelled, and otherwise unchanged.

    :param secrets: the secrets, or their spellings, where they are hidden in many texts
    """
    spellings = secrets if isinstance(secrets, Spellings) else Spellings(secrets)
    last, pieces = 0, []
    for start, end in sorted(spellings.places(text)):
        if start >= last:
            pieces += [text[last:start], HIDDEN]
        last = max(last, end)
    return "".join((*pieces, text[last:]))


def redact(text: str, secrets: Iterable[str] | Spellings = ()) -> str:
    """Give ``text`` with each of ``secrets``, and whatever looks like a credential, replaced by ``***``.

    Control characters go too: what is shown to people may quote a service.
    """
    text = hide(text, secrets)
    for pattern, replacement in _PATTERNS:
        text = re.sub(pattern, replacement, text)
    return sanitize(without_credentials(text))


def names_secret(name: str) -> bool:
    """Return whether a header or a query's field with this name is likely to hold a secret."""
    part = "auth|key|token|secret|cookie|pass|nonce|session|sign|credential"  # and sig and code are Azure's names
    return re.search(rf"(?i){part}|^(sig|code|jwt|pwd|pin)$", name) is not None


def secrets_in(headers: Mapping[str, Any]) -> list[str]:
    """List what headers hold that may be secret.

    :returns: the values of headers such as ``Authorization``, with the words in them, and those of any other name that
        look like a key; nothing of public headers such as ``User-Agent``
    """
    found = []
    for name, value in headers.items():
        if not value or name.lower() in _PUBLIC or name.lower().startswith("sec-"):
            continue
        text = value if isinstance(value, str) else bytes(value).decode("latin-1")
        if names_secret(name):
            found += [text, *(word for word in re.split(r"[\s;,=]+", text) if len(word) >= SHORTEST_PART)]
            found += _password_of(text)
        elif re.fullmatch(_LIKE_A_KEY, text):
            found.append(text)
    return [text for text in found if not is_word(text)]


def secrets_in_fields(value: Any, *, are_secret: bool = False) -> Iterator[str]:
    """List the strings in JSON that is sent which may be secrets: by the name of their field, or in ``headers``."""
    if isinstance(value, Mapping):
        for name, field in value.items():
            is_secret = are_secret or names_secret(name)
            yield from secrets_in_fields(field, are_secret=name == "headers" if isinstance(field, dict) else is_secret)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in_fields(item, are_secret=are_secret and isinstance(item, str))
    elif isinstance(value, str) and are_secret:
        yield from secrets_in({"Authorization": value})


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

    A password may hold an unescaped ``/``, ``?``, ``#``, ``@`` or ``\\``, so it goes to the last ``@``.  The user's
    name is listed too where it is more than a short plain word: some proxies take a key as the name.  So is the Base64
    of both, as a proxy gets it, without its padding.
    """
    url = url or ""
    credentials = url.partition("//")[2].rpartition("@")[0] or url.rpartition("@")[0]
    user, _, password = credentials.partition(":")
    pieces = re.split(r"[/?#@:\\\s]+", password)
    names = [form for form in (user, unquote(user)) if not is_word(form)]
    encoded = base64.b64encode(unquote(credentials).encode("latin-1", "replace")).decode("ascii").rstrip("=")
    sent = [encoded] if ":" in credentials else []  # a name alone is not sent
    return [form for form in dict.fromkeys((password, unquote(password), *pieces, *names, *sent)) if form]


def scrub(error: BaseException, secrets: Iterable[str] = ()) -> None:
    """Take secrets, requests and responses out of an exception and all its causes, in place.

    The local variables of the frames that the exception has left are cleared too, because they hold what was sent.
    An exception that the caller was handling meanwhile is left alone.
    """
    secrets = list(secrets)
    in_answers = Spellings(secret for secret in secrets if len(secret) >= SHORTEST_PART or re.search(_IS_MIXED, secret))
    spellings = Spellings(secrets)
    links = list(_chain(error))
    for link in links:
        # In these ways also what is frozen can be written to, such as an exception that is a dataclass.
        words, answer = Cleaner(lambda text: redact(text, spellings)), Cleaner(lambda text: hide(text, in_answers))
        BaseException.__init__(link, *map(words, link.args))
        is_ours, fields = isinstance(link, G4FLiteError), vars(link)
        for name, value in list(fields.items()):
            if name == "doc":  # the whole text that a JSONDecodeError is about
                fields[name] = ""
            elif is_ours and name in _OF_ANSWER:
                fields[name] = answer(value)
            elif not (is_ours and name in _OUR_WORDS):
                fields[name] = words(value)
        if isinstance(link, requests.RequestException):  # both hold the key
            fields.update(request=None, response=None)
        traceback.clear_frames(link.__traceback__)
    for link in links:  # pydantic's, for one, writes its message anew each time, from the values that it keeps
        for name in ("__cause__", "__context__"):
            inner = getattr(link, name)
            if any(inner is one for one in links) and _shows(inner, spellings):
                BaseException.__setattr__(link, name, None)


class Cleaner:
    """Cleans the texts in a value; what is behind its first ``MAX_PARTS`` parts is left out.

    :param clean: returns a text without secrets
    """

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._left = MAX_PARTS

    def __call__(self, value: Any) -> Any:
        """Return a value with all strings in it cleaned; the same one where that changes nothing."""
        self._left -= 1
        if self._left < 0:
            return HIDDEN
        if isinstance(value, str):
            cleaned = self._clean(value)
            return value if cleaned == value else cleaned
        kind = type(value)
        if kind in (list, tuple):
            items = [self(item) for item in takewhile(self._goes_on, value)]
            if len(items) < len(value):
                return kind([*items, HIDDEN])
            return value if all(map(operator.is_, items, value)) else kind(items)
        if kind is dict:
            fields = {self(name): self(item) for name, item in takewhile(self._goes_on, value.items())}
            is_same = len(fields) == len(value) and all(map(operator.is_, fields.values(), value.values()))
            return value if is_same and fields == value else fields
        settings = getattr(kind, "__dataclass_params__", None)
        if settings is not None and settings.frozen:  # such as a Usage
            own = {field.name: getattr(value, field.name) for field in dataclasses.fields(kind) if field.init}
            changed = {name: new for name, old in own.items() if (new := self(old)) is not old}
            return dataclasses.replace(value, **changed) if changed else value
        return value

    def _goes_on(self, _: object) -> bool:
        return self._left > 0


def _shows(error: BaseException, secrets: Spellings) -> bool:
    try:
        return hide(f"{error} {error!r}", secrets) != f"{error} {error!r}"
    except Exception:  # noqa: BLE001  of a class that is not ours; what cannot be read cannot be checked
        return True


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
        seen.add(id(link))
        yield link
        context = link.__context__
        traceback_ = None if context is None or context is link.__cause__ else context.__traceback__
        if traceback_ is None or id(traceback_.tb_frame) not in callers:
            waiting.append(context)
        waiting += [link.__cause__, getattr(link, "reason", None), *link.args]
