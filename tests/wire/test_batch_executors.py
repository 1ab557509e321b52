"""Batches whose calls an executor makes: in threads, in processes, and on a cluster of Dask."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import BatchStoppedError, Client, OpenAICompatible, Pace, ResponseStatusError
from g4f_lite.batch.elsewhere import Shipment, ask_elsewhere
from g4f_lite.client.batches import BatchCalls
from g4f_lite.emulator import Emulator

KEY = "sk-a-secret-that-nobody-shall-see"


def asked(emulator: Emulator) -> list[str]:
    return [request.json()["messages"][-1]["content"] for request in emulator.requests if request.step == "prompt"]


@pytest.fixture(autouse=True)
def _main_has_a_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``multiprocessing`` start processes below ``coverage run``, whose ``__main__`` lacks the attribute."""
    if not hasattr(sys.modules["__main__"], "__spec__"):
        monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)


@pytest.fixture
def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("G4F_LITE_BASE_URL", f"{emulator.url}/v1")
    monkeypatch.setenv("G4F_LITE_API_KEY", KEY)
    return Client(OpenAICompatible(f"{emulator.url}/v1", model="m", retry=None))


def test_threads_of_an_executor_make_the_calls(client: Client, emulator: Emulator, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as executor:
        results = client.map(["one", "one", "two"], executor=executor, store=tmp_path / "answers.db")
        assert results.texts() == ["one", "one", "two"]
        emulator.fail("status", status=400)
        assert [result.error is None for result in client.map(["three", "four"], executor=executor, workers=1)] == [
            False,
            True,
        ]
    assert sorted(asked(emulator)) == ["four", "one", "one", "three", "two"]
    assert client.map(["one", "one", "two"], store=tmp_path / "answers.db").estimate().stored == 3


@dataclass
class Sum:
    total: int


def test_typed_answers_come_from_an_executor_too(client: Client, emulator: Emulator) -> None:
    pytest.importorskip("msgspec")
    emulator.answer('{"total": "many"}')
    emulator.answer('{"total": 5}')
    with ThreadPoolExecutor(1) as executor:
        results = client.map(["2 + 3"], output=Sum, executor=executor)
        assert results.outputs() == [Sum(5)]


class Pickling(Executor):
    """An executor whose workers get everything by pickle."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self.sent.append(pickle.dumps((function, arguments)))
        future: Future[Any] = Future()
        received, copies = pickle.loads(self.sent[-1])
        future.set_result(pickle.loads(pickle.dumps(received(*copies))))
        return future


def test_no_key_is_in_what_is_sent_to_a_worker(client: Client, emulator: Emulator) -> None:
    executor = Pickling()
    results = client.map(["one", "two"], executor=executor, workers=1)
    assert results.texts() == ["one", "two"]
    assert {request.headers["Authorization"] for request in emulator.requests} == {f"Bearer {KEY}"}
    assert emulator.connections == 1  # a worker keeps what it has unpickled
    assert not any(KEY.encode() in sent for sent in executor.sent)


def test_a_worker_reports_refusals_and_errors_that_cannot_be_pickled(
    client: Client, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.batch.causes.LEAST_PAUSE", 0.0)

    class Local(Exception):
        pass

    class Broken:
        stored_as = ""

        def ask(self, *_: Any) -> Any:
            raise Local("a defect")

        def used(self) -> list[Any]:
            return ["a call"]

    report = ask_elsewhere(Shipment(Broken()), 0, [(None, None)] * 2)  # type: ignore[arg-type,list-item]
    assert [str(outcome) for outcome, _ in report.outcomes] == ["Local: a defect"]
    assert (report.observed, report.used) == ([], ["a call"])
    emulator.fail("rate_limit", retry_after=0)
    results = client.map(["one"], executor=Pickling(), workers=1)
    assert (results[0].text, results[0].attempts) == ("one", 2)  # it was put back
    assert results._plan.workers.refusals == 1


def test_an_executor_is_checked_at_the_call(client: Client) -> None:
    with pytest.raises(TypeError, match=r"executor must be a concurrent.futures.Executor, not int"):
        client.map(["one"], executor=5)  # type: ignore[call-overload]


def test_an_executor_that_was_shut_down_stops_the_batch(client: Client) -> None:
    with ThreadPoolExecutor(1) as executor:
        results = client.map(["one", "two"], executor=executor)
    with pytest.raises(BatchStoppedError, match="after shutdown"):
        list(results)


PROMPTS = [f"prompt {number % 20}" for number in range(40)]
MANY = PROMPTS * 3
MOST_IN_BUNDLE = 10  # prompts that a worker has at once


@pytest.mark.once
def test_processes_make_the_calls(client: Client, emulator: Emulator) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert client.map(PROMPTS, executor=executor, workers=4).texts() == PROMPTS
    assert Counter(asked(emulator)) == Counter(PROMPTS)
    assert {request.headers["Authorization"] for request in emulator.requests} == {f"Bearer {KEY}"}


@pytest.mark.once
def test_a_process_that_dies_stops_the_batch_and_loses_nothing(
    client: Client, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.fail("stall", seconds=0.02, times=None)
    store = tmp_path / "answers.db"
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        results = iter(client.map(MANY, executor=executor, workers=2, store=store))
        seen = [next(results).text for _ in range(30)]
        os.kill(next(iter(executor._processes)), signal.SIGTERM)
        with pytest.raises(BatchStoppedError, match="process"):
            seen.extend(result.text for result in results)
    assert seen == MANY[: len(seen)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert client.map(MANY, executor=executor, workers=2, store=store).texts() == MANY
    assert len(asked(emulator)) <= len(MANY) + 2 * MOST_IN_BUNDLE


@pytest.fixture
def dask_executor() -> Iterator[Executor]:
    """Give the executor of a Dask cluster with two processes; skip without Dask."""
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as dask,
    ):
        yield dask.get_executor()


@pytest.mark.once
@pytest.mark.filterwarnings("default")
def test_a_cluster_of_dask_asks_equal_prompts_each(
    client: Client, emulator: Emulator, dask_executor: Executor, tmp_path: Path
) -> None:
    results = client.map(PROMPTS, executor=dask_executor, workers=4, store=tmp_path / "answers.db")
    assert results.texts() == PROMPTS
    assert Counter(asked(emulator)) == Counter(PROMPTS)
    assert client.map(PROMPTS, executor=dask_executor, workers=4).texts() == PROMPTS
    assert len(asked(emulator)) == 2 * len(PROMPTS)


@pytest.mark.once
def test_loky_makes_the_calls(client: Client, emulator: Emulator) -> None:
    loky = pytest.importorskip("loky")
    executor = loky.get_reusable_executor(max_workers=2)
    try:
        assert client.map(PROMPTS, executor=executor, workers=4).texts() == PROMPTS
    finally:
        executor.shutdown(kill_workers=True)
    assert Counter(asked(emulator)) == Counter(PROMPTS)


def test_the_calls_of_a_batch_leave_pace_and_cache_with_the_parent(client: Client, tmp_path: Path) -> None:
    with_cache = Client(client.provider, cache=tmp_path / "cache.db", pace=Pace(rpm=5))
    copy = pickle.loads(pickle.dumps(BatchCalls(with_cache._router).for_workers()))
    assert (copy._router.cache, copy._router.pace) == (None, None)
    assert None not in (with_cache._router.cache, with_cache._router.pace)


def test_an_error_of_a_service_keeps_its_class_over_processes(client: Client, emulator: Emulator) -> None:
    emulator.fail("status", status=400)
    error = client.map(["one"], executor=Pickling())[0].error
    assert isinstance(error, ResponseStatusError)
    assert error.status == 400
