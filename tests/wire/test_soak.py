"""Many threads, many calls, one in five of them struck by a fault: each gets its own answer or an error of ours.

The long form, 10,000 calls, is run by ``python -m pytest -m long tests/wire/test_soak.py``.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from g4f_lite import AiEngine, G4FLiteError, Provider, RetryPolicy, Timeout
from g4f_lite.emulator import Emulator

from .matrix_cells import PROVIDERS
from .matrix_outcomes import ANSWER
from .matrix_rows import FAMILIES, ROWS, Row

THREADS = 16
ROUND = 48  # calls, after which what was received is forgotten
DESCRIPTORS = Path("/proc/self/fd")
HEAVY = ("endless_line", "endless_headers", "bomb", "trailing", "closed port", "drip")


def _faults(family: str) -> list[Row]:
    """Choose faults that need no short limits and never end in half an answer that looks whole."""
    place = FAMILIES.index(family)
    return [
        row
        for row in ROWS
        if row.limits == "long" and row.fault not in HEAVY and not row.server and not row.settings.get("retry_after")
        if row.outcomes[place].error is not None or row.outcomes[place] == ANSWER
    ]


class Soak:
    """One provider's calls from all threads.

    :ivar ends: how many calls ended in which way
    """

    def __init__(self, name: str, emulator: Emulator) -> None:
        family, make = PROVIDERS[name]
        self.emulator = emulator
        self.provider: Provider = make(
            emulator.url, retry=RetryPolicy(attempts=2, backoff=0.001), timeout=Timeout(5, 20, 60)
        )
        self.ends: Counter[str] = Counter()
        self._faults = _faults(family)
        self._random = random.Random(7)
        self._lock = threading.Lock()

    def call(self, number: int) -> None:
        if number % 5 == 0:
            with self._lock:
                row = self._random.choice(self._faults)
            self.emulator.fail(row.fault, **row.settings)
        text = f"call {number} " + "word " * (number % 7) + f"{number}"
        try:
            if number % 2:
                answer = str(self.provider.create(messages=text))
            else:
                answer = "".join(map(str, self.provider.create_generator(messages=text)))
        except G4FLiteError as error:
            partial = getattr(error, "partial", "")
            assert text.startswith(partial), (text, partial)
            end = type(error).__name__
        else:
            assert answer == text
            end = "answer"
        with self._lock:
            self.ends[end] += 1

    def round(self, first: int, pool: ThreadPoolExecutor) -> None:
        list(pool.map(self.call, range(first, first + ROUND)))
        self.emulator.reset()


def _held() -> tuple[int, int]:
    """Count objects and descriptors."""
    gc.collect()
    return len(gc.get_objects()), len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


def _soak(name: str, calls: int) -> Counter[str]:
    with Emulator() as emulator, ThreadPoolExecutor(THREADS) as pool:
        soak = Soak(name, emulator)
        with soak.provider:
            soak.round(0, pool)
            objects, descriptors = _held()
            for first in range(ROUND, calls, ROUND):
                soak.round(first, pool)
            now = _held()
    assert soak.ends.total() == max(ROUND, -(-calls // ROUND) * ROUND)
    assert soak.ends["answer"] > soak.ends.total() * 0.7
    assert len(soak.ends) > 4, "the faults did strike"
    assert now[0] - objects < 5000, "objects grow with the number of calls"
    assert now[1] - descriptors <= 3 * THREADS, "descriptors grow with the number of calls"
    return soak.ends


@pytest.mark.once
@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "Chatgpt4Online"])
def test_every_call_ends_in_its_own_text_or_an_error(name: str) -> None:
    _soak(name, 2 * ROUND)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "Chatgpt4Online"])
def test_the_same_for_10_000_calls(name: str) -> None:
    print(name, dict(_soak(name, 10_000)), file=sys.stderr)


@pytest.mark.once
def test_threads_need_no_more_sessions_than_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("g4f_lite.http.body.DRAIN_SECONDS", 5)  # a busy machine may take its time to end an answer

    def ask(number: int) -> None:
        assert provider.create(messages=f"call {number}") == f"call {number}"

    with Emulator(renew_nonces=False) as emulator, AiEngine(emulator.url) as provider:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(ask, range(400)))
        steps = Counter(request.step for request in emulator.requests)
        assert steps["prompt"] == 400
        assert steps["bootstrap"] <= THREADS
        assert emulator.connections <= THREADS


@pytest.mark.once
def test_64_threads_do_not_hammer_a_dead_service() -> None:
    """A retry costs a token and there are 20: the service sees 64 first tries, and 20 more."""
    barrier = threading.Barrier(64)
    settings: dict[str, Any] = {"retry": RetryPolicy(attempts=10, backoff=0.001), "timeout": 30}
    with Emulator() as emulator, PROVIDERS["OpenAICompatible"][1](emulator.url, **settings) as provider:
        emulator.fail("server_error", times=None)

        def ask(_: int) -> None:
            barrier.wait(20)
            with pytest.raises(G4FLiteError):
                provider.create(messages="hi")

        with ThreadPoolExecutor(64) as pool:
            list(pool.map(ask, range(64)))
        assert len(emulator.requests) == 64 + 20
