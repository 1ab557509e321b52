"""A call of a batch that one of its own threads makes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping

from ..http.observer import observer
from ..http.waits import named_wait
from ..store.answers import Kept
from .plan import Plan
from .task import Bundle
from .workers import TOO_MANY


def ask_here(plan: Plan, bundle: Bundle, stopping: threading.Event) -> Kept:
    """Send the only prompt of a bundle, and return its whole answer.

    :param stopping: whether it is to be closed at once
    """
    waits_until = -math.inf  # as the service asked this call to

    def observe(status: int, headers: Mapping[str, str]) -> None:
        nonlocal waits_until
        plan.workers.observe(status, headers)
        if status == TOO_MANY and (wait := named_wait(headers)) is not None:
            waits_until = time.monotonic() + wait

    def begin(close: Callable[[], None]) -> None:
        bundle.close = close
        if stopping.is_set():
            close()

    (task,) = bundle.tasks
    observer.set(observe)
    kept = plan.calls.ask(task.prompt, task.provider, begin)
    if time.monotonic() < waits_until:  # which another provider of a chain did not ask for
        plan.workers.resume()
    return kept
