"""Streams of a Flask app under real servers: what a browser gets, and what becomes of the answer when it leaves.

``tox -e flask3`` runs them; ``flask20`` and ``flask23`` do so with older Flasks.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

from .browser import events, getting, within
from .servers import COMMANDS, PATIENCE, running

NOTICED = 1.0  # seconds after which the upstream must be closed

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes") / "notes"


@pytest.fixture(scope="module", params=COMMANDS)
def port(request: pytest.FixtureRequest, emulator: Emulator, notes: Path) -> Iterator[int]:
    """Run each server; give its port."""
    with running(request.param, G4F_LITE_BASE_URL=f"{emulator.url}/v1", NOTES=str(notes)) as port:
        yield port


@pytest.fixture(autouse=True)
def _fresh(emulator: Emulator, notes: Path) -> None:
    emulator.reset()
    notes.write_bytes(b"")


def prompts(emulator: Emulator) -> list[Any]:
    return [request for request in emulator.requests if request.step == "prompt"]


def closed_in_time(emulator: Emulator, left: float) -> bool:
    """Tell whether the only prompt was given up soon after the browser left."""
    (prompt,) = prompts(emulator)
    return bool(within(PATIENCE, lambda: prompt.ended)) and prompt.ended - left < NOTICED


def test_an_answer(port: int, emulator: Emulator, notes: Path) -> None:
    emulator.answer(["Light\n", "is ", "scattered."])
    with getting(port, "/stream?prompt=Why") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert list(events(response)) == [
            ("message", {"text": "Light\n"}),
            ("message", {"text": "is "}),
            ("message", {"text": "scattered."}),
            ("done", {"text": "Light\nis scattered.", "finish_reason": "stop"}),
        ]
    assert notes.read_text() == "19 NoneType\n"


def test_each_piece_arrives_at_once(port: int, emulator: Emulator) -> None:
    emulator.answer(["Light ", "is ", "scattered."])
    emulator.fail("stall", after=2, seconds=1)
    with getting(port, "/stream?prompt=Why") as response:
        found = events(response)
        assert [next(found), next(found)] == [("message", {"text": "Light "}), ("message", {"text": "is "})]
        (prompt,) = prompts(emulator)
        assert prompt.ended is None
        assert [name for name, _ in found] == ["message", "done"]


def test_a_browser_that_leaves_before_the_headers(port: int, emulator: Emulator, notes: Path) -> None:
    emulator.fail("stall")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /stream?prompt=a+b+c HTTP/1.1\r\nHost: x\r\n\r\n")
        assert within(PATIENCE, lambda: prompts(emulator))
    assert closed_in_time(emulator, time.monotonic())
    assert within(PATIENCE, notes.read_text) == "0 StreamInterruptedError\n"


@pytest.mark.parametrize(("after", "characters"), [(0, 0), (2, 3)])
def test_a_browser_that_leaves_while_the_upstream_is_silent(
    port: int, after: int, characters: int, emulator: Emulator, notes: Path
) -> None:
    emulator.fail("stall", after=after)
    with getting(port, "/stream?prompt=a+b+c&first=0.1") as response:
        found = events(response)
        assert [next(found)[1]["text"] for _ in range(after)] == ["a", " b"][:after]
        assert within(PATIENCE, lambda: prompts(emulator))
    assert closed_in_time(emulator, time.monotonic())
    assert within(PATIENCE, notes.read_text) == f"{characters} StreamInterruptedError\n"


def test_a_browser_that_leaves_amid_pieces(port: int, emulator: Emulator, notes: Path) -> None:
    emulator.answer(["x " * 1000] * 2000)
    emulator.configure(pace=0.01)
    with getting(port, "/stream?prompt=Why") as response:
        next(events(response))
    assert closed_in_time(emulator, time.monotonic())
    assert within(PATIENCE, notes.read_text).endswith(" StreamInterruptedError\n")


def test_a_failure_before_the_first_piece(port: int, emulator: Emulator, notes: Path) -> None:
    emulator.fail("rate_limit", retry_after=3600)
    with getting(port, "/stream?prompt=Why") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "3600")
    assert notes.read_text() == "0 RateLimitError\n"


def test_a_failure_after_it(port: int, emulator: Emulator, notes: Path) -> None:
    emulator.fail("reset", after=2)
    with getting(port, "/stream?prompt=a+b+c") as response:
        assert [name for name, _ in events(response)] == ["message", "message", "failed"]
    assert notes.read_text() == "3 StreamInterruptedError\n"


@pytest.mark.parametrize(("method", "headers"), [("GET", {"Last-Event-ID": "2"}), ("HEAD", {})])
def test_nothing_is_paid_twice(port: int, method: str, headers: dict[str, str], emulator: Emulator) -> None:
    with getting(port, "/stream?prompt=Why", method=method, **headers) as response:
        assert (response.status, response.read()) == (204, b"")
    assert prompts(emulator) == []


def test_a_legacy_view(port: int, emulator: Emulator) -> None:
    emulator.answer("A short summary.")
    with getting(port, "/inline?prompt=Sum+it+up") as response:
        assert (response.status, response.read()) == (200, b"A short summary.")


def test_the_next_answer_after_many_that_were_left(port: int, emulator: Emulator) -> None:
    for _ in range(8):  # more than there are threads
        emulator.fail("stall", after=1)
        with getting(port, "/stream?prompt=a+b") as response:
            next(events(response))
    with getting(port, "/stream?prompt=a+b") as response:
        assert [name for name, _ in events(response)] == ["message", "message", "done"]
