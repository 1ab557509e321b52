"""Calls of a batch that an executor makes, in other threads, processes or machines."""

from __future__ import annotations

import pickle
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Future
from typing import Any

from ..errors import G4FLiteError
from ..http.forks import lock_free_in_children
from ..http.observer import observer
from ..prompt import Prompt
from ..store.answers import Kept
from .plan import Plan
from .task import Calls, Task
from .workers import REQUESTS_LEFT, TOKENS_LEFT

_MOST_RECEIVED = 8  # batches whose providers a process keeps, with their connections
_OBSERVED = ("retry-after", "retry-after-ms", *REQUESTS_LEFT, *TOKENS_LEFT)
_received: OrderedDict[str, Shipment] = OrderedDict()
_lock = lock_free_in_children()

Observed = list[tuple[int, dict[str, str]]]


class Shipment:
    """The calls of a batch on their way to a worker, which unpickles them once and keeps their connections.

    :param calls: sends prompts
    :param name: the same for all of one run, and for no other
    """

    def __init__(self, calls: Calls, name: str | None = None) -> None:
        self.calls = calls
        self.name = name or uuid.uuid4().hex
        self._pickled: bytes | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._pickled is None:
            self._pickled = pickle.dumps(self.calls)
        return _receive, (self.name, self._pickled)


def _receive(name: str, pickled: bytes) -> Shipment:
    with _lock:
        if name not in _received:
            _received[name] = Shipment(pickle.loads(pickled), name)
            while len(_received) > _MOST_RECEIVED:
                _received.popitem(last=False)
        _received.move_to_end(name)
        return _received[name]


def ask_elsewhere(shipment: Shipment, index: int, prompt: Prompt, provider: Any) -> tuple[Kept | Exception, Observed]:
    """Answer a prompt in a worker, and return the answer or the error, and what was observed.

    :param index: the position of the prompt, without which an executor such as Dask's would take equal prompts for one
    """
    observed: Observed = []

    def observe(status: int, headers: Mapping[str, str]) -> None:
        observed.append((status, {name: headers[name] for name in _OBSERVED if name in headers}))

    before = observer.set(observe)
    try:
        return shipment.calls.ask(prompt, provider, lambda close: None), observed
    except Exception as error:  # noqa: BLE001  the parent decides what it means
        return _portable(error), observed
    finally:
        observer.reset(before)


def ask_by_executor(plan: Plan, shipment: Shipment, task: Task) -> Kept:
    """Let the executor of a batch answer a prompt.

    :raises G4FLiteError: if there is no whole answer
    :raises concurrent.futures.BrokenExecutor: if a worker died
    """
    assert plan.executor is not None
    future: Future[tuple[Kept | Exception, Observed]]
    try:
        future = plan.executor.submit(ask_elsewhere, shipment, task.index, task.prompt, task.provider)
    except RuntimeError as error:  # it was shut down
        raise BrokenExecutor(str(error)) from error
    task.close = future.cancel  # type: ignore[assignment]
    outcome, observed = future.result()
    for status, headers in observed:
        plan.workers.observe(status, headers)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  a class of somebody else's may raise anything
        return G4FLiteError(f"{type(error).__name__}: {error}")
    return error
