"""Checks the arguments of a batch, and prepares its results."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import check_whole_number
from ..store.answers import AnswerStore
from .causes import MOST_FAILURES
from .cost_limit import CostLimit
from .inputs import Inputs
from .pace import LocalMeter, Pace, check_rate
from .plan import Plan
from .results import BatchResults
from .task import Calls
from .workers import LONGEST_OUTAGE, LONGEST_PAUSE, Workers

if TYPE_CHECKING:
    from .hosted import HostedBatch, HostedCalls


def map_prompts(
    prompts: Iterable[Any],
    calls: Calls,
    defaults: Mapping[str, Any],
    *,
    workers: int | str = "auto",
    store: str | os.PathLike[str] | None = None,
    any_key: bool = False,
    rpm: float | None = None,
    tpm: float | None = None,
    on_error: str = "return",
    max_failures_in_a_row: int = MOST_FAILURES,
    max_pause: float = LONGEST_PAUSE,
    max_outage: float = LONGEST_OUTAGE,
    max_time: float | None = None,
    max_cost: float | None = None,
    progress: bool | None = None,
    fresh: bool = False,
    executor: Executor | None = None,
    pace: Pace | None = None,
) -> BatchResults[Any]:
    """Check the arguments of a batch and return its results, of which nothing is asked yet.

    The parameters are those of :meth:`g4f_lite.Client.map`.

    :param calls: sends the prompts
    :param defaults: the arguments that hold for all prompts
    :param pace: the client's
    """
    if on_error not in ("return", "raise"):
        raise ValueError(f"on_error must be 'return' or 'raise', not {on_error!r}")
    if progress is not None and not isinstance(progress, bool):
        raise TypeError(f"progress must be True, False or None, not {type(progress).__name__}")
    if not isinstance(any_key, bool):
        raise TypeError(f"any_key must be True or False, not {type(any_key).__name__}")
    for name, value in (("rpm", rpm), ("tpm", tpm)):
        check_rate(value, name)
    plan = Plan(
        calls,
        defaults,
        workers=Workers(
            workers, longest_pause=_wait(max_pause, "max_pause"), longest_outage=_wait(max_outage, "max_outage")
        ),
        meters=(*([LocalMeter(rpm, tpm)] if rpm or tpm else []), *([pace.meter] if pace else [])),
        any_key=any_key,
        fresh=fresh,
        raises=on_error == "raise",
        max_failures=check_whole_number(max_failures_in_a_row, "max_failures_in_a_row"),
        max_time=math.inf if max_time is None else _above_0(max_time, "max_time", "seconds"),
        cost_limit=None if max_cost is None else CostLimit(_above_0(max_cost, "max_cost", "dollars"), calls),
        progress=progress,
        executor=executor,
    )
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}")
    if store is not None and not isinstance(store, (str, os.PathLike)):
        raise TypeError(f"store must be a path, not {type(store).__name__}")
    inputs = Inputs.of(prompts)._replace(columns=calls.columns)
    plan.labels = inputs.labels
    plan.store = None if store is None else AnswerStore(store)
    return BatchResults(inputs, plan)


def _wait(seconds: Any, name: str) -> float:
    if not 0 <= _checked(seconds, name, "seconds") <= LONGEST_PAUSE:
        raise ValueError(f"{name} must be from 0 to {LONGEST_PAUSE:.0f} seconds, a day, not {seconds}")
    return float(seconds)


def _above_0(number: Any, name: str, unit: str) -> float:
    if not _checked(number, name, unit) > 0:
        raise ValueError(f"{name} must be above 0 {unit}, not {number}")
    return float(number)


def _checked(number: Any, name: str, unit: str) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be {unit}, not {type(number).__name__}")
    return number


def host_prompts(
    prompts: Iterable[Any],
    calls: HostedCalls,
    defaults: Mapping[str, Any],
    *,
    path: str | os.PathLike[str],
    poll: float = 30.0,
    pace: Pace | None = None,
) -> HostedBatch[Any]:
    """Check the arguments of a hosted batch and return it; nothing is sent.

    The parameters are those of :meth:`g4f_lite.Client.batch`.

    :param calls: writes and reads the requests, and sends those that are tried again
    :param defaults: the arguments that hold for all prompts
    :param pace: the client's, for what is sent again
    """
    from .hosted import HostedBatch

    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the path of a file such as 'run.json', not {type(path).__name__}")
    if isinstance(poll, bool) or not isinstance(poll, (int, float)):
        raise TypeError(f"poll must be a number of seconds, not {type(poll).__name__}")
    if not 0 < poll < float("inf"):
        raise ValueError(f"poll must be a positive number of seconds, not {poll!r}")
    inputs = Inputs.of(prompts)._replace(columns=calls.columns)
    meters = (pace.meter,) if pace else ()
    # An answer to a retry replaces what is stored.
    plan = Plan(calls, defaults, fresh=True, labels=inputs.labels, meters=meters)
    return HostedBatch(inputs, plan, calls, Path(os.path.abspath(path)), poll)
