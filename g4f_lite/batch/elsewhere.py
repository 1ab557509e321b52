"""Calls of a batch that an executor makes, in other threads, processes or machines."""

from __future__ import annotations

import pickle
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Future
from typing import Any, NamedTuple

from ..errors import G4FLiteError
from ..http.forks import lock_free_in_children
from ..http.observer import observer
from ..prompt import Prompt
from ..store.answers import Kept
from .plan import Plan
from .task import Bundle, Calls
from .workers import REQUESTS_LEFT, TOKENS_LEFT, TOO_MANY

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


class Report(NamedTuple):
    """What a worker reports about a bundle of prompts.

    :param outcomes: the answer or the error of each, and its seconds; those after an error or a refusal were not sent
    :param observed: the statuses and headers of the responses
    :param used: what the calls took
    """

    outcomes: list[tuple[Kept | Exception, float]]
    observed: Observed
    used: list[Any]


def ask_elsewhere(shipment: Shipment, index: int, prompts: list[tuple[Prompt, Any]]) -> Report:
    """Answer prompts in a worker, one after the other until one fails or is refused.

    :param index: the position of the first, without which an executor such as Dask's would take equal prompts for one
    :param prompts: each with the provider that it names, or None
    """
    outcomes: list[tuple[Kept | Exception, float]] = []
    observed: Observed = []

    def observe(status: int, headers: Mapping[str, str]) -> None:
        observed.append((status, {name: headers[name] for name in _OBSERVED if name in headers}))

    before = observer.set(observe)
    try:
        for prompt, provider in prompts:
            began_at = time.monotonic()
            try:
                outcome: Kept | Exception = shipment.calls.ask(prompt, provider, lambda close: None)
            except Exception as error:  # noqa: BLE001  the parent decides what it means
                outcome = _portable(error)
            outcomes.append((outcome, time.monotonic() - began_at))
            if isinstance(outcome, Exception) or any(status == TOO_MANY for status, _ in observed):
                break
    finally:
        observer.reset(before)
    return Report(outcomes, observed, shipment.calls.used())


def ask_by_executor(plan: Plan, shipment: Shipment, bundle: Bundle) -> list[tuple[Kept | Exception, float]]:
    """Let the executor of a batch answer prompts, and return what came of each that was sent.

    :raises concurrent.futures.BrokenExecutor: if a worker died
    """
    assert plan.executor is not None
    prompts = [(task.prompt, task.provider) for task in bundle.tasks]
    future: Future[Report]
    try:
        future = plan.executor.submit(ask_elsewhere, shipment, bundle.tasks[0].index, prompts)
    except RuntimeError as error:  # it was shut down
        raise BrokenExecutor(str(error)) from error
    bundle.close = future.cancel
    outcomes, observed, used = future.result()
    plan.calls.count(used)
    observe = plan.observer_of(bundle.tasks[0])
    for status, headers in observed:
        observe(status, headers)
    return outcomes


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  a class of somebody else's may raise anything
        return G4FLiteError(f"{type(error).__name__}: {error}")
    return error
