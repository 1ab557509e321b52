"""What the table of "Flask in production" says of each kind of worker."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from g4f_lite import G4FLiteError
from g4f_lite.emulator import Emulator
from g4f_lite.providers.local import weights

from .browser import events, getting, within
from .servers import PATIENCE, running

pytestmark = pytest.mark.long


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def need_the_model() -> None:
    """Fetch the weights of the embedded model, or skip the test."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the extra `local` is not installed")
    try:
        weights.fetch(download=True)
    except G4FLiteError as error:
        pytest.skip(f"the weights are not here: {error}")


AT_ONCE = {
    "gunicorn sync": 1,
    "gunicorn gthread": 4,
    "gunicorn gevent": 6,
    "waitress": 4,
    "development": 6,
}


@pytest.mark.parametrize(("server", "most"), AT_ONCE.items())
def test_how_many_streams_there_are_at_once(server: str, most: int, emulator: Emulator, tmp_path: Path) -> None:
    """Of six, all of which are silent."""
    emulator.fail("stall", after=0, times=None)
    leave = threading.Event()

    def prompts() -> int:
        return sum(request.step == "prompt" for request in emulator.requests)

    def browse(port: int) -> None:
        with getting(port, "/stream?prompt=Why&first=0"):
            leave.wait(PATIENCE)

    with (
        running(server, G4F_LITE_BASE_URL=f"{emulator.url}/v1", NOTES=str(tmp_path / "notes")) as port,
        ThreadPoolExecutor(6) as browsers,
    ):
        for _ in range(6):
            browsers.submit(browse, port)
        within(PATIENCE, lambda: prompts() >= most)
        time.sleep(0.3)  # in which no other one begins
        found = prompts()
        leave.set()
    assert found == most


SHORT = {  # the limits that each server has, all of them one second
    "gunicorn sync": ["--timeout", "1"],
    "gunicorn gthread": ["--timeout", "1"],
    "gunicorn gevent": ["--timeout", "1"],
    "waitress": ["--channel-timeout=1", "--cleanup-interval=1"],
    "development": [],
}


@pytest.mark.parametrize("server", SHORT)
@pytest.mark.parametrize("path", ["/sleep?seconds=", "/stream?prompt="])
def test_what_the_limits_of_a_server_bound(server: str, path: str, emulator: Emulator, tmp_path: Path) -> None:
    """A worker that handles one request at a time is killed; the others go on, however long one takes."""
    seconds = 10 if server == "gunicorn sync" else 3  # and it is killed after two, for it looks once a second
    emulator.answer(["x"] * seconds * 4)
    emulator.configure(pace=0.25)
    notes = tmp_path / "notes"
    environment = {"G4F_LITE_BASE_URL": f"{emulator.url}/v1", "NOTES": str(notes)}
    with running(server, *SHORT[server], **environment) as port:
        try:
            with getting(port, f"{path}{seconds}") as response:
                body = response.read()
                whole = response.status == 200
        except HTTPException:  # it broke off
            whole = False
    assert whole == (server != "gunicorn sync")
    if path.startswith("/stream"):
        assert notes.read_text().endswith("NoneType\n" if whole else "StreamInterruptedError\n")
        assert not whole or b"event: done" in body


@pytest.mark.parametrize(("worker", "preloaded"), [("sync", True), ("gevent", True), ("sync", False)])
def test_where_the_engine_lives(worker: str, preloaded: bool, tmp_path: Path) -> None:
    """In the first process, for all workers, if they are its forks; else each worker has its own."""
    need_the_model()
    server = f"gunicorn {worker}" + (" --preload" if preloaded else "")
    environment = {"G4F_LITE_PROVIDER": "local", "SWITCHES": "G4F_LITE_START", "NOTES": str(tmp_path / "notes")}
    with running(server, "--workers", "2", **environment) as port:
        found: dict[str, str] = {}
        until = time.monotonic() + PATIENCE
        while len(found) < 2 and time.monotonic() < until:
            with getting(port, "/engine") as response:
                assert response.status == 200
                process, _, address = response.read().decode().partition(" ")
                found[process] = address
    assert len(found) == 2
    assert all(address.startswith("http://g4f-lite-") for address in found.values())
    assert len(set(found.values())) == (1 if preloaded else 2)


def test_a_stream_of_the_embedded_model_in_a_forked_worker(tmp_path: Path) -> None:
    need_the_model()
    notes = tmp_path / "notes"
    environment = {"G4F_LITE_PROVIDER": "local", "SWITCHES": "G4F_LITE_START", "NOTES": str(notes)}
    with running("gunicorn gevent --preload", **environment) as port, getting(port, "/stream?prompt=Hello") as response:
        assert next(events(response))[0] == "message"
    assert notes.read_text().endswith(" StreamInterruptedError\n"), "the rest was not computed"
