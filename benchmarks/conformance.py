"""Try what real servers do on ours and on its peers, and write docs/conformance.md.

Run it as ``python -m benchmarks.conformance``.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from .background import ROOT
from .clients import LITELLM, OPENAI, OURS, SETTINGS
from .conformance_cases import CASES, Case, Facts
from .environments import installed, python_for

NO_SUCH_CALL: list[str] = ["no such call"]
PATIENCE = 600  # seconds for all cases of one client
FLAT = [case for cases in CASES.values() for case in cases]
HEAD = """\
# Conformance

What real servers do, tried on this library and on its peers side by side. Repeat it in a clone of the repository:

```sh
pip install -e . && python -m benchmarks.conformance
```

That makes an environment with the newest version of each peer below `.benchmarks/`, sends the same bytes to all, and
writes this page. Each case says what a client should come to know, and a cell says what of that it did. An error counts
where one is due, with the service's words in it or in its `body`, and only with the text that had come before.
"""


class Servers(http.server.ThreadingHTTPServer):
    """One server for all cases, each under a path of its own.

    :ivar requests: the paths and queries that were asked, by the number of the case
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: dict[int, list[str]] = {}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Servers

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: dict[str, Any]) -> None:
        first = self.path.split("/")[1]
        if not first.isdecimal():  # a client that makes up an address of its own
            self.send_error(404)
            return
        number = int(first)
        asked = self.server.requests.setdefault(number, [])
        asked.append(self.path)
        path = self.path.partition("?")[0]
        answers = FLAT[number].answers
        answer = answers[min(len(asked), len(answers)) - 1]
        if not path.rstrip("/").endswith(("/v1/chat/completions", "/v1/models", "/v1/images/generations")):
            answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        self.wfile.write(answer if isinstance(answer, bytes) else answer(body))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: the page tells."""


def kept_of(case: Case, seen: Facts, asked: list[str]) -> list[str]:
    """List which of a case's facts a client came to know."""
    if seen.get("no such call"):
        return NO_SUCH_CALL
    seen = {**seen, "requests": len(asked), "query": asked[-1].partition("?")[2] if asked else ""}
    if "error" not in case.facts and "error" in seen and case.facts.keys() & {"text", "calls", "models", "image"}:
        return []  # what came before it was raised is no answer
    kept = []
    for name, value in case.facts.items():
        if name == "error":
            is_kept = "error" in seen and value in seen["error"]
        elif name == "calls":
            is_kept = [_call(each) for each in seen.get(name, [])] == [_call(each) for each in value]
        else:
            is_kept = name in seen and seen[name] == value
        kept += [name] if is_kept else []
    if "error" in case.facts and "error" not in kept:
        return []  # a failure that passes for an answer
    return kept


def _call(call: list[str]) -> list[Any]:
    """Give a tool call with its arguments as they are meant."""
    try:
        return [*call[:2], json.loads(call[2])]
    except ValueError:
        return list(call)


def run(client: str, python: str) -> list[list[str]]:
    """Ask a client all cases; give what it kept of each."""
    server = Servers()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        done = subprocess.run(
            [python, "-m", "benchmarks.conformance_clients", client, f"http://127.0.0.1:{server.server_port}"],
            cwd=ROOT,
            env={**os.environ, **SETTINGS},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    finally:
        server.shutdown()
        server.server_close()
    seen = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    if len(seen) < len(FLAT):
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"{client} ended with {done.returncode}")
    return [kept_of(case, seen[number], server.requests.get(number, [])) for number, case in enumerate(FLAT)]


def page(kept: dict[str, list[list[str]]], versions: str) -> str:
    """Write the page.

    :param kept: what each client kept of each case
    """
    names = list(kept)
    lines = [HEAD, versions, ""]
    number = 0
    for title, cases in CASES.items():
        lines += [
            f"## {title}",
            "",
            f"| what comes | who does so | {' | '.join(names)} |",
            "|---" * (len(names) + 2) + "|",
        ]
        for case in cases:
            cells = [_cell(case, kept[name][number]) for name in names]
            lines.append(f"| {case.name} | {case.who} | {' | '.join(cells)} |")
            number += 1
        lines.append("")
    more = [FLAT[place].name for place in behind(kept)]
    lines.append(
        f"A peer keeps more than ours of: {', '.join(more)}." if more else "No peer keeps more of any of these."
    )
    return "\n".join(lines) + "\n"


def _cell(case: Case, kept: list[str]) -> str:
    if kept == NO_SUCH_CALL:
        return "–"
    if len(kept) == len(case.facts):
        return "all"
    return ", ".join(kept) or "nothing"


def behind(kept: dict[str, list[list[str]]]) -> list[int]:
    """List the cases of which a peer keeps more than ours."""
    counts = {name: [0 if each == NO_SUCH_CALL else len(each) for each in kept[name]] for name in kept}
    return [place for place, ours in enumerate(counts[OURS]) if any(ours < counts[name][place] for name in counts)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__)
    parser.add_argument("--environments", type=Path, default=ROOT / ".benchmarks", help="where they are made and kept")
    parser.add_argument("--print", action="store_true", help="print the page, and write nothing")
    arguments = parser.parse_args()
    pythons = {OURS: sys.executable}
    for peer in (OPENAI, LITELLM):
        pythons[peer] = python_for(peer, arguments.environments / "newest", newest=True)
    kept = {client: run(client, python) for client, python in pythons.items()}
    versions = ", ".join(f"{peer} {installed(pythons[peer])[peer]}" for peer in (OPENAI, LITELLM))
    text = page(kept, f"Versions: {versions}.")
    if arguments.print:
        print(text)
    else:
        (ROOT / "docs" / "conformance.md").write_text(text, encoding="utf-8")
    sys.exit(bool(behind(kept)))


if __name__ == "__main__":
    main()
