"""Run ours and its peers in one run, on loopback, and write docs/benchmarks.md: ``python -m benchmarks``.

Clients take turns in each round, so that a slow moment of a shared machine meets them all; every
figure is a median over rounds, with its spread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import page
from .background import ROOT, background
from .clients import CLIENTS, OURS, SETTINGS
from .environments import NotInstalledError, python_for
from .rows import ROWS, Row
from .table import Figures

PATIENCE = 240  # seconds for one client's figures of one round


class Run:
    """One run: the environments, the server, and what is asked of them.

    :param pythons: of each client, its environment's Python
    :param ports: the server's, HTTP first
    :param authority: the file of the certificate that the clients trust, or None
    """

    def __init__(self, pythons: dict[str, str], ports: list[str], authority: str | None) -> None:
        self.pythons = pythons
        self._ports = ports
        self._trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), authority) if authority else {}

    def figures(self, row: Row, rounds: int) -> Figures:
        """Take a row's figures; a client that fails is left out of the rest of the row."""
        figures = Figures()
        if row.kind == "together":
            for _ in range(rounds):
                with noted(figures, OURS):
                    for column, numbers in self._worker(sys.executable, row).items():
                        figures.add(column, numbers)
            return figures
        pythons = {name: python for name, python in self.pythons.items() if name in row.clients}
        pythons.update((name, self.pythons[OURS]) for name in row.beside)
        for _ in range(rounds):
            for column, python in pythons.items():
                if column not in figures.failures:
                    with noted(figures, column):
                        if row.kind == "outside":
                            figures.add(column, row.measure(column, python))
                        else:
                            figures.add(column, self._worker(python, row, column))
        return figures

    def _worker(self, python: str, row: Row, client: str | None = None) -> Any:
        ports = self._ports if row.over_tls else self._ports[:1]
        done = subprocess.run(
            [python, "-m", "benchmarks.worker", row.name, *([client, *ports] if client else [])],
            cwd=ROOT,
            env={**os.environ, **SETTINGS, **(self._trust if row.over_tls else {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"it ended with {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def noted(figures: Figures, column: str) -> Iterator[None]:
    """Note what fails, and go on."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        figures.fail(column, str(error))


@contextlib.contextmanager
def certificate() -> Iterator[tuple[str | None, str | None]]:
    """Make a certificate for loopback; give its file for the server, and its authority's for the clients."""
    try:
        import trustme
    except ImportError:
        print('no figures over TLS: pip install "g4f-lite[bench]"', file=sys.stderr)
        yield None, None
        return
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        server, trusted = Path(folder) / "server.pem", Path(folder) / "authority.pem"
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server))
        authority.cert_pem.write_to_path(str(trusted))
        yield str(server), str(trusted)


def environments(names: list[str], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Give the Pythons of the clients, and why others have none."""
    pythons, missing = {}, {}
    for name in names:
        progress(f"environment of {name}")
        try:
            pythons[name] = python_for(name, folder)
        except (NotInstalledError, OSError, subprocess.SubprocessError) as error:
            missing[name] = str(error)
    return pythons, missing


def progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each figure is taken (each row's own number)")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], help="rows to run (all)")
    parser.add_argument("--clients", action="append", choices=list(CLIENTS), help="clients to run (all)")
    parser.add_argument("--environments", type=Path, default=ROOT / ".benchmarks", help="where they are made and kept")
    parser.add_argument("--write", type=Path, help="the file to write; docs/benchmarks.md where nothing is left out")
    arguments = parser.parse_args()
    # Ours is in every table, because the bars are about it.
    names = [name for name in CLIENTS if not arguments.clients or name in {OURS, *arguments.clients}]
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    began = time.monotonic()
    pythons, missing = environments(names, arguments.environments)
    taken: list[tuple[Row, Figures]] = []
    with certificate() as (server, authority), background("server", *filter(None, [server])) as (ports, _):
        run = Run(pythons, ports.split(), authority)
        for row in rows:
            progress(row.name)
            figures = run.figures(row, arguments.rounds or row.rounds)
            if row.kind != "together":
                for name in missing.keys() & set(row.clients):
                    figures.fail(name, missing[name])
            taken.append((row, figures))
    progress(f"done in {(time.monotonic() - began) / 60:.1f} minutes")
    text = page.write(taken, pythons)
    print(text)
    whole = not (arguments.only or arguments.clients or arguments.rounds)
    target = arguments.write or (ROOT / "docs" / "benchmarks.md" if whole else None)
    if target:
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
