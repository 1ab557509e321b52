"""A call of a batch that one of its own threads makes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..http.observer import observer
from ..store.answers import Kept
from .plan import Plan
from .task import Bundle


def ask_here(plan: Plan, bundle: Bundle, stopping: threading.Event) -> Kept:
    """Send the only prompt of a bundle, and return its whole answer.

    :param stopping: whether it is to be closed at once
    """

    def begin(close: Callable[[], None]) -> None:
        bundle.close = close
        if stopping.is_set():
            close()

    (task,) = bundle.tasks
    observer.set(plan.observer_of(task))
    return plan.calls.ask(task.prompt, task.provider, begin)
