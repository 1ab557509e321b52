"""The emulator in a process of its own: ``python -m benchmarks.emulator [PACE]``.

It prints its port, and counts what it receives.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from .background import Counts, answer_questions

PIECES = 50
TEXT = "piece"


def main() -> None:
    from g4f_lite.emulator import Emulator

    with Emulator(lambda messages: [TEXT] * PIECES, pace=float(*sys.argv[1:])) as running:

        def received() -> Counts:
            steps = [request.step for request in running.requests]
            counts = {"bootstraps": steps.count("bootstrap"), "prompts": steps.count("prompt")}
            counts["connections"] = running.connections
            running.reset()  # before it answers, because the next requests follow at once
            return counts

        print(urlsplit(running.url).port, flush=True)
        answer_questions(received)


if __name__ == "__main__":
    main()
