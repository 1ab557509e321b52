"""What ends the engine's process while the engine is asked whether it goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from g4f_lite.providers.local import child

SCRIPT = """
import os, sys, threading, time
from g4f_lite.providers.local import child

child.LOOK_SECONDS = child.WATCH_SECONDS = 0.001
child.GROWTH_BYTES, child.STUCK_SECONDS = 8 << 20, float(sys.argv[3])

def compute(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

def metrics():
    exec(sys.argv[1])
    return "llamacpp:requests_processing 1"

class Engine:
    handle_metrics = staticmethod(metrics)

looks = child.Looks(Engine(), float(sys.argv[2]), os.getppid())
for _ in range(30):
    compute(0.01)
    assert looks.look() == {"requests_processing": 1.0}
"""


@pytest.mark.parametrize(
    ("work", "seconds", "silence", "code"),
    [
        ("compute(60)", 0.2, 60, child.TOO_LONG),
        pytest.param(
            "held = bytearray(b'x') * (32 << 20); threading.Event().wait()",
            60,
            60,
            child.TOO_LONG,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
        ),
        ("threading.Event().wait()", 60, 0.01, 1),
        ("compute(0.01)", 0.2, 60, 0),  # all together more than one of them may take
    ],
    ids=["too much computing", "too much memory", "silence", "many answers"],
)
def test_an_engine_that_does_not_answer_is_ended(work: str, seconds: float, silence: float, code: int) -> None:
    command = [sys.executable, "-c", SCRIPT, work, str(seconds), str(silence)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
