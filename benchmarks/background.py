"""A module of this package that runs in a process of its own, beside what is measured."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

Counts = dict[str, int]


@contextlib.contextmanager
def background(module: str, *arguments: object) -> Iterator[tuple[str, Callable[[], Counts]]]:
    """Run ``python -m benchmarks.MODULE ARGUMENTS``; its standard input's end ends it.

    :returns: the line that it prints when it is ready, and a function that tells what it has counted since that was
        called last
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    asking, answering = process.stdin, process.stdout

    def counted() -> Counts:
        asking.write("\n")
        asking.flush()
        counts: Counts = json.loads(answering.readline())
        return counts

    with process:
        try:
            yield answering.readline().strip(), counted
        finally:
            asking.close()


def answer_questions(count: Callable[[], Counts]) -> None:
    """Be the other side: answer each line of standard input by one with the counts, until it ends."""
    for _ in sys.stdin:
        print(json.dumps(count()), flush=True)
