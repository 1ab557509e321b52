"""What a call costs: time, connections, round trips; in a long conversation, and from many threads."""

from __future__ import annotations

import statistics
import threading
import time

from .background import background
from .link import ROUND_TRIP
from .subject import Subject, count, counted, memory, url
from .table import Numbers

CALLS = 100
LENGTHS = (10, 100, 1000, 10_000)  # messages of a conversation
TEXT = "It is a truth universally acknowledged, that a message of a conversation has a hundred letters or so."
THREADS = (1, 8, 64)
CALLS_OF_THREADS = 1280  # of all threads together
SECONDS = 3  # of a slow client, after which it begins no more calls


def warm_call(subject: Subject) -> Numbers:
    """Milliseconds of a call of 5 pieces on a connection that is open: the median of 200 calls."""
    target = url(subject.roots["http"], "chunked", 5)
    times = []
    for _ in range(250):
        began = time.perf_counter()
        count(subject.stream(target))
        times.append(time.perf_counter() - began)
    return {"ms": statistics.median(times[50:]) * 1000}


def connections(subject: Subject) -> Numbers:
    """Connections that 100 streamed calls open, and TLS handshakes that 100 over TLS make."""
    before = counted(subject.roots)
    for root in subject.roots.values():
        for _ in range(CALLS):
            assert count(subject.stream(url(root, "chunked", 5))) == 5
    after = counted(subject.roots)
    numbers = {"connections": after["http"] - before["http"] - 1.0}  # the second question opened one too
    if "https" in subject.roots:
        numbers["TLS handshakes"] = after["handshakes"] - before["handshakes"]
    return numbers


def round_trips(subject: Subject) -> Numbers:
    """Round trips of a call through a link that takes 50 ms each way, the first one from a client and the next: counted
    on the way, and as its time divided by 100 ms.  Connecting takes one, TLS 1.3 another, the request a third."""
    numbers: Numbers = {}
    for scheme, root in subject.roots.items():
        count(subject.stream(url(root, "chunked", 5)))  # loads what is loaded at the first use
        with background("link", root.rpartition(":")[2]) as (port, passed):
            target = url(f"{scheme}://127.0.0.1:{port}", "chunked", 5)
            for manner in ("cold", "warm"):
                began = time.perf_counter()
                count(subject.stream(target))
                seconds = time.perf_counter() - began
                numbers[f"{scheme}, {manner}"] = passed()["round_trips"]
                numbers[f"{scheme}, {manner}, time"] = seconds / ROUND_TRIP
    return numbers


def conversation(subject: Subject) -> Numbers:
    """Processor time of a call, in milliseconds, with 10 to 10,000 messages of 100 letters; and what a message costs
    beyond the 1,000th, as a multiple of what one costs between the 100th and that: 1 is linear.  g4f is
    left out, because it sends 40 messages of a conversation at most."""
    target = url(subject.roots["http"], "chunked", 5)
    times: dict[int, list[float]] = {length: [] for length in LENGTHS}
    said = [{"role": ("user", "assistant")[number % 2], "content": TEXT} for number in range(LENGTHS[-1] + 1)]
    until = time.perf_counter() + SECONDS
    while len(times[LENGTHS[-1]]) < 12 and (time.perf_counter() < until or not times[LENGTHS[-1]]):
        for length, taken in times.items():
            for _ in range(1 if length == LENGTHS[-1] else 10):
                began = time.process_time()
                count(subject.stream(target, said[-length:]))
                taken.append(time.process_time() - began)
    costs = {length: statistics.median(taken) * 1000 for length, taken in times.items()}
    some, many, most = LENGTHS[1:]
    linear = (costs[most] - costs[many]) / (most - many) * (many - some) / (costs[many] - costs[some])
    return {**{f"{length:,} messages, ms": cost for length, cost in costs.items()}, "10,000 / 1,000": linear}


def threads(subject: Subject) -> Numbers:
    """Calls of 5 pieces a second from 1, 8 and 64 threads, the slowest call of the 64, and the calls a second of 64
    threads as a multiple of those of one.  Of `requests`, each thread has a session of its own."""
    numbers: Numbers = {}
    for number in THREADS:
        times, seconds = _in_threads(subject, number, CALLS_OF_THREADS)
        numbers[f"{_threads(number)}, calls/s"] = len(times) / seconds
    numbers["slowest of 64, ms"] = max(times) * 1000
    numbers["64 threads / 1"] = numbers["64 threads, calls/s"] / numbers["1 thread, calls/s"]
    return numbers


def resident(subject: Subject) -> Numbers:
    """Megabytes of resident memory after the import, and after one call."""
    imported, _ = memory()
    count(subject.stream(url(subject.roots["http"], "chunked", 5)))
    return {"after import, MB": imported, "after a call, MB": memory()[0]}


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"


def _in_threads(subject: Subject, number: int, calls: int) -> tuple[list[float], float]:
    """Share calls between threads; give the seconds of each, and of all together."""
    target = url(subject.roots["http"], "chunked", 5)
    times: list[float] = []
    until: list[float] = []
    ready = threading.Barrier(number + 1, action=lambda: until.append(time.perf_counter() + SECONDS))

    def work() -> None:
        count(subject.stream(target))
        ready.wait()
        for _ in range(calls // number):
            began = time.perf_counter()
            assert count(subject.stream(target)) == 5
            times.append(time.perf_counter() - began)
            if time.perf_counter() > until[0]:
                return

    workers = [threading.Thread(target=work) for _ in range(number)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return times, time.perf_counter() - began
