"""A bare engine in a process of its own: one line of JSON on standard input asks it, one answers with times.

GOMP_SPINCOUNT=300 python bare_engine.py PATH THREADS
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Load the model and answer until the input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.cpuparams.n_threads = sys.argv[1], int(sys.argv[2])
    params.verbosity, params.n_parallel, params.n_ctx = -1, 1, 4096
    params.fit_params, params.cache_ram_mib = False, 0
    server = xllamacpp.Server(params)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        times: list[float] = []
        texts: list[str] = []

        def got(chunk: Any, times: list[float] = times, texts: list[str] = texts) -> None:
            text = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
            if text:
                times.append(time.perf_counter())
                texts.append(text)

        began = time.perf_counter()
        server.handle_chat_completions(json.loads(line), got)
        answer = {"first": times[0] - began, "rate": (len(times) - 1) / max(times[-1] - times[0], 1e-9)}
        sys.stdout.write(json.dumps({**answer, "text": "".join(texts)}) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
