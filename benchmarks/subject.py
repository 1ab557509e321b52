"""What a measure of a client gets, and what the measures share."""

from __future__ import annotations

import json
import resource
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .background import Counts
from .clients import Stream


class Subject(NamedTuple):
    """One client in one process.

    :ivar roots: the server's addresses, by scheme; ``https`` may be missing
    """

    name: str
    stream: Stream
    roots: dict[str, str]


def url(root: str, framing: str, pieces: int, pace_ms: int = 0) -> str:
    """Give the base URL at which the server answers in this way."""
    return f"{root}/{framing}/{pieces}/{pace_ms}/v1"


def count(pieces: Iterable[object]) -> int:
    number = 0
    for _ in pieces:
        number += 1
    return number


def counted(roots: dict[str, str]) -> Counts:
    """Ask the server what it has counted so far; the question opens a connection, too."""
    with urllib.request.urlopen(f"{roots['http']}/counts") as response:
        counts: Counts = json.loads(response.read())
        return counts


def memory() -> tuple[float, float]:
    """Give the megabytes of resident memory of this process, now and at most."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux: only the most is known
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        return most, most
    kilobytes = {
        name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }
    return kilobytes["VmRSS"] * 1024 / 1e6, kilobytes["VmHWM"] * 1024 / 1e6
