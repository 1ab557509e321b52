"""How long it may take to check an answer against a schema: some would take forever, or have many values to check."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_SECONDS = 5.0  # of computing: 100 kB take a fifth of one, unless a choice leads back to itself in each branch
_limit = threading.local()


@contextmanager
def in_bounded_time() -> Iterator[None]:
    """Let all that this thread checks meanwhile take ``MAX_SECONDS`` together."""
    if getattr(_limit, "ends_at", None) is not None:
        yield
        return
    _limit.ends_at = time.thread_time() + MAX_SECONDS
    try:
        yield
    finally:
        _limit.ends_at = None


def check_time() -> None:
    """Raise if the time is up.

    :raises TimeoutError: if it is
    """
    if time.thread_time() > _limit.ends_at:
        raise TimeoutError(f"that takes more than {MAX_SECONDS:g} s of computing")
