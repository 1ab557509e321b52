"""Figures of several rounds, the bars that ours must reach, and what both say in words."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

from .clients import OURS

Numbers = dict[str, float]  # the figures of one client in one round, by their names
DIGITS = 3
LONGEST_REASON = 200  # characters
SAME = 0.02  # as a share: what the spread of two runs hides


@dataclass(frozen=True)
class Bar:
    """What a figure of ours must reach: ``limit``, or ``limit`` times the figure of the column ``of``.

    :param at_least: whether more is better
    """

    limit: float
    of: str = ""
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}" + (f" × {self.of}" if self.of else "")

    def met(self, medians: Numbers) -> bool | None:
        """Tell whether ours holds it; None where a figure is missing.

        :param medians: the figure's medians, by column
        """
        share = self.share(medians)
        return None if share is None else share >= 1 if self.at_least else share <= 1

    def share(self, medians: Numbers) -> float | None:
        """Give ours as a share of what the bar allows."""
        if OURS not in medians or (self.of and not medians.get(self.of)):
            return None
        allowed = self.limit * (medians[self.of] if self.of else 1)
        return medians[OURS] / allowed if allowed else None


class Figures:
    """The figures of one row: column → name of the figure → one value a round; and why some are missing."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.failures: dict[str, str] = {}
        self.columns: list[str] = []  # in the order in which they came

    def add(self, column: str, numbers: Numbers) -> None:
        self._see(column)
        for name, value in numbers.items():
            self.values[column][name].append(value)

    def fail(self, column: str, reason: str) -> None:
        """Note why a column has no figures, or no more."""
        self._see(column)
        self.failures[column] = reason[:LONGEST_REASON]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for numbers in self.values.values() for name in numbers))

    def medians(self, name: str) -> Numbers:
        return {column: statistics.median(numbers[name]) for column, numbers in self.values.items() if name in numbers}

    def cell(self, column: str, name: str) -> str:
        values = self.values[column][name] if column in self.values and name in self.values[column] else []
        if not values:
            return "–"
        low, middle, high = (rounded(of(values)) for of in (min, statistics.median, max))
        return middle if low == high else f"{middle} ({low}–{high})"

    def _see(self, column: str) -> None:
        if column not in self.columns:
            self.columns.append(column)


def rounded(value: float) -> str:
    """Write a figure with three digits."""
    if abs(value) >= 10 ** (DIGITS - 1):
        return f"{value:.0f}"
    return f"{value:.{DIGITS}g}"


def table(figures: Figures, bars: dict[str, list[Bar]]) -> str:
    """Write the figures as a Markdown table of medians and, in brackets, the lowest and the highest round."""
    columns = figures.columns
    lines = [f"| | {' | '.join(columns)} | bar | met |", "|---" * (len(columns) + 3) + "|"]
    for name in figures.names:
        wanted, medians = bars.get(name, []), figures.medians(name)
        verdicts = [{True: "yes", False: "**no**", None: "–"}[bar.met(medians)] for bar in wanted]
        cells = [figures.cell(column, name) for column in columns]
        lines.append(f"| {' | '.join([name, *cells, ', '.join(map(str, wanted)), ', '.join(verdicts)])} |")
    return "\n".join(lines)


def missed_bars(figures: Figures, bars: dict[str, list[Bar]]) -> list[str]:
    """List the figures that miss a bar."""
    names = figures.names
    return [name for name in names if any(bar.met(figures.medians(name)) is False for bar in bars.get(name, []))]


def remarks(figures: Figures, bars: dict[str, list[Bar]], floor: str, beside: tuple[str, ...] = ()) -> list[str]:
    """Say in sentences what the table says against ours: bars that are missed, and peers that are better.

    :param floor: what to add where anything is;  :param beside: columns that are no peers
    """
    said = []
    for name in figures.names:
        medians = figures.medians(name)
        for bar in bars.get(name, []):
            if bar.met(medians) is False:
                share = bar.share(medians) or 0.0
                far = f"{rounded(abs(share - 1) * 100)} % too {'little' if bar.at_least else 'much'}"
                said.append(f"**Missed**: {name} is {_with_ratio(bar, medians)}, and the bar is {bar}: {far}.")
    for name in figures.names:
        medians = figures.medians(name)
        better = [column for column in _better(name, medians) if column not in beside]
        if better:
            listed = ", ".join(f"{column} {rounded(medians[column])}" for column in better)
            said.append(f"**Lost**: {name}: ours {rounded(medians[OURS])}, {listed}.")
    if said and floor:
        said.append(floor)
    return said + [f"{column} is missing here: {reason}" for column, reason in figures.failures.items()]


def _better(name: str, medians: Numbers) -> list[str]:
    """List the columns that are better than ours; a ratio of a client's own figures is no race."""
    if OURS not in medians or " / " in name:
        return []
    own = medians[OURS]
    if "/s" in name:
        return [column for column, value in medians.items() if value > own * (1 + SAME)]
    return [column for column, value in medians.items() if value < own * (1 - SAME)]


def _with_ratio(bar: Bar, medians: Numbers) -> str:
    own = medians[OURS]
    return f"{own / medians[bar.of]:.2f} × {bar.of}" if bar.of else rounded(own)
