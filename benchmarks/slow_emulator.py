"""The emulator in a process of its own, which thinks: ``python -m benchmarks.slow_emulator SECONDS [RATE]``.

It prints its URL, and counts the prompts that it received and those that it refused.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from .background import Counts, answer_questions


def main() -> None:
    from g4f_lite.emulator import Emulator

    seconds, *rate = map(float, sys.argv[1:])

    def think(messages: object) -> Iterator[str]:
        time.sleep(seconds)
        yield "answer"

    with Emulator(think, rate=rate[0] if rate else None) as running:

        def received() -> Counts:
            statuses = [request.status for request in running.requests if request.step == "prompt"]
            running.reset()
            return {"prompts": len(statuses), "refused": statuses.count(429)}

        print(running.url, flush=True)
        answer_questions(received)


if __name__ == "__main__":
    main()
