"""Many prompts on a cluster of Dask: beside Dask's own ``map`` of a function that sends them by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .background import background
from .clients import OURS
from .table import Numbers

PROMPTS, SECONDS, PROCESSES, THREADS = 2000, 0.1, 2, 16
WORKERS = PROCESSES * THREADS
IDEAL = PROMPTS * SECONDS / WORKERS
AT_ONCE = 2 * WORKERS  # so that no thread waits for the scheduler
BY_MAP, BY_EXECUTOR = "Dask's map, by hand", "Dask's executor, by hand"
_own = threading.local()


def beside_dask() -> dict[str, Numbers]:
    """Time of 2,000 prompts of 100 ms on a ``LocalCluster`` with 2 processes of 16 threads, as a multiple of the ideal,
    6.25 s; and milliseconds above the ideal for each prompt.  By hand it is a function with a ``requests.Session`` in
    each thread, for ``dask.distributed.Client.map``, which hands all over at once, and for Dask's executor with 64
    tasks at once.  Ours has 64 at once, too, which are of several prompts each."""
    from dask.distributed import Client as Dask
    from dask.distributed import LocalCluster

    from g4f_lite import Client

    with (
        background("slow_emulator", SECONDS) as (url, _),
        LocalCluster(n_workers=PROCESSES, threads_per_worker=THREADS, dashboard_address=None) as workers,
        Dask(workers) as dask,
    ):
        prompts = [f"prompt {number}" for number in range(PROMPTS)]
        client = Client(base_url=f"{url}/v1", model="m")

        def ours(prompts: list[str]) -> Any:
            return client.map(prompts, executor=dask.get_executor(), workers=AT_ONCE).texts()

        def by_map(prompts: list[str]) -> Any:
            return dask.gather(dask.map(_ask, [url] * len(prompts), prompts, pure=False))

        def by_executor(prompts: list[str]) -> Any:
            executor = dask.get_executor()
            with ThreadPoolExecutor(AT_ONCE) as threads:
                return list(threads.map(lambda prompt: executor.submit(_ask, url, prompt).result(), prompts))

        asks = {OURS: ours, BY_MAP: by_map, BY_EXECUTOR: by_executor}
        return {name: _timed(ask, prompts) for name, ask in asks.items()}


def _timed(ask: Callable[[list[str]], Any], prompts: list[str]) -> Numbers:
    ask(prompts[:AT_ONCE])  # loads what is loaded at the first use
    began = time.perf_counter()
    assert ask(prompts) == ["answer"] * len(prompts)
    seconds = time.perf_counter() - began
    return {"× ideal": seconds / IDEAL, "above the ideal, ms a prompt": (seconds - IDEAL) / len(prompts) * 1e3}


def _ask(url: str, prompt: str) -> str:
    import requests

    if not hasattr(_own, "session"):
        _own.session = requests.Session()
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    answer = _own.session.post(f"{url}/v1/chat/completions", json=body).json()
    return str(answer["choices"][0]["message"]["content"])
