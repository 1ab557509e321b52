"""The benchmarks count right, and say what they found: also what speaks against ours."""

from __future__ import annotations

import importlib
import importlib.util
import re
import socket
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.once  # the benchmarks are the same on each Python

ROOT = Path(__file__).parents[2]


def module(name: str) -> ModuleType:
    """Import a module of benchmarks/, without the folder in which it lies: the tests run on the installed package."""
    if "benchmarks" not in sys.modules:
        init = ROOT / "benchmarks" / "__init__.py"
        spec = importlib.util.spec_from_file_location("benchmarks", init, submodule_search_locations=[str(init.parent)])
        assert spec
        sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"benchmarks.{name}")


def figures(**columns: list[float]) -> Any:
    taken = module("table").Figures()
    for column, values in columns.items():
        for value in values:
            taken.add(column.replace("_", " ") if column == "bare_requests" else column, {"ms": value})
    return taken


def bars(*args: Any, **more: Any) -> Any:
    return {"ms": [module("table").Bar(*args, **more)]}


def test_a_cell_is_a_median_with_its_spread() -> None:
    table = module("table")
    taken = figures(bare_requests=[3.0, 1.0, 2.0], g4f_lite=[1.0, 1.0])
    assert table.table(taken, bars(0.5, "bare requests")).splitlines()[2] == (
        "| ms | 2 (1–3) | 1 | ≤ 0.5 × bare requests | yes |"
    )


@pytest.mark.parametrize(
    ("limit", "at_least", "verdict"),
    [(1.2, False, "yes"), (1.1, False, "**no**"), (1.2, True, "yes"), (1.25, True, "**no**")],
)
def test_a_bar_is_a_share_of_another_column(limit: float, at_least: bool, verdict: str) -> None:
    taken = figures(bare_requests=[10.0], g4f_lite=[12.0])
    assert module("table").table(taken, bars(limit, "bare requests", at_least)).endswith(f"| {verdict} |")


def test_a_missed_bar_is_said_with_its_distance_and_floor() -> None:
    said = module("table").remarks(
        figures(bare_requests=[10.0], g4f_lite=[15.0]), bars(1.25, "bare requests"), "Floor."
    )
    assert said == [
        "**Missed**: ms is 1.50 × bare requests, and the bar is ≤ 1.25 × bare requests: 20 % too much.",
        "**Lost**: ms: ours 15, bare requests 10.",
        "Floor.",
    ]


def test_what_is_better_is_said_but_not_of_columns_that_are_no_peers() -> None:
    remarks = module("table").remarks
    taken = figures(g4f_lite=[10.0], close=[9.9], openai=[8.0], nothing=[1.0])
    assert remarks(taken, {}, "", ("nothing",)) == ["**Lost**: ms: ours 10, openai 8."]
    assert remarks(figures(g4f_lite=[10.0], openai=[11.0]), {}, "Floor.") == []


def test_more_is_better_of_rates() -> None:
    taken = module("table").Figures()
    taken.add("g4f_lite", {"calls/s": 100.0})
    taken.add("openai", {"calls/s": 50.0})
    taken.add("g4f", {"calls/s": 200.0})
    assert module("table").remarks(taken, {}, "") == ["**Lost**: calls/s: ours 100, g4f 200."]


def test_a_client_that_fails_is_a_dash_and_a_reason() -> None:
    main, table = module("__main__"), module("table")
    taken = figures(bare_requests=[1.0])
    with main.noted(taken, "g4f_lite"):
        raise RuntimeError("no such thing")
    assert table.table(taken, bars(1.0, "bare requests")).splitlines()[2] == "| ms | 1 | – | ≤ 1 × bare requests | – |"
    assert table.remarks(taken, bars(1.0), "") == ["g4f_lite is missing here: no such thing"]


def test_the_link_counts_round_trips_and_takes_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    link_module = module("link")
    monkeypatch.setattr(link_module, "DELAY", 0.02)
    monkeypatch.setattr(link_module, "ROUND_TRIP", 0.04)
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = link_module.Link(server.getsockname()[1])
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", link.port)) as client:
            client.sendall(b"a")
            side, _ = server.accept()
            time.sleep(0.005)  # so that they arrive one by one: without an answer between, it is one round trip
            client.sendall(b"a")
            with side:
                assert side.recv(1) == b"a"
                for _ in range(2):
                    assert side.recv(1) == b"a"
                    side.sendall(b"b")
                    assert client.recv(1) == b"b"
                    client.sendall(b"a")
                took = time.monotonic() - began
                assert side.recv(1) == b"a"
    assert took >= 3 * 0.04
    assert link.counted() == {"round_trips": 4}  # connecting, and three times that the client spoke
    assert link.counted() == {"round_trips": 0}


@pytest.mark.product
@pytest.mark.parametrize("framing", ["chunked", "length", "close", "gzip", "batch", "flood"])
@pytest.mark.parametrize("pace", [0, 1])
def test_the_server_speaks_each_framing(framing: str, pace: int) -> None:
    port = module("server").listen("http")
    clients, subject = module("clients"), module("subject")
    stream = clients.bare_requests()
    target = subject.url(f"http://127.0.0.1:{port}", framing, 7, pace)
    assert len(list(stream(target))) == 7
    before = subject.counted({"http": f"http://127.0.0.1:{port}"})["http"]
    requests.get(f"http://127.0.0.1:{port}/counts", timeout=5).close()
    assert subject.counted({"http": f"http://127.0.0.1:{port}"})["http"] == before + 2


def test_each_client_has_requirements_and_a_module() -> None:
    clients, environments, house = module("clients"), module("environments"), module("house")
    for client in clients.CLIENTS:
        assert client in house.STATEMENTS
        assert environments._requirements(client)
    assert environments._requirements("openai")[0].startswith("openai==")


def test_a_worker_that_is_guarded_reaches_this_machine_only() -> None:
    """What is hooked into an interpreter stays there, so the hook itself is asked."""
    hooks: list[Any] = []
    worker = module("worker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "addaudithook", hooks.append)
        worker.stay_on_this_machine()
    (hook,) = hooks
    hook("socket.connect", (None, ("127.0.0.1", 80)))
    hook("open", ("file",))
    with pytest.raises(RuntimeError, match=r"example\.com"):
        hook("socket.getaddrinfo", ("example.com", 443))
    with pytest.raises(RuntimeError, match=r"10\.0\.0\.1"):
        hook("socket.connect", (None, ("10.0.0.1", 80)))


def test_a_call_that_waits_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = module("time_limits")
    monkeypatch.setattr(limits, "TOTAL", 0.1)
    assert 0.08 <= limits._seconds_of("chunked body, drip") <= 2
    assert limits._seconds_to_close("headers, silence") <= 2
    assert threading.current_thread() is threading.main_thread()
    assert limits._seconds_to_interrupt("Content-Length body, silence") <= 2


def test_the_page_has_every_row_and_a_verdict_on_every_bar() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    tables = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    rows = module("rows").ROWS
    assert list(tables) == [row.title for row in rows]
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        for name in row.bars:
            assert re.search(rf"^\| {re.escape(name)} \|.*(yes|no|–)\** \|$", tables[row.title], re.MULTILINE), name
