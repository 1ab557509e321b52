"""Writes docs/benchmarks.md."""

from __future__ import annotations

import textwrap

from .environments import machine
from .rows import Row
from .table import Figures, missed_bars, remarks, table

HEAD = """\
# Benchmarks

Ours beside its peers, in one run, on loopback. Repeat it in a clone of the repository:

```sh
pip install -e ".[all,bench]" && python -m benchmarks
```

That makes an environment for each client below `.benchmarks/`, measures, and writes this page. It takes about ten
minutes and wants a machine that does nothing else. `--only ROW`, `--clients NAME` and `--rounds N` measure less, and
then it is printed only.
"""
READING = """\
Each figure is a median over the rounds, with the lowest and the highest round in brackets. In a round the clients take
turns, each in a process of its own. Where no bar is given, none was set. Each client is set up as well as its
documentation allows: one session or client for all calls, and of `requests` one session for each thread. Peers that are
better by less than 2 % are not called better.
"""
WIDTH = 120


def write(taken: list[tuple[Row, Figures]], pythons: dict[str, str]) -> str:
    """Write the page.

    :param taken: the rows with their figures;  :param pythons: the environments that they come from
    """
    parts = [HEAD, filled(machine(pythons)), READING, summary(taken)]
    for row, figures in taken:
        parts += [f"## {row.title}", filled(row.description), table(figures, row.bars)]
        said = [filled(sentence, bullet="- ") for sentence in remarks(figures, row.bars, row.floor, row.beside)]
        if said:
            parts.append("\n".join(said))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def summary(taken: list[tuple[Row, Figures]]) -> str:
    """Say first what is missed."""
    missed = [f"{row.title}: {name}" for row, figures in taken for name in missed_bars(figures, row.bars)]
    if not missed:
        return "Every bar is met."
    return filled(f"Every bar is met but {len(missed)}: {'; '.join(missed)}.")


def filled(text: str, bullet: str = "") -> str:
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        textwrap.fill(
            paragraph,
            WIDTH,
            initial_indent=bullet,
            subsequent_indent=" " * len(bullet),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for paragraph in paragraphs
    )
