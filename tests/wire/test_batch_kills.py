"""A batch whose process is killed at any moment: nothing that was kept is asked again, and nothing is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator
from g4f_lite.store.answers import AnswerStore

SCRIPT = Path(__file__).parent / "batch_script.py"
WORKERS = 8


def stored(path: Path) -> int:
    if not path.exists():
        return 0
    store = AnswerStore(path)
    try:
        return store.count()
    finally:
        store.close()


def kill_and_go_on(folder: Path, kills: int, prompts: int, longest: float, seed: int) -> None:
    """Run a batch, kill it again and again, let it end, and compare what the emulator received with the store."""
    draw = random.Random(seed)
    path = folder / "answers.db"
    with Emulator(first_delay=0.02) as emulator:
        received = kept = 0
        for kill in range(kills + 1):
            command = [sys.executable, str(SCRIPT), emulator.url, str(path), str(prompts), str(WORKERS)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                if kill < kills:
                    time.sleep(draw.uniform(0, longest))
                    process.kill()
                else:
                    assert process.stdout.readline() == "done\n"
            time.sleep(0.05)  # what the killed process sent last reaches the emulator
            sent = sum(request.step == "prompt" for request in emulator.requests) - received
            received += sent
            now_kept = stored(path)
            assert 0 <= sent - (now_kept - kept) <= WORKERS, f"kill {kill}: {sent} sent, {now_kept - kept} kept"
            kept = now_kept
        assert kept == prompts
        times = Counter(request.json()["messages"][-1]["content"] for request in emulator.requests)
        assert set(times) == {f"prompt {number}" for number in range(prompts)}
        assert sum(times.values()) - prompts <= kills * WORKERS


@pytest.mark.once
def test_a_killed_batch_goes_on_where_it_was(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, kills=1, prompts=60, longest=0.1, seed=1)


@pytest.mark.long
def test_a_batch_that_is_killed_fifty_times_asks_nothing_twice(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, kills=50, prompts=4000, longest=0.4, seed=2)
