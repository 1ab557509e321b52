"""Secrets also go out of exceptions in a chain that do not let anyone write to them."""

from __future__ import annotations

import dataclasses

import attrs
import requests

from g4f_lite import TransportError
from g4f_lite.http.redact import HIDDEN, scrub

SECRET = "canary-1f2e3d4c"


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    said: str

    def __str__(self) -> str:
        return "said"


@attrs.frozen
class WithSlots(Exception):
    said: str

    def __str__(self) -> str:
        return f"said {self.said}"


def test_what_is_frozen_is_scrubbed_too_or_goes() -> None:
    error, kept, gone = TransportError("x"), Frozen(SECRET), WithSlots(SECRET)
    error.__cause__, error.__context__ = kept, requests.HTTPError(SECRET)
    BaseException.__setattr__(kept, "__cause__", gone)
    BaseException.__setattr__(kept, "__context__", KeyError(SECRET))
    scrub(error, [SECRET])
    assert error.__cause__ is kept
    assert (kept.said, kept.args, kept.__cause__) == (HIDDEN, (HIDDEN,), None)
    assert SECRET not in f"{error.__context__!r}{kept.__context__!r}"
