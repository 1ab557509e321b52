"""Every fault of the emulator, every provider, streaming and ``create``, the places where a fault can strike.

What each cell must give is stated in ``matrix_rows`` and ``matrix_outcomes``.  Each has a server of its
own that counts what reaches it.  The whole product is run by ``python -m pytest -m long tests/wire/test_matrix.py``.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from g4f_lite.emulator import FAULTS

from .matrix_cells import ALL_ROWS, Cell, all_cells, everyday_cells, once_cells, pairs
from .matrix_outcomes import SEEN
from .matrix_rows import ROWS
from .matrix_rows_beside import BOOTSTRAP_ROWS, DRAWING_ROWS
from .matrix_run import PROMPTLY, Ran, Surroundings, wait_until
from .matrix_table import BEGIN, END, PAGE, table

DESCRIPTORS = Path("/proc/self/fd")
CHOSEN = {**everyday_cells(), **once_cells()}


def _parts(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part the cells that are over at once from those that wait for a limit."""
    at_once, waiting = [], []
    for name in names:
        (at_once if CHOSEN[name].row.limits == "long" else waiting).append(name)
    return at_once, waiting


AT_ONCE, WAITING = _parts(everyday_cells())
AT_ONCE_IN_CI, WAITING_IN_CI = _parts(once_cells())
TOGETHER = {"every day": WAITING, "CI": WAITING_IN_CI}


def _threads(name: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


def _descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0


@pytest.fixture(scope="module")
def descriptors_before() -> int:
    """Count what is open before the first cell."""
    return _descriptors()


@pytest.fixture(scope="module")
def surroundings(tls: ssl.SSLContext, authority_file: str, descriptors_before: int) -> Iterator[Surroundings]:
    with Surroundings(tls, authority_file).running() as running:
        yield running


@pytest.fixture(scope="module")
def together(request: pytest.FixtureRequest, surroundings: Surroundings) -> Iterator[dict[str, Future[list[Ran]]]]:
    """Let those that wait for a limit wait beside the others, if they are to be run at all."""
    wanted = {name for name in TOGETHER for item in request.session.items if item.name.endswith(f"_limit[{name}]")}
    with ThreadPoolExecutor() as threads:
        yield {
            name: threads.submit(surroundings.run_together, [CHOSEN[cell] for cell in TOGETHER[name]])
            for name in wanted
        }


def _check(cell: Cell, ran: Ran) -> None:
    assert ran.result == cell.expected, repr(ran.raised)
    assert ran.seconds < PROMPTLY
    assert ran.next_answer == "the next", "the provider is as good as before"
    assert ran.left_open == 0, "a connection is left"
    if ran.raised is not None:
        assert getattr(ran.raised, "provider", None) == cell.provider
        if cell.way == "stream":
            assert ran.pieces == getattr(ran.raised, "partial", ""), "the partial text is what was given"


def _check_all(cells: Sequence[Cell], runs: Sequence[Ran]) -> None:
    wrong = []
    for cell, ran in zip(cells, runs, strict=True):
        try:
            _check(cell, ran)
        except AssertionError:
            wrong.append(f"{cell.name}\n  {ran}\n  expected {cell.expected}")
    if wrong:
        pytest.fail("\n".join(wrong))


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("name", [*AT_ONCE, *(pytest.param(name, marks=pytest.mark.once) for name in AT_ONCE_IN_CI)])
def test_cell_(name: str, surroundings: Surroundings) -> None:
    _check(CHOSEN[name], surroundings.run(CHOSEN[name]))


@pytest.mark.parametrize("name", ["every day", pytest.param("CI", marks=pytest.mark.once)])
def test_cells_that_wait_for_a_limit(name: str, together: dict[str, Future[list[Ran]]]) -> None:
    _check_all([CHOSEN[cell] for cell in TOGETHER[name]], together[name].result())


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("row", ALL_ROWS, ids=[row.name.replace(" ", "_") for row in ALL_ROWS])
def test_all_cells_of(row: object, surroundings: Surroundings) -> None:
    cells = [cell for cell in all_cells() if cell.row is row]
    if cells[0].row.limits == "long":
        _check_all(cells, [surroundings.run(cell) for cell in cells])
    else:
        _check_all(cells, surroundings.run_together(cells))


def test_each_two_values_meet() -> None:
    """Of faults, places and software every day, and of rows and providers in CI."""
    everything = all_cells()
    every_day, without_read = everyday_cells().values(), [cell for cell in everything if cell.row.limits != "read"]
    assert len(every_day) < len(everything) / 10
    daily, all_pairs = ([pairs(cell.values_of_every_day) for cell in cells] for cells in (every_day, without_read))
    assert set().union(*daily) == set().union(*all_pairs)
    assert {cell.row.name for cell in every_day} == {cell.row.name for cell in without_read}
    providers, all_providers = ([pairs(cell.values) for cell in cells] for cells in (CHOSEN.values(), everything))
    assert set().union(*providers) == set().union(*all_providers)


def test_the_matrix_is_whole() -> None:
    assert {row.fault for row in ROWS} - {"closed port"} == set(FAULTS)
    assert {row.fault for row in BOOTSTRAP_ROWS} - {"page"} == set(FAULTS) - {"refuse", "end", "empty"}
    assert {row.fault for row in DRAWING_ROWS} - {"page"} == set(FAULTS) - {"refuse", "end", "trailing"}
    assert len({row.name for row in ALL_ROWS}) == len(ALL_ROWS)


def test_no_course_is_for_nothing() -> None:
    taken = {(row.struck, outcome.course) for row in ALL_ROWS for outcome in row.outcomes if outcome}
    assert taken == {(struck, course) for struck, courses in SEEN.items() for course in courses}


def test_the_documentation_has_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == table(), "run: python -m tests.wire.matrix_table"


def test_nothing_is_left(surroundings: Surroundings, descriptors_before: int) -> None:
    """After all the cells before this."""
    surroundings.run(CHOSEN[AT_ONCE[0]])
    wait_until(lambda: not _threads("emulator-"))
    assert _threads("emulator-") == []
    assert len(_threads("g4f_lite-watchdog")) <= 1, "it goes when there is nothing to watch"
    assert _descriptors() - descriptors_before <= 8, "what is open does not grow with the calls"
