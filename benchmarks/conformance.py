"""Ask each dialect of the emulator through ours and two peers, and write docs/conformance.md.

Run ``python -m benchmarks.conformance``.  It exits with 1 if a peer keeps more of any answer than ours does.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from g4f_lite.emulator import Emulator
from g4f_lite.emulator.openai.dialects import deltas, errors, events, requests, tool_calls

from .background import ROOT
from .clients import LITELLM, OPENAI, OURS
from .environments import installed, python_for

PAGE = ROOT / "docs" / "conformance.md"
PIECES, WORDS = ["The answer", " is 42."], "no memory left on the device"
CALLS = [["clock", '{"tz":"CET"}'], ["weather", '{"city":"Oslo"}']]
ANSWER_IN_CALLS = [
    {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]}
    for index, function in enumerate({"name": name, "arguments": arguments} for name, arguments in reversed(CALLS))
]
TEXT = """# Conformance

What each client keeps of what servers send: ours beside {versions}, asked by the same loop over OpenAI's
interface, without retries. The server is the emulator in each [dialect](emulator.md#dialects) of answers, asked for a
whole answer and for a stream; what is the same for both is written once. In a stream, a failure comes after the first
piece. `python -m benchmarks.conformance` makes this page. The dialects of addresses, rates and lists are not in it, nor
those whose answers have neither text nor tool calls.

{table}

Answers of which a peer keeps something that ours does not: {lost}.
"""
# The answers of the first have no text, and of the last one call, in a field of its own.
LEFT_OUT = ("empty-length", "empty-content-filter", "empty-stop", "empty-refusal", "function-call")
IMAGE = r"\s*!\[[^\]]*\]\([^)]*\)"  # ours adds those of an answer to its text


@dataclass(frozen=True)
class Course:
    """What an emulated server does with a prompt.

    :ivar kind: ``"text"``, ``"calls"``, or ``"failure"``, which comes after the first piece of a stream
    """

    dialect: str
    kind: str
    stream: bool

    def set_up(self, emulator: Emulator) -> None:
        emulator.dialect(self.dialect)
        if self.kind == "calls":
            emulator.answer(ANSWER_IN_CALLS)
            return
        emulator.answer(PIECES)
        if self.kind == "failure":
            emulator.fail("error", message=WORDS, after=1 if self.stream else None)

    def kept(self, found: dict[str, Any]) -> set[str]:
        """List what was kept of what there was to keep."""
        text, error = found["text"], found["error"]
        if self.kind == "failure":
            told = {"an error"} if error else set()
            told |= {"its words"} if error and WORDS in error else set()
            return told | ({"the text before"} if self.stream and text == PIECES[0] else set())
        if error:
            return set()
        if self.kind == "calls":
            return {"the calls"} if _equal(found["calls"]) else set()
        return {"the answer"} if re.sub(IMAGE, "", text) == "".join(PIECES) else set()


def courses() -> Iterator[Course]:
    """List what is tried: each dialect of answers, whole and streamed."""
    for module, kind in (
        (events, "text"),
        (deltas, "text"),
        (requests, "text"),
        (tool_calls, "calls"),
        (errors, "failure"),
    ):
        for dialect in module.DIALECTS:
            if dialect.name not in LEFT_OUT:
                yield Course(dialect.name, kind, stream=False)
                yield Course(dialect.name, kind, stream=True)


class Peer:
    """A client in an environment of its own."""

    def __init__(self, name: str, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("conformance_worker.py")), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(python).parent,  # not where the sources are
        )

    def ask(self, base_url: str, course: Course) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"base_url": base_url, "stream": course.stream}) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def run(pythons: dict[str, str]) -> dict[Course, dict[str, set[str]]]:
    """Ask every client for every course."""
    with ExitStack() as stack:
        peers = {name: Peer(name, python) for name, python in pythons.items()}
        for peer in peers.values():
            stack.callback(peer.close)
        rows: dict[Course, dict[str, set[str]]] = {}
        for course in courses():
            rows[course] = {}
            for name, peer in peers.items():
                with Emulator() as emulator:
                    course.set_up(emulator)
                    rows[course][name] = course.kept(peer.ask(f"{emulator.url}/v1", course))
        return rows


def table(rows: dict[Course, dict[str, set[str]]]) -> Iterator[str]:
    """Write a row for each dialect, whole before streamed."""
    names = list(next(iter(rows.values())))
    yield f"| dialect | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for name in dict.fromkeys(course.dialect for course in rows):
        ways = [kept for course, kept in rows.items() if course.dialect == name]
        cells = [list(dict.fromkeys(", ".join(sorted(way[client])) or "nothing" for way in ways)) for client in names]
        yield f"| `{name}` | {' | '.join('; streamed: '.join(cell) for cell in cells)} |"


def behind(rows: dict[Course, dict[str, set[str]]]) -> list[Course]:
    """List the courses of which a peer keeps something that ours does not."""
    return [course for course, kept in rows.items() if set().union(*kept.values()) - kept[OURS]]


def _equal(calls: list[list[str]]) -> bool:
    try:
        return [[name, json.loads(arguments)] for name, arguments in calls] == [
            [name, json.loads(arguments)] for name, arguments in CALLS
        ]
    except ValueError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    kept = ROOT / ".benchmarks" / "newest"
    parser.add_argument("--environments", type=Path, default=kept, help="where they are made and kept")
    parser.add_argument("--write", type=Path, default=PAGE, help="the file to write")
    arguments = parser.parse_args()
    pythons = {name: python_for(name, arguments.environments, newest=True) for name in (OURS, OPENAI, LITELLM)}
    rows = run(pythons)
    versions = ", ".join(f"{name} {installed(pythons[name])[name]}" for name in (OPENAI, LITELLM))
    lost = behind(rows)
    filled = TEXT.format(versions=versions, table="\n".join(table(rows)), lost=len(lost))
    arguments.write.write_text(filled, encoding="utf-8")
    for course in lost:
        print(course, rows[course])
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
