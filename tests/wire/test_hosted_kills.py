"""A hosted batch whose process is killed in the middle of a request: the next one goes on, nothing is created twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

SCRIPT = Path(__file__).parent / "hosted_script.py"


@pytest.mark.once
@pytest.mark.parametrize("after", [None, 0], ids=["before the headers", "before the body"])
@pytest.mark.parametrize(
    ("step", "request_line"),
    [
        ("upload", "POST /v1/files"),
        ("create", "POST /v1/batches"),
        ("poll", "GET /v1/batches/*"),
        ("fetch", "GET /v1/files/*"),
    ],
)
def test_a_killed_process_leaves_a_batch_that_the_next_one_takes_up(
    step: str, request_line: str, after: int | None, tmp_path: Path
) -> None:
    method, path = request_line.split()
    with Emulator() as emulator:
        emulator.fail("stall", path=path, after=after)
        command = [sys.executable, str(SCRIPT), emulator.url, str(tmp_path / "run.json")]
        with subprocess.Popen(command) as process:
            while not any(request.fault for request in emulator.requests):
                time.sleep(0.01)
            time.sleep(0.1)  # the answer is on its way, or never will be
            process.kill()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("one two three\n", "")
        assert next(request for request in emulator.requests if request.fault).method == method
        assert len(emulator._openai.batches._batches) == 1
