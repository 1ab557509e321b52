"""The cells of the matrix: a row, a provider, a way of asking, a route, and how often the fault strikes.

All of them are the long form.  Every day runs those that ``pairwise`` chooses, where a fault and its place are two
values, and two providers that speak to the same software are one; what it adds for each row and each provider, and
those that wait for a read limit of seconds, twice, run once, in CI.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

from g4f_lite import AiChatOnline, AiChats, AiEngine, Chatgpt4Online, G4FLiteError, OpenAICompatible

from .matrix_outcomes import SEEN, Outcome, Seen
from .matrix_rows import FAMILIES, ROWS, Row
from .matrix_rows_beside import BOOTSTRAP_ROWS, DRAWING_ROWS, IMAGE_ROWS

PROVIDERS: dict[str, tuple[str, Any]] = {
    "OpenAICompatible": ("openai", lambda url, **more: OpenAICompatible(url + "/v1", **{"model": "m", **more})),
    "AiEngine": ("engine", AiEngine),
    "Chatgpt4Online": ("engine", lambda url, **more: Chatgpt4Online(base_url=url, **more)),
    "AiChats": ("chats", lambda url, **more: AiChats(base_url=url, **more)),
    "AiChatOnline": ("online", lambda url, **more: AiChatOnline(base_url=url, **more)),
}
ROUTES = ("direct", "tls", "proxy", "proxy tls", "socks", "socks tls")
ALL_ROWS = (*ROWS, *BOOTSTRAP_ROWS, *DRAWING_ROWS, *IMAGE_ROWS)


@dataclass(frozen=True)
class Result:
    """What came of a call.

    :param requests: the steps of the requests that reached the server, in order
    :param text: what came of the text, by its name in the rows; of an error, what it has kept
    """

    requests: str
    error: type[G4FLiteError] | None = None
    text: str = "all"
    step: str | None = None
    attempts: int | None = None
    limit: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, eq=False)
class Cell:
    """One call.

    :param way: ``"stream"`` or ``"create"``
    :param strikes: whether the fault strikes ``"once"`` or ``"always"``
    """

    row: Row
    provider: str
    route: str
    way: str
    strikes: str

    @property
    def name(self) -> str:
        """What pytest calls it."""
        parts = (self.row.name, self.provider, self.way, self.route, self.strikes)
        return "-".join(part.replace(" ", "_") for part in parts)

    @property
    def values(self) -> tuple[str, ...]:
        """The values that ``pairwise`` pairs in CI; those of different kinds differ."""
        proxy, tls = self.route.removesuffix("tls").strip(), self.route.endswith("tls")
        return (self.row.name, self.provider, proxy or "direct", "tls" if tls else "plain", self.way, self.strikes)

    @property
    def values_of_every_day(self) -> tuple[str, ...]:
        """Those that it pairs for every day: place, fault and limits in place of the row, software for provider."""
        return (*self.row.parts, PROVIDERS[self.provider][0], *self.values[2:])

    @property
    def outcome(self) -> Outcome:
        """What the row promises."""
        outcome = self.row.outcomes[FAMILIES.index(PROVIDERS[self.provider][0])]
        assert outcome is not None
        return outcome

    @property
    def seen(self) -> Seen:
        """What is seen of it."""
        both = SEEN[self.row.struck][self.outcome.course]
        seen = both.plain if self.provider == "OpenAICompatible" else both.bootstrapped
        assert seen is not None
        return seen

    @property
    def expected(self) -> Result:
        """The result that the tables state."""
        outcome, seen = self.outcome, self.seen
        if self.strikes == "once":
            assert seen.once is not None
            return Result(seen.once)
        told = (seen.step, seen.attempts, outcome.limit, outcome.retry_after)
        return Result(seen.always, outcome.error, outcome.text, *told)


def all_cells() -> list[Cell]:
    """Give them all: whatever a row can be combined with."""
    return [cell for row in ALL_ROWS for cell in _cells_of(row)]


def _cells_of(row: Row) -> Iterator[Cell]:
    of_image = row.struck in ("drawing", "image")
    routes: Sequence[str] = ROUTES if row.struck == "text" else ("direct",)
    if row.fault == "closed port":
        routes = ("direct", "tls")  # a proxy says that in words of its own
    elif row.fault == "reset" and row.server:
        routes = ("direct", "proxy", "socks")  # before 3.13, Python takes a reset inside TLS for the end of such a body
    for provider, (family, _) in PROVIDERS.items():
        if row.outcomes[FAMILIES.index(family)] is None:
            continue
        for route in routes:
            for way in ("create",) if of_image and provider == "OpenAICompatible" else ("stream", "create"):
                always = Cell(row, provider, route, way, "always")
                yield always
                if always.seen.once is not None and row.fault != "closed port":
                    yield Cell(row, provider, route, way, "once")


@functools.cache
def everyday_cells() -> dict[str, Cell]:
    """Give those for every day, by their names."""
    cells = [cell for cell in all_cells() if cell.row.limits != "read"]
    return {cell.name: cell for cell in pairwise(cells, lambda cell: pairs(cell.values_of_every_day))}


@functools.cache
def once_cells() -> dict[str, Cell]:
    """Give those that are run once beside them, by their names."""
    every_day = everyday_cells().values()
    return {cell.name: cell for cell in pairwise(all_cells(), lambda cell: pairs(cell.values), every_day)}


def pairs(values: Iterable[str]) -> set[tuple[str, str]]:
    """Give each two of some values."""
    return set(combinations(values, 2))


def pairwise(
    cells: Iterable[Cell], pairs_of: Callable[[Cell], set[tuple[str, str]]], chosen: Iterable[Cell] = ()
) -> Iterator[Cell]:
    """Choose, row by row, so many cells that each two values that meet in any cell meet in a chosen one.

    :param chosen: those that were chosen before
    """
    met = set().union(*map(pairs_of, chosen))
    for number, (_, group) in enumerate(groupby(cells, lambda cell: cell.row.name)):
        row = list(group)
        first = number * 7 % len(row)  # so that rows of a kind do not all choose alike
        unmet = {cell: pairs_of(cell) - met for cell in row[first:] + row[:first]}
        while any(unmet.values()):
            best = max(unmet, key=lambda cell: len(unmet[cell]))
            yield best
            met |= unmet[best]
            unmet = {cell: new - met for cell, new in unmet.items()}
