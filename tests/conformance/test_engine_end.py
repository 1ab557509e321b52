"""How a process with an engine ends: at once, with its own exit code, and without a word."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from g4f_lite import errors
from g4f_lite.providers.local import hangup, weights

if importlib.util.find_spec("xllamacpp") is None:  # imported here, it would miss the engine's thread policy
    pytest.skip("the extra `local` is not installed", allow_module_level=True)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and /dev/fd")

LONGEST_END = 4.0  # seconds; 0.1 to 0.6 where nothing else runs
SCRIPT = """
import os, signal, sys, threading, time
import requests
from g4f_lite.providers.local.engine import EngineSettings, engine_for

small = EngineSettings(context=1024)  # sooner there than the usual one
running = engine_for(sys.argv[1], small)
began = threading.Semaphore(0)


def ask(tokens, stream):
    body = {"messages": [{"role": "user", "content": "Tell a story."}], "max_tokens": tokens, "stream": stream}
    answer = requests.post(running.base_url + "/chat/completions", json=body, stream=stream, timeout=60)
    for line in answer.iter_lines(chunk_size=1):
        began.release()


def in_background(count, tokens=3000, stream=True, daemon=True):
    for _ in range(count):
        threading.Thread(target=ask, args=(tokens, stream), daemon=daemon).start()


def interrupt_soon():
    def interrupt():
        began.acquire()
        end()
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()


def end():
    os.write(1, b"%.3f" % time.time())
"""


@pytest.fixture(scope="module")
def model() -> Path:
    try:
        return weights.fetch(download=True)
    except errors.G4FLiteError as error:
        pytest.skip(f"the weights are not here: {error}")


def run(model: Path, code: str) -> tuple[int, str, str, float]:
    """Run a script; give its exit code, standard output and error, and the seconds from ``end()`` to its end."""
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT + code, str(model)], capture_output=True, text=True, timeout=60, check=False
    )
    ended = time.time()
    said = process.stdout[-14:]  # what end() writes
    return process.returncode, process.stdout[:-14], process.stderr, ended - float(said)


IDLE = """
ask(3, True)
answer = requests.get(running.base_url + "/models", timeout=9)
session = requests.Session()
session.get(running.base_url + "/models", timeout=9)
end()
sys.exit(7)
"""
HALF_READ = """
body = {"messages": [{"role": "user", "content": "Tell a story."}], "stream": True}
half = requests.post(running.base_url + "/chat/completions", json=body, stream=True, timeout=9)
next(half.iter_lines())
end()
"""
FORKED = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork go badly together
for use in (False, True):
    child = os.fork()
    if child == 0:
        if use:
            own = engine_for(sys.argv[1], small)
            assert own is not running and own.base_url != running.base_url
            running = own
            ask(3, True)
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
ask(3, True)
end()
sys.exit(6)
"""
ENDS = {  # how a script ends, with its exit code and the last word that it says
    "unused": ("end()", 0, None),
    "used, with idle connections": (IDLE, 7, None),
    "daemon threads stream": ("in_background(6); began.acquire(); end(); sys.exit(3)", 3, None),
    "daemon threads wait": ("in_background(2, 600, False); time.sleep(0.2); end()", 0, None),
    "a stream left half-read": (HALF_READ, 0, None),
    "a thread still streams": ("in_background(1, 9, True, False); began.acquire(); end()", 0, None),
    "children of its own": (FORKED, 6, None),
    "children of its own, while it streams": ("in_background(2); began.acquire()" + FORKED, 6, None),
    "an exception": ("ask(3, True); end(); raise ValueError('mine')", 1, "ValueError: mine"),
    "Ctrl-C, streaming": ("interrupt_soon(); ask(3000, True)", -signal.SIGINT, "KeyboardInterrupt"),
    "Ctrl-C, waiting": ("began.release(); interrupt_soon(); ask(600, False)", -signal.SIGINT, "KeyboardInterrupt"),
}


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, model: Path) -> Iterator[dict[str, Future[tuple[int, str, str, float]]]]:
    """Run the scripts that were asked for, two at a time."""
    wanted = [item.callspec.params["how"] for item in request.session.items if "_ends_at_once" in item.name]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as threads:
        futures = {how: threads.submit(run, model, ENDS[how][0]) for how in wanted}
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("how", ENDS)
def test_a_process_ends_at_once_and_says_no_more_than_it_must(
    how: str, runs: dict[str, Future[tuple[int, str, str, float]]]
) -> None:
    _, expected, word = ENDS[how]
    returned, out, error, seconds = runs[how].result()
    assert (returned, out) == (expected, ""), error
    if word is None:
        assert error == ""
    else:
        # An interrupt may come while another exception is handled, which is then told, too.
        assert error.count("Traceback") == 1 + error.count("During handling of the above exception")
        assert error.splitlines()[-1] == word
    assert seconds < LONGEST_END


class TestHangUp:
    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield listener

    @pytest.fixture(autouse=True)
    def excepthook(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def connect(self, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]

    def test_cuts_the_clients_of_that_port_only(self, listener: socket.socket) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            client, served = self.connect(listener)
            other_client, other_served = self.connect(other)
            with client, served, other_client, other_served:
                assert not hangup.hang_up(listener.getsockname()[1], within=0)  # the server has not closed it
                assert client.recv(1) == b""
                other_served.sendall(b"!")
                assert other_client.recv(1) == b"!"

    def test_waits_until_the_server_has_closed_them(self, listener: socket.socket) -> None:
        client, served = self.connect(listener)

        def serve() -> None:
            with served:
                assert served.recv(1) == b""

        server = threading.Thread(target=serve)
        server.start()
        with client:
            assert hangup.hang_up(listener.getsockname()[1], within=10)
            assert served.fileno() == -1
        server.join()

    def test_is_content_with_no_client(self, listener: socket.socket) -> None:
        before = threading.excepthook
        assert hangup.hang_up(listener.getsockname()[1], within=0)
        assert threading.excepthook is before

    def test_says_so_where_open_files_are_not_listed(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(hangup, "OPEN_FILES", tmp_path / "missing")
        assert not hangup.hang_up(listener.getsockname()[1], within=0)

    def test_only_daemon_threads_are_silenced(self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = []
        monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.thread.name))

        def fail() -> None:
            raise ConnectionError

        client, served = self.connect(listener)
        with client, served:
            hangup.hang_up(listener.getsockname()[1], within=0)
            hangup.hang_up(listener.getsockname()[1], within=0)
        for name, daemon in (("quiet", True), ("loud", False)):
            thread = threading.Thread(target=fail, name=name, daemon=daemon)
            thread.start()
            thread.join()
        assert reported == ["loud"]
