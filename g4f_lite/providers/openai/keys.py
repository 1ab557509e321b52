"""Where a key comes from, and which server it may go to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import requests

from ...errors import AuthenticationError
from ...http.urls import is_loopback, parse_origin
from .address import is_azure

_TOKEN = "eyJ"  # how a signed token begins, which Azure takes where everybody does
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"  # of a shell, as a file of settings keeps them, or of a text program
_SCHEME = re.compile(r"(?i)((?:authorization:\s*)?bearer)\s")  # what goes before the key in a header
# As in a file of settings.
_ASSIGNED = re.compile(r"(?:(?:export|set)\s+)?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\s*=\s*[^=\s]")
_OTHER_NAMES = {
    "ANTHROPIC": "CLAUDE",
    "GEMINI": "GOOGLE",
    "OPENAI": "OPEN_AI",
    "TOGETHER": "TOGETHERAI",
    "XAI": "GROK",
}  # of services
_ONLY_OPENAI = "OPENAI_API_KEY is set, and is only for OpenAI and the server that OPENAI_BASE_URL names"
KeyLike = str | Callable[[], str]
OPENAI_ORIGIN = ("https", "api.openai.com", 443)


@dataclass(frozen=True)
class Key:
    """A service's key: given, or in an environment variable that belongs to its address.

    :param given: the argument: a key, or a function that returns the present one
    :param variable: the environment variable that may hold one
    :param required: whether the service answers nobody without one
    :param pickled: whether it was given before it was pickled, and left out there
    :param for_azure: whether it is sent in Azure's own header
    :param address: the address of the service
    :param named_in: the environment variable that has to name this address when the key is read; "" for none
    :param withheld: the preset's own variable where this is not the preset's own address; "" for none
    """

    given: KeyLike | None
    variable: str
    required: bool
    pickled: bool = False
    for_azure: bool = False
    address: str = ""
    named_in: str = ""
    withheld: str = ""

    @classmethod
    def of(cls, api_key: KeyLike | None, base_url: str, variable: str | None, *, home: str = "") -> Key:
        """Find the variable that belongs to an address, and check a key that was given.

        ``OPENAI_API_KEY`` goes to OpenAI or to ``OPENAI_BASE_URL``'s origin, ``G4F_LITE_API_KEY`` to
        ``G4F_LITE_BASE_URL``'s, and a preset's own variable to the preset's service; nowhere else.  The variable of a
        server on this machine goes to it on any port, as it may listen on another, and is not required.

        :param variable: the preset's own variable
        :param home: the preset's own address
        :raises ValueError: if the key is empty, or contains a space
        """
        given = api_key if api_key is None or callable(api_key) else clean(api_key, "api_key")
        origin, here = parse_origin(base_url), is_loopback(home)
        if variable is not None and origin == parse_origin(home) and not here:
            return cls(given, variable, required=True)
        if origin == OPENAI_ORIGIN:
            return cls(given, "OPENAI_API_KEY", required=True)
        if _names("OPENAI_BASE_URL", base_url):
            return cls(given, "OPENAI_API_KEY", required=False, address=base_url, named_in="OPENAI_BASE_URL")
        if variable is not None and here and is_loopback(base_url) and not _names("G4F_LITE_BASE_URL", base_url):
            return cls(given, variable, required=False)
        key = cls(given, "G4F_LITE_API_KEY", required=False, address=base_url, named_in="G4F_LITE_BASE_URL")
        return replace(key, for_azure=is_azure(base_url), withheld=variable or "")

    def value(self) -> str | None:
        """Return the key, or None where there is none.

        :raises TypeError: if the function that was given returned no string
        :raises ValueError: if what it returned is empty, or contains a space
        :raises AuthenticationError: if that of the environment does
        """
        if callable(self.given):
            return clean(self.given(), "the result of api_key()")
        if self.given is not None:
            return self.given
        found = os.environ.get(self.variable)
        try:
            return clean(found, self.variable) if found and self.reads else None
        except ValueError as error:
            raise AuthenticationError(str(error)) from error

    @property
    def reads(self) -> bool:
        """Whether the variable belongs to this address now; a program may change its environment."""
        return not self.named_in or _names(self.named_in, self.address)

    def hidden(self) -> str:
        """Return what no message may show, whether or not it can be a key; a function's is hidden as it was sent."""
        if callable(self.given):
            return ""
        return self.given or (os.environ.get(self.variable, "").strip() if self.reads else "")

    def check(self, provider: str) -> None:
        """Raise if a key that is needed is nowhere, or the one in the environment cannot be one.

        :param provider: the name of the provider, for the error
        :raises AuthenticationError: if so
        """
        if callable(self.given):
            return
        try:
            found = self.value()
        except AuthenticationError as error:
            error.provider = provider
            raise
        if found is None and self.required:
            raise AuthenticationError(self.remedy(), provider=provider)

    def remedy(self) -> str:
        """Say what to do where it is missing."""
        if self.pickled:
            lost = "the key of this provider was given as an argument, which a pickle does not carry"
            where = f", with its URL in {self.named_in}," if self.named_in else ""
            return f"{lost}: set {self.variable} in the environment{where} or give api_key= again"
        return f"no key: {self.way()}"

    def way(self) -> str:
        """Say how a key is given."""
        if self.reads:
            return f"set {self.variable} in the environment{_unread(self.variable)}, or give api_key="
        if os.environ.get(self.withheld):
            return f"give api_key=; {self.withheld} is set, and is not sent to another address"
        if os.environ.get(self.variable):
            named = f"set {self.named_in} to this URL as well"
            return f"give api_key=, or {named}: {self.variable} is only for the server that it names"
        if os.environ.get("OPENAI_API_KEY"):
            return f"give api_key=; {_ONLY_OPENAI}"
        return "give api_key="

    def origin(self) -> str:
        """Say where the key comes from, for whom a service has refused it."""
        if callable(self.given):
            return "the key is what api_key() returned"
        if self.given is not None:
            return "the key was given as api_key="
        if self.value() is not None:
            return f"the key is from {self.variable}"
        return f"no key was sent: {self.way()}"

    def auth(self, *, keep_session: bool) -> Callable[[requests.PreparedRequest], requests.PreparedRequest] | None:
        """Return what puts the key on a request.

        :param keep_session: whether a caller's own session may sign where there is no key
        """
        key = self.value()
        if key is None and keep_session:
            return None

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if key is not None and self.for_azure and not key.startswith(_TOKEN):
                request.headers["api-key"] = key
            elif key is not None:
                request.headers["Authorization"] = f"Bearer {key}"
            return request

        return sign

    def __repr__(self) -> str:
        return f"Key({'given' if self.given else self.variable})"

    def __reduce__(self) -> tuple[Any, ...]:
        lost = self.given is not None
        kept = self.required or lost, self.pickled or lost
        return Key, (None, self.variable, *kept, self.for_azure, self.address, self.named_in, self.withheld)


def _unread(variable: str) -> str:
    """Say which variable that seems to be meant is set in the place of another, or may be in a file; "" for none.

    It is not read all the same, because a key is sent only where its variable belongs.
    """
    service = variable.partition("_API_")[0]
    meant = rf"(?:{service}|{_OTHER_NAMES.get(service, service)})_?(?:API_?)?(?:KEY|TOKEN)"
    for name in os.environ:
        if name != variable and os.environ[name] and re.fullmatch(meant, name, re.IGNORECASE):
            return f" ({name} is set, and is not read)"
    if variable == "G4F_LITE_API_KEY" and os.environ.get("OPENAI_API_KEY"):
        return f" ({_ONLY_OPENAI})"
    if os.environ.get("G4F_LITE_API_KEY"):
        return " (G4F_LITE_API_KEY is only for the server that G4F_LITE_BASE_URL names)"
    return " (the file .env in this folder is not read)" if os.path.isfile(".env") else ""


def _names(variable: str, address: str) -> bool:
    """Return whether an environment variable names the server at an address."""
    named = os.environ.get(variable)
    return bool(named) and parse_origin(named) == parse_origin(address)


def clean(key: Any, name: str) -> str:
    """Strip a key.

    :raises TypeError: if it is no string
    :raises ValueError: if it is empty, in quotes, has several lines, is a line ``NAME=key``, or contains a space or a
        character outside ASCII
    """
    if not isinstance(key, str):
        raise TypeError(f"{name} must be a string, not {type(key).__name__}")
    stripped = key.strip()
    if not stripped:
        raise ValueError(f"{name} is empty")
    if "\n" in stripped:
        raise ValueError(f"{name} is not a valid key: it has more than one line; leave the key alone in it")
    if stripped[0] in _QUOTES and stripped[-1] in _QUOTES:
        raise ValueError(f"{name} is not a valid key: leave out the quotes")
    if assigned := _ASSIGNED.match(stripped):
        raise ValueError(f"{name} is not a valid key: leave out what is before it, '{assigned[1]}='")
    if scheme := _SCHEME.match(stripped):
        raise ValueError(f"{name} is not a valid key: leave out {scheme[1]!r}")
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ValueError(f"{name} is not a valid key: it contains a space or a character outside ASCII")
    return stripped
