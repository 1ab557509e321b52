"""Who is told the status and the headers of each response to a prompt, also of those that are tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar

observer: ContextVar[Callable[[int, Mapping[str, str]], None] | None] = ContextVar("observer", default=None)
