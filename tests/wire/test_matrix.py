"""Every fault of the emulator, every provider, streaming and ``create``, the places where a fault can strike.

What each cell must give is derived from ``matrix_rows``.  The cells run many at once, each with a
server of its own that counts what reaches it.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import trustme

from g4f_lite.emulator import FAULTS
from g4f_lite.errors import G4FLiteError

from .matrix_cells import PATIENCE, Ran, Surroundings, all_cells
from .matrix_rows import ROWS
from .matrix_rows_beside import BOOTSTRAP_ROWS, DRAWING_ROWS
from .matrix_table import BEGIN, END, PAGE, table

THREADS = 32
LONGEST = 2.0  # seconds for one call
DESCRIPTORS = Path("/proc/self/fd")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def surroundings(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    file = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    with pytest.MonkeyPatch.context() as patch, Surroundings(context, str(file)).running() as running:
        for name in os.environ:
            if name.startswith("G4F_LITE_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield running


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, surroundings: Surroundings) -> Iterator[dict[str, Future[Ran]]]:
    """Run all cells that were asked for at once."""
    ours = [item for item in request.session.items if getattr(item, "originalname", "") == test_cell_.__name__]
    wanted = {item.callspec.params["name"] for item in ours}  # type: ignore[attr-defined]
    with ThreadPoolExecutor(THREADS) as threads:
        numbered = enumerate(all_cells().items())
        futures = {
            name: threads.submit(surroundings.run, (number, cell))
            for number, (name, cell) in numbered
            if name in wanted
        }
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("name", all_cells())
def test_cell_(name: str, ran: dict[str, Future[Ran]], surroundings: Surroundings) -> None:
    cell = ran[name].result()
    short = all_cells()[name].row.limits != "long"
    if cell.seconds >= LONGEST or (short and cell.result != cell.expected):
        wait(ran.values())  # the machine may have been too busy for short limits: once more, alone
        cell = surroundings.run((len(ran), all_cells()[name]))
    assert cell.result == cell.expected, repr(cell.raised)
    assert cell.seconds < LONGEST
    assert cell.next_answer == "the next", "the provider is as good as before"
    assert cell.left_open == 0, "a connection is left"
    if cell.raised is not None:
        assert isinstance(cell.raised, G4FLiteError)
        assert cell.raised.provider
        assert cell.raised.step in (("prompt", "stream") if cell.step == "prompt" else (cell.step,))
        if "-stream-" in name:
            assert cell.pieces == getattr(cell.raised, "partial", ""), "the partial text is what was given"


def test_the_matrix_is_whole() -> None:
    assert {row.fault for row in ROWS} - {"closed port"} == set(FAULTS)
    assert {row.fault for row in BOOTSTRAP_ROWS} - {"page"} == set(FAULTS) - {"refuse", "end", "empty"}
    assert {row.fault for row in DRAWING_ROWS} - {"page"} == set(FAULTS) - {"refuse", "end", "trailing"}
    assert len(all_cells()) >= 400


def test_the_documentation_has_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0] == table(), "run: python -m tests.wire.matrix_table"


def test_nothing_is_left(surroundings: Surroundings) -> None:
    """Neither threads nor descriptors grow with the number of calls."""
    cells = [cell for name, cell in all_cells().items() if "-stream-" in name][::7]

    def threads_left() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith(("emulator-", "g4f_lite-"))]

    def wait_for_them() -> None:
        until = time.monotonic() + PATIENCE
        while threads_left() and time.monotonic() < until:
            time.sleep(0.02)

    wait_for_them()
    descriptors = len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(surroundings.run, enumerate(cells)))
    wait_for_them()
    assert threads_left() == []
    if DESCRIPTORS.exists():
        grown = len(list(DESCRIPTORS.iterdir())) - descriptors
        assert grown <= 2 * THREADS, "what is open does not grow with the calls"
