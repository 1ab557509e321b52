"""What ends the engine's process while the engine is asked whether it goes on, and where it listens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
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
        ("compute(0.01)", 0.2, 60, 0),  # all together more than one of them may take
    ],
    ids=["too much computing", "too much memory", "silence", "many answers"],
)
def test_an_engine_that_does_not_answer_is_ended(work: str, seconds: float, silence: float, code: int) -> None:
    command = [sys.executable, "-c", SCRIPT, work, str(seconds), str(silence)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr


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
