"""Under gevent: greenlets in place of threads, with the same limits and the same ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from g4f_lite.emulator import Emulator

from .raw_server import PATIENCE
from .stalling_site import stalling_site

SCRIPT = Path(__file__).with_name("gevent_script.py")

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name == "nt", reason="signals and forks")]


@pytest.fixture
def site() -> Iterator[Emulator]:
    pytest.importorskip("gevent")
    with stalling_site() as emulator:
        yield emulator


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE * 4
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("what", ["many total close timeout", "interrupt", "worker"])
def test_under_gevent(what: str, site: Emulator) -> None:
    script = subprocess.Popen(
        [sys.executable, SCRIPT, what, site.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        if what == "interrupt":
            _wait(lambda: len(site.requests) == 1 or script.poll() is not None)
            time.sleep(0.2)  # from the request's arrival to the wait for its answer
            script.send_signal(signal.SIGINT)
        said, complained = script.communicate(timeout=PATIENCE * 6)
    finally:
        script.kill()
        script.communicate()
    if what == "interrupt":
        assert (said, script.returncode) == ("interrupted\nwell\n", 0), complained
        assert "Traceback" not in complained  # gevent itself writes a line about it
    else:
        assert (said, complained, script.returncode) == ("well\n", "", 0)
