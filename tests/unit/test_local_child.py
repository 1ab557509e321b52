"""What ends the engine's process while the engine is asked whether it goes on, and where it listens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from g4f_lite.providers.local import child
from g4f_lite.providers.local.engine import place_of_socket

SCRIPT = """
import os, sys, threading, time
from g4f_lite.providers.local import child

child.LOOK_SECONDS = child.WATCH_SECONDS = 0.001
child.GROWTH_BYTES, child.STUCK_SECONDS = 8 << 20, float(sys.argv[3])

def compute(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

def metrics():
    exec(sys.argv[1])
    return "llamacpp:requests_processing 1"

class Engine:
    handle_metrics = staticmethod(metrics)

looks = child.Looks(Engine(), float(sys.argv[2]), os.getppid())
for _ in range(30):
    compute(0.01)
    assert looks.look() == {"requests_processing": 1.0}
"""


@pytest.mark.parametrize(
    ("work", "seconds", "silence", "code"),
    [
        ("compute(60)", 0.2, 60, child.TOO_LONG),
        pytest.param(
            "held = bytearray(b'x') * (32 << 20); threading.Event().wait()",
            60,
            60,
            child.TOO_LONG,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
        ),
        ("threading.Event().wait()", 60, 0.01, 1),
        pytest.param(
            "compute(0.01)", 0.2, 60, 0, marks=pytest.mark.once
        ),  # all together more than one of them may take
    ],
    ids=["too much computing", "too much memory", "silence", "many answers"],
)
def test_an_engine_that_does_not_answer_is_ended(work: str, seconds: float, silence: float, code: int) -> None:
    command = [sys.executable, "-c", SCRIPT, work, str(seconds), str(silence)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr


class Clock:
    """A clock that goes on only while somebody sleeps; stands for the module ``time``.

    :ivar at: what happens, by the second at which it does
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.at: dict[float, Callable[[], object]] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for second in [second for second in self.at if second <= self.now]:
            self.at.pop(second)()
        assert self.now < 1000, "it does not end"


class Requests:
    """What an engine sees of its requests: some are announced, and those of forked children are not."""

    def __init__(self, keep_alive: float) -> None:
        self.keep_alive, self.open, self.last, self.processing = keep_alive, 1, 100.0, 1

    def look(self) -> dict[str, float]:
        return {"requests_processing": self.processing, "requests_deferred": 0}

    def end_announced(self) -> None:
        self.open = 0

    def end_other(self) -> None:
        self.processing = 0


@pytest.mark.parametrize("keep_alive", [-1.0, 300.0])
@pytest.mark.parametrize(("announced", "other"), [(200, 120), (120, 200)])
def test_an_engine_whose_socket_is_gone_ends_after_its_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_alive: float, announced: float, other: float
) -> None:
    path, clock, requests = tmp_path / "engine.sock", Clock(), Requests(keep_alive)
    path.touch()
    clock.at = {110: path.unlink, announced: requests.end_announced, other: requests.end_other}
    monkeypatch.setattr(child, "time", clock)
    monkeypatch.setattr(child, "_socket", str(path))
    child.wait_until_unused(requests, requests)  # type: ignore[arg-type]
    assert 200 <= clock.now <= 200 + 2 * child.LOOK_SECONDS + child.DELIVERY_SECONDS


@pytest.mark.parametrize("has_socket", [True, False])
def test_an_engine_that_can_be_reached_waits_for_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_socket: bool
) -> None:
    path, clock, requests = tmp_path / "engine.sock", Clock(), Requests(300)
    path.touch()
    clock.at = {110: requests.end_announced, 120: requests.end_other}
    monkeypatch.setattr(child, "time", clock)
    monkeypatch.setattr(child, "_socket", str(path) if has_socket else "")
    child.wait_until_unused(requests, requests)  # type: ignore[arg-type]
    assert 419 <= clock.now <= 422


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_a_directory_is_private_only_if_it_is_new_and_its_file_system_knows_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert child.make_private(str(tmp_path / "mine"))
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    assert not child.make_private(str(tmp_path / "mine"))
    assert not child.make_private("")
    monkeypatch.setattr(os, "geteuid", lambda: -1)
    assert not child.make_private(str(tmp_path / "another's"))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_socket_is_where_its_path_is_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/short")
    assert place_of_socket("name") == "/short/name/engine.sock"
    monkeypatch.setattr(tempfile, "tempdir", "/" + "long" * 25)
    assert place_of_socket("name") == "/tmp/name/engine.sock"
    assert place_of_socket("n" * 100) == ""
    monkeypatch.delattr(socket, "AF_UNIX")
    assert place_of_socket("name") == ""
