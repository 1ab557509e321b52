"""Where a key comes from, and which server it may go to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from ...http.urls import parse_origin
from .address import is_azure

_TOKEN = "eyJ"  # how a signed token begins, which Azure takes where everybody does
OPENAI_ORIGIN = ("https", "api.openai.com", 443)


@dataclass(frozen=True)
class Key:
    """A service's key: given, or in an environment variable that belongs to its address.

    :param given: the key that was given as an argument
    :param variable: the environment variable that may hold one
    :param reads: whether that variable may be read for this address
    :param required: whether the service answers nobody without one
    :param pickled: whether it was given before it was pickled, and left out there
    :param is_azures: whether it goes to Azure, in a header of its own
    """

    given: str | None
    variable: str
    reads: bool
    required: bool
    pickled: bool = False
    is_azures: bool = False

    @classmethod
    def of(cls, api_key: str | None, base_url: str, variable: str | None, *, home: str = "") -> Key:
        """Find the variable that belongs to an address, and check a key that was given.

        ``OPENAI_API_KEY`` goes to OpenAI or to ``OPENAI_BASE_URL``'s origin, ``G4F_LITE_API_KEY`` to
        ``G4F_LITE_BASE_URL``'s, and a preset's own variable to the preset's service; nowhere else.

        :param variable: the preset's own variable
        :param home: the preset's own address
        :raises ValueError: the key is empty, or has a blank in it
        """
        given = None if api_key is None else clean(api_key, "api_key")
        if variable is not None and parse_origin(base_url) == parse_origin(home):
            return cls(given, variable, reads=True, required=True)
        origin = parse_origin(base_url)
        if origin in (OPENAI_ORIGIN, parse_origin(os.environ.get("OPENAI_BASE_URL"))):
            return cls(given, "OPENAI_API_KEY", reads=True, required=origin == OPENAI_ORIGIN)
        reads = origin == parse_origin(os.environ.get("G4F_LITE_BASE_URL"))
        return cls(given, "G4F_LITE_API_KEY", reads, required=False, is_azures=is_azure(base_url))

    def value(self) -> str | None:
        """Give the key, or None where there is none.

        :raises ValueError: the environment's is empty, or has a blank in it
        """
        if self.given is not None or not self.reads:
            return self.given
        found = os.environ.get(self.variable)
        return clean(found, self.variable) if found else None

    def missing(self) -> bool:
        """Tell whether a key that is needed is nowhere."""
        return self.required and self.value() is None

    def remedy(self) -> str:
        """Say what to do where it is missing."""
        if self.pickled:
            lost = "the key of this provider was given as an argument, which a pickle does not carry"
            return f"{lost}: set {self.variable} in the environment, or give api_key= again"
        return f"no key: set {self.variable} in the environment, or give api_key="

    def auth(self, *, keep_session: bool) -> Callable[[requests.PreparedRequest], requests.PreparedRequest] | None:
        """Give what puts the key on a request.

        :param keep_session: whether a caller's own session may sign where there is no key
        """
        key = self.value()
        if key is None and keep_session:
            return None

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if key is not None and self.is_azures and not key.startswith(_TOKEN):
                request.headers["api-key"] = key
            elif key is not None:
                request.headers["Authorization"] = f"Bearer {key}"
            return request

        return sign

    def __repr__(self) -> str:
        return f"Key({'given' if self.given else self.variable})"

    def __reduce__(self) -> tuple[Any, ...]:
        lost = self.given is not None
        kept = self.reads or lost, self.required or lost, self.pickled or lost
        return Key, (None, self.variable, *kept, self.is_azures)


def clean(key: Any, name: str) -> str:
    """Strip a key.

    :raises TypeError: it is no string
    :raises ValueError: it is empty, or has a blank, a newline or a letter outside ASCII in it
    """
    if not isinstance(key, str):
        raise TypeError(f"{name} must be a string, not {type(key).__name__}")
    stripped = key.strip()
    if not stripped:
        raise ValueError(f"{name} is empty")
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ValueError(f"{name} is no key: it has a blank or a strange character in it")
    return stripped
