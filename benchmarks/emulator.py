"""The emulator in a process of its own: ``python -m benchmarks.emulator [PACE]``.

It prints its URL.  A line on standard input is answered by one with what it has received since the
line before; standard input's end ends it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIECES = 50
TEXT = "piece"

Counts = dict[str, int]


@contextlib.contextmanager
def emulator(pace: float = 0.0) -> Iterator[tuple[str, Callable[[], Counts]]]:
    """Run it; give its URL, and a function that tells what it has received since it was called last."""
    command = [sys.executable, "-m", "benchmarks.emulator", str(pace)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    asking, answering = process.stdin, process.stdout

    def received() -> Counts:
        asking.write("\n")
        asking.flush()
        counts: Counts = json.loads(answering.readline())
        return counts

    with process:
        try:
            yield answering.readline().strip(), received
        finally:
            asking.close()


def main() -> None:
    from g4f_lite.emulator import Emulator

    with Emulator(lambda messages: [TEXT] * PIECES, pace=float(sys.argv[1])) as running:
        print(running.url, flush=True)
        for _ in sys.stdin:
            steps = [request.step for request in running.requests]
            counts = {"bootstraps": steps.count("bootstrap"), "prompts": steps.count("prompt")}
            counts["connections"] = running.connections
            running.reset()  # before it answers, because the next requests follow at once
            print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
