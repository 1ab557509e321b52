"""Measures one thing of one client in a process of its own: ``python -m benchmarks.worker CLIENT MEASURE PORT``.

Prints one JSON object of figures.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable

from .clients import Stream, installed

Measure = Callable[[Stream, str], dict[str, float]]
FRAMINGS = ("chunked", "length", "close", "gzip", "batch")


def url(root: str, framing: str, pieces: int, pace_ms: int = 0) -> str:
    return f"{root}/{framing}/{pieces}/{pace_ms}/v1"


def cpu_per_piece(stream: Stream, root: str) -> dict[str, float]:
    """Microseconds of this process's CPU time for each piece of a long answer."""
    pieces = 10_000
    count(stream(url(root, "chunked", 100)))
    began = time.process_time()
    assert count(stream(url(root, "chunked", pieces))) == pieces
    return {"µs": (time.process_time() - began) / pieces * 1e6}


def delivery(stream: Stream, root: str) -> dict[str, float]:
    """Median milliseconds from sending a piece to having it, at a pace of 10 ms, for each framing."""
    result = {}
    for framing in FRAMINGS:
        count(stream(url(root, framing, 2)))
        delays = [time.monotonic() - float(text) for text in stream(url(root, framing, 30, 10))]
        result[framing] = statistics.median(delays) * 1000
    return result


def connections(stream: Stream, root: str) -> dict[str, float]:
    """Connections that 100 streamed calls open."""
    before = accepted(root)
    for _ in range(100):
        count(stream(url(root, "chunked", 5)))
    return {"connections": accepted(root) - before - 1}  # the second question opens one too


def warm_call(stream: Stream, root: str) -> dict[str, float]:
    """Median milliseconds of a call of 5 pieces on a warm connection."""
    target = url(root, "chunked", 5)
    times = []
    for _ in range(300):
        began = time.perf_counter()
        count(stream(target))
        times.append(time.perf_counter() - began)
    return {"ms": statistics.median(times[50:]) * 1000}


def threads(stream: Stream, root: str) -> dict[str, float]:
    """Calls a second of 64 threads together, and the slowest call in milliseconds."""
    target = url(root, "chunked", 5)
    times: list[float] = []

    def work() -> None:
        for _ in range(10):
            began = time.perf_counter()
            count(stream(target))
            times.append(time.perf_counter() - began)

    count(stream(target))
    workers = [threading.Thread(target=work) for _ in range(64)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"calls/s": len(times) / (time.perf_counter() - began), "slowest ms": max(times) * 1000}


def memory(stream: Stream, root: str) -> dict[str, float]:
    """Megabytes of resident memory after import and one call."""
    count(stream(url(root, "chunked", 5)))
    return {"MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


MEASURES: dict[str, Measure] = {
    "cpu_per_piece": cpu_per_piece,
    "delivery": delivery,
    "connections": connections,
    "warm_call": warm_call,
    "threads": threads,
    "memory": memory,
}


def count(pieces: object) -> int:
    number = 0
    for _ in pieces:  # type: ignore[attr-defined]
        number += 1
    return number


def accepted(root: str) -> int:
    with urllib.request.urlopen(f"{root}/connections") as response:
        return int(response.read())


def main() -> None:
    client, measure, port = sys.argv[1:]
    root = f"http://127.0.0.1:{port}"
    print(json.dumps(MEASURES[measure](installed()[client](), root)))


if __name__ == "__main__":
    main()
