"""No answer reaches the wrong process: after a fork, by multiprocessing, in gunicorn's workers."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .fork_script import CALLS, CHILDREN

HERE = Path(__file__).parent
WORKERS, REQUESTS = 3, 60
PATIENCE = 30  # seconds

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]


def _one_process_a_connection(emulator: Emulator) -> Counter[str]:
    """Check it by the ids in the prompts; give how many prompts each process sent."""
    owners: dict[int, set[str]] = {}
    sent: Counter[str] = Counter()
    for request in emulator.requests:
        if request.step == "prompt":
            process = request.json()["newMessage"].partition(" ")[0]
            owners.setdefault(request.connection, set()).add(process)
            sent[process] += 1
    assert all(len(processes) == 1 for processes in owners.values()), owners
    return sent


@pytest.mark.parametrize("how", ["os.fork", *(m for m in multiprocessing.get_all_start_methods() if m != "forkserver")])
def test_children_of_a_process_with_a_full_pool(how: str, emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "fork_script.py", how, emulator.url],
        env={**os.environ, "PYTHONWARNINGS": "ignore::DeprecationWarning"},  # newer Pythons warn of threads at a fork
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stderr) == (0, "")
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(calls) == (CHILDREN + 1) * CALLS + 6
    for process, asked, answer in calls:
        assert answer == asked
        assert asked.startswith(f"{process} ")
    assert len(_one_process_a_connection(emulator)) == CHILDREN + 1


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_gunicorn_with_a_preloaded_application(kind: str, emulator: Emulator) -> None:
    pytest.importorskip("gunicorn")
    if kind == "gevent":
        pytest.importorskip("gevent")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--worker-class", kind]
        command += ["--threads", "4"] if kind == "gthread" else []
        command += ["--graceful-timeout", str(3 * PATIENCE)]  # a worker that hangs at its end is seen, not killed
        command += ["--bind", f"fd://{listener.fileno()}", "--log-level", "warning", "preloaded_app:app"]
        server = subprocess.Popen(
            command,
            cwd=HERE,
            env={**os.environ, "EMULATED_SITE": emulator.url},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # for killpg, should it not end
        )
        try:
            answers: list[str] = []
            until = time.monotonic() + PATIENCE
            with ThreadPoolExecutor(8) as threads:
                # Until each worker has answered: one that is told to end while it begins never learns of it,
                # whatever application it has, because it has its master's handlers of signals up to there.
                while len(_one_process_a_connection(emulator)) <= WORKERS and time.monotonic() < until:
                    numbers = range(len(answers), len(answers) + REQUESTS)
                    answers += threads.map(lambda number: _get(port, number), numbers)
            server.send_signal(signal.SIGTERM)
            _, said = server.communicate(timeout=PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.communicate()
    assert server.returncode == 0
    assert "Traceback" not in said, said
    for number, answer in enumerate(answers):
        assert re.fullmatch(rf"\d+ number={number}", answer)
    sent = _one_process_a_connection(emulator)
    assert sent.total() == len(answers) + 1
    assert len(sent) == 1 + WORKERS, "the master and each of its workers asked"


def _get(port: int, number: int) -> str:
    until = time.monotonic() + PATIENCE
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", f"/?number={number}")
            response = connection.getresponse()
            body = response.read().decode()
            assert response.status == 200, body
            return body
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        finally:
            connection.close()
