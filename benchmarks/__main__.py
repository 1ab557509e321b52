"""Run everything and print the table: ``python -m benchmarks [--rounds N] [--write FILE] [--python CLIENT=PATH]``.

Clients take turns in each round, so that a slow moment of a shared machine meets them all; every
figure is a median over rounds, with its spread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from . import house, local, services
from .clients import installed
from .table import Figures, Table, machine
from .worker import MEASURES

ROOT = Path(__file__).parent.parent
# Rows about ours alone, or against something else than the same call of a peer.
SERVICES = {"warm_services": services.warm_services, "emulator_streams": services.emulator_streams}
OWN = ["import", "local", *SERVICES]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own; give its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    with process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def measure(client: str, name: str, port: str, python: str) -> dict[str, float]:
    command = [python, "-m", "benchmarks.worker", client, name, port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"{client}, {name}: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is taken (5)")
    parser.add_argument("--only", action="append", choices=[*MEASURES, *OWN], help="rows to run (all)")
    parser.add_argument("--write", type=Path, help="a Markdown file to write the table to")
    parser.add_argument(
        "--python", action="append", default=[], metavar="CLIENT=PATH", help="another environment's Python for a peer"
    )
    arguments = parser.parse_args()
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    clients = {name: pythons.get(name, sys.executable) for name in [*installed(), *pythons]}
    rows = arguments.only or [*MEASURES, *OWN]
    table = Table(list(clients))
    with server() as port:
        for name in rows:
            if name in MEASURES:
                figures = Figures()
                for _ in range(arguments.rounds):
                    for client, python in clients.items():
                        figures.add(client, measure(client, name, port, python))
                table.add(name, MEASURES[name].__doc__ or "", figures)
    if "import" in rows:
        table.add("import", house.imports.__doc__ or "", house.imports(arguments.rounds, clients))
    if "local" in rows:
        table.add("local", local.first_piece.__doc__ or "", local.first_piece(arguments.rounds))
    for name, measured in SERVICES.items():
        if name in rows:
            table.add(name, measured.__doc__ or "", measured(arguments.rounds))
    text = f"{machine(clients)}\n\n{table.markdown()}\n"
    print(text)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
