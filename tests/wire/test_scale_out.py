"""Batches on executors of other packages: what a cluster's scheduler sees, and workers that die in the middle."""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import BatchStoppedError, Client, OpenAICompatible
from g4f_lite.emulator import Emulator

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("default")]

KEY = "sk-a-secret-that-nobody-shall-see"
PROMPTS = [f"prompt {number % 20}" for number in range(40)]
IN_FLIGHT = 4
MANY = PROMPTS * 3
WORKERS, MOST_IN_BUNDLE = 2, 10  # at once, and prompts that a worker has at once where answers are short


def asked(emulator: Emulator) -> Counter[str]:
    found = [request for request in emulator.requests if request.step == "prompt"]
    return Counter(request.json()["messages"][-1]["content"] for request in found)


@pytest.fixture
def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
    emulator.configure(api_key=KEY)
    return Client(OpenAICompatible(f"{emulator.url}/v1", model="m", retry=None))


@pytest.fixture
def dask() -> Iterator[Any]:
    """Give the client of a Dask cluster with two processes; skip without Dask."""
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def tasks_of(dask_scheduler: Any) -> tuple[list[str], bytes]:
    """Return the names of all tasks of a scheduler, and what it would send to a worker."""
    tasks = list(dask_scheduler.tasks.values())
    return [str(task.key) for task in tasks], pickle.dumps([task.run_spec for task in tasks])


def test_a_scheduler_sees_neither_the_key_nor_a_prompt_in_a_name(client: Client, emulator: Emulator, dask: Any) -> None:
    emulator.fail("stall", seconds=1, times=None)  # so that the tasks are there
    with ThreadPoolExecutor(1) as threads:
        results = client.map(PROMPTS[:IN_FLIGHT], executor=dask.get_executor(), workers=IN_FLIGHT)
        texts = threads.submit(results.texts)
        while len(asked(emulator)) < IN_FLIGHT:
            time.sleep(0.01)
        names, sent = dask.run_on_scheduler(tasks_of)
        assert texts.result() == PROMPTS[:IN_FLIGHT]
    assert [name.rpartition("-")[0] for name in names] == ["ask_elsewhere"] * IN_FLIGHT
    assert b"prompt 1" in sent
    assert KEY.encode() not in sent


def test_a_pure_executor_asks_equal_prompts_each(client: Client, emulator: Emulator, dask: Any) -> None:
    executor = dask.get_executor(pure=True)
    for runs in (1, 2):
        assert client.map(PROMPTS, executor=executor, workers=IN_FLIGHT).texts() == PROMPTS
        assert asked(emulator) == dict.fromkeys(PROMPTS, 2 * runs)


def test_a_worker_of_dask_that_dies_loses_nothing(
    client: Client, emulator: Emulator, dask: Any, tmp_path: Path
) -> None:
    emulator.fail("stall", seconds=0.02, times=None)
    store = tmp_path / "answers.db"
    results = client.map(MANY, executor=dask.get_executor(), workers=WORKERS, store=store)
    texts = []
    for result in results:
        texts.append(result.text)
        if len(texts) == 30:
            os.kill(next(iter(dask.run(os.getpid).values())), signal.SIGKILL)
    assert texts == MANY
    assert sum(asked(emulator).values()) <= len(MANY) + WORKERS * MOST_IN_BUNDLE
    assert client.map(MANY, store=store).estimate().calls == 0


def test_a_worker_of_loky_that_dies_stops_the_batch_and_loses_nothing(
    client: Client, emulator: Emulator, tmp_path: Path
) -> None:
    loky = pytest.importorskip("loky")
    emulator.fail("stall", seconds=0.02, times=None)
    store = tmp_path / "answers.db"
    executor = loky.get_reusable_executor(max_workers=2)
    try:
        results = iter(client.map(MANY, executor=executor, workers=WORKERS, store=store))
        seen = [next(results).text for _ in range(30)]
        os.kill(next(iter(executor._processes)), signal.SIGKILL)
        with pytest.raises(BatchStoppedError):
            seen.extend(result.text for result in results)
        assert seen == MANY[: len(seen)]
        executor = loky.get_reusable_executor(max_workers=2)
        assert client.map(MANY, executor=executor, workers=WORKERS, store=store).texts() == MANY
    finally:
        executor.shutdown(kill_workers=True)
    assert sum(asked(emulator).values()) <= len(MANY) + WORKERS * MOST_IN_BUNDLE
