"""Batches against a server: what is observed of retries, Ctrl-C, and a pace that processes share by Redis."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from g4f_lite import (
    AuthenticationError,
    BatchStoppedError,
    Client,
    Fallback,
    OpenAICompatible,
    Pace,
    RetryPolicy,
)
from g4f_lite.batch.pace import SharedMeter
from g4f_lite.emulator import Emulator
from g4f_lite.testing import Echo

QUICK = RetryPolicy(backoff=0.001, max_backoff=0.001)


def client_of(emulator: Emulator, **settings: object) -> Client:
    return Client(OpenAICompatible(f"{emulator.url}/v1", model="m", retry=QUICK), **settings)  # type: ignore[arg-type]


def test_workers_see_the_refusals_that_retries_hide(emulator: Emulator) -> None:
    emulator.fail("rate_limit", nth=15)
    results = client_of(emulator).map([f"prompt {number}" for number in range(16)])
    assert results.texts() == [f"prompt {number}" for number in range(16)]
    assert results._plan.workers.refusals == 1
    assert results.usage.retries == 1
    assert sorted(result.attempts for result in results if result.attempts) == [1] * 15 + [2]


def test_a_pause_of_one_provider_of_a_chain_does_not_hold_up_another(emulator: Emulator) -> None:
    emulator.fail("rate_limit", retry_after=600, times=None)
    paused = OpenAICompatible(f"{emulator.url}/v1", model="m", retry=QUICK)
    results = Client(Fallback([paused, Echo()])).map([f"prompt {number}" for number in range(30)])
    with pytest.warns(UserWarning, match="^providers other than OpenAICompatible gave 30 of 30 answers: "):
        assert results.texts() == [f"prompt {number}" for number in range(30)]
    assert {result.provider for result in results} == {"Echo"}


def test_what_is_refused_for_longer_than_a_call_waits_is_sent_again(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("g4f_lite.batch.causes.LEAST_PAUSE", 0.0)
    emulator.fail("rate_limit", retry_after=0.05)
    impatient = RetryPolicy(max_retry_after=0.01)
    client = Client(OpenAICompatible(f"{emulator.url}/v1", model="m", retry=impatient))
    results = client.map(["one", "two", "three"], workers=1)
    assert results.texts() == ["one", "two", "three"]
    assert [result.attempts for result in results] == [2, 1, 1]
    assert (results.usage.retries, results.usage.failures, len(emulator.requests)) == (1, 0, 4)


@pytest.mark.parametrize("fault", ["cut", "reset", "end"])
@pytest.mark.parametrize("in_chain", [False, True])
@pytest.mark.parametrize(("retry", "again"), [(QUICK, True), (RetryPolicy(attempts=1), False), (None, False)])
def test_an_answer_that_a_server_cuts_is_asked_for_once_more_where_calls_are_repeated(
    emulator: Emulator, fault: str, in_chain: bool, retry: RetryPolicy | None, again: bool
) -> None:
    emulator.fail(fault, after=1)
    server = OpenAICompatible(f"{emulator.url}/v1", model="m", retry=retry)
    client = Client(Fallback([server, Echo()]) if in_chain else server)
    results = client.map(["one two three", "four"], workers=1, progress=False)
    assert [result.text for result in results] == ["one two three" if again else None, "four"]
    assert (results.usage.retries, results.usage.failures) == ((1, 0) if again else (0, 1))
    asked = [request.json()["messages"][-1]["content"] for request in emulator.requests]
    assert asked == ["one two three", "four", *["one two three"] * again]


def test_a_wrong_key_stops_the_batch_after_what_came_before(emulator: Emulator) -> None:
    emulator.fail("status", status=401, nth=20, times=None)
    results = client_of(emulator).map([f"prompt {number}" for number in range(500)], workers=4)
    seen = []
    with pytest.raises(BatchStoppedError) as caught:
        seen.extend(result.index for result in results)
    assert isinstance(caught.value.error, AuthenticationError)
    assert seen == list(range(len(seen)))
    assert len(seen) <= results.usage.done == 19
    assert len(emulator.requests) <= 19 + 4


def test_equal_settings_of_a_prompt_travel_with_it(emulator: Emulator) -> None:
    results = client_of(emulator).map([{"prompt": "one", "temperature": 0.5}, "two"], max_tokens=5, workers=1)
    assert results.texts() == ["one", "two"]
    bodies = [request.json() for request in emulator.requests]
    assert [(body.get("temperature"), body["max_tokens"]) for body in bodies] == [(0.5, 5), (None, 5)]


INTERRUPTED = """
import sys, time
from g4f_lite import Client
client = Client(base_url=sys.argv[1], model="m")
results = client.map([f"prompt {number}" for number in range(100)], workers=8)
try:
    for result in results:
        pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(len(list(results)), flush=True)
"""


@pytest.mark.once
def test_ctrl_c_ends_what_would_be_silent_for_long_and_iterating_again_goes_on(emulator: Emulator) -> None:
    emulator.fail("stall", nth=20, times=8)
    command = [sys.executable, "-c", INTERRUPTED, f"{emulator.url}/v1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while len(emulator.requests) < 27:
            time.sleep(0.01)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert time.monotonic() - began < 10  # a quarter of a second, where nothing else runs
        assert child.stdout.read() == "100\n"
    assert child.returncode == 0


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """Run a Redis server; skip where the program, or the packages that speak to it, are missing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    pytest.importorskip("limits")
    pytest.importorskip("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}"
        server.terminate()


PACED = """
import sys
from g4f_lite import Client, Pace
client = Client(base_url=sys.argv[1], model="m", pace=Pace(rpm=600, storage=sys.argv[2]))
assert len([result for result in client.map(["Hello"] * 15, workers=4) if result.error is None]) == 15
"""


@pytest.mark.once
def test_processes_share_a_pace_by_redis(emulator: Emulator, redis_url: str) -> None:
    command = [sys.executable, "-c", PACED, f"{emulator.url}/v1", redis_url]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    times = [request.started for request in emulator.requests]
    assert len(times) == 30
    # Ten a second; a sliding window of a second may be used at its end and at its beginning.
    most = max(sum(begin <= other < begin + 1 for other in times) for begin in times)
    assert most <= 20
    assert times[-1] - times[0] >= 1.5


@pytest.mark.once
def test_a_storage_that_is_not_there_stops_a_batch(emulator: Emulator, redis_url: str) -> None:
    address = redis_url.rpartition(":")[0]
    results = client_of(emulator, pace=Pace(rpm=60, tpm=100, storage=f"{address}:1")).map(["Hello"] * 3)
    with pytest.raises(BatchStoppedError, match=r"the storage redis://127.0.0.1:1 of the pace failed"):
        list(results)
    assert emulator.requests == []


@pytest.mark.once
def test_tokens_are_counted_by_redis(emulator: Emulator, redis_url: str) -> None:
    with client_of(emulator, pace=Pace(tpm=6, storage=redis_url)) as client:
        assert client.ask("one") == "one"
        stream = client.stream("x" * 40)
        assert client._router.pace is not None
        meter = client._router.pace.meter
        assert isinstance(meter, SharedMeter)
        assert meter.reserve(6) < 0
        stream.close()
        # The garbage collection may come to the socket before the connection of redis that would close it.
        meter._limiter.storage.storage.close()
