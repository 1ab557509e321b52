"""Figures of several rounds → a Markdown table of medians and spreads."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections import defaultdict

OURS, BARE = "g4f_lite", "bare requests"
# What ours must reach: the figure's name → (limit of ours / bare, or an absolute limit)
BARS = {
    ("cpu_per_piece", "µs"): ("≤ 1.25 × bare", lambda ours, bare: ours <= 1.25 * bare),
    ("delivery", "chunked"): ("≤ 0.5 ms", lambda ours, bare: ours <= 0.5),
    ("delivery", "length"): ("≤ 0.5 ms", lambda ours, bare: ours <= 0.5),
    ("delivery", "close"): ("≤ 0.5 ms", lambda ours, bare: ours <= 0.5),
    ("delivery", "gzip"): ("≤ 0.5 ms", lambda ours, bare: ours <= 0.5),
    ("connections", "connections"): ("≤ 1", lambda ours, bare: ours <= 1),
    ("warm_call", "ms"): ("≤ 1.25 × bare", lambda ours, bare: ours <= 1.25 * bare),
    ("import", "ms"): ("≤ 1.25 × requests + tenacity", lambda ours, bare: ours <= 1.25 * bare),
    ("local", "ms"): ("by hand + 5 ms", lambda ours, bare: ours <= bare + 5),
    **{
        ("warm_services", f"{provider} {what}"): ("≤ 8", lambda ours, bare: ours <= 8)
        for provider in ("AiChatOnline", "AiChats", "Chatgpt4Online", "AiEngine", "OpenAICompatible")
        for what in ("bootstraps", "connections")
    },
    ("emulator_streams", "ms"): ("≤ 20 ms", lambda ours, bare: ours <= 20),
}


class Figures:
    """The figures of one row: client → name of the figure → one value a round."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, client: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self.values[client][name].append(value)

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for figures in self.values.values() for name in figures))


class Table:
    """Rows of medians, ours in a column of its own with its ratio to the bare loop."""

    def __init__(self, clients: list[str]) -> None:
        self._clients = clients
        self._lines: list[str] = []
        self._notes: list[str] = []

    def add(self, row: str, description: str, figures: Figures) -> None:
        self._notes.append(f"- **{row}**: {' '.join(description.split())}")
        for name in figures.names():
            medians = {
                client: statistics.median(values[name]) for client, values in figures.values.items() if name in values
            }
            cells = [_cell(figures.values[client].get(name, [])) for client in self._clients]
            ratio = f"{medians[OURS] / medians[BARE]:.2f}" if OURS in medians and medians.get(BARE) else "–"
            bar, holds = BARS.get((row, name), ("", None))
            verdict = "" if holds is None else "yes" if holds(medians[OURS], medians.get(BARE, 0)) else "**no**"
            self._lines.append(f"| {row}, {name} | {' | '.join(cells)} | {ratio} | {bar} | {verdict} |")

    def markdown(self) -> str:
        head = f"| | {' | '.join(self._clients)} | ours / bare | bar | met |"
        rule = "|---|" + "---|" * (len(self._clients) + 3)
        return "\n".join([head, rule, *self._lines, "", *self._notes])


def machine(clients: dict[str, str]) -> str:
    """Say on what, and with which versions, the figures were taken."""
    versions = []
    for client, python in clients.items():
        package = {"bare requests": "requests", "g4f_lite": "g4f-lite"}.get(client, client)
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        versions.append(f"{package} {done.stdout.strip() or '?'}")
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}; {', '.join(versions)}. "
        "Medians, with the lowest and the highest round in brackets."
    )


def _cell(values: list[float]) -> str:
    if not values:
        return "–"
    return f"{statistics.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"
