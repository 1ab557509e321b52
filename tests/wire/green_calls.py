"""Calls from greenlets that have to end: for the scripts that patch the standard library, and import this then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from g4f_lite import G4FLiteError

STALL = "stall"  # a prompt that the server does not answer
TOTAL = 0.2
LATEST = 2.0  # seconds; generous, as the machine may be busy


def ended(error: str, action: Callable[..., Any], *arguments: Any, **more: Any) -> None:
    """Check how a call ends, and that it does soon."""
    began = time.monotonic()
    try:
        raised = repr(action(*arguments, **more))
    except G4FLiteError as caught:
        raised = type(caught).__name__
    took = time.monotonic() - began
    assert raised == error, raised
    assert took < LATEST, took
