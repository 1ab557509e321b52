"""Under eventlet: greenlets in place of threads, with the same limits and the same ends."""

from __future__ import annotations

import importlib.util
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from .raw_server import PATIENCE
from .stalling_site import stalling_site

SCRIPT = Path(__file__).with_name("eventlet_script.py")

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(importlib.util.find_spec("eventlet") is None, reason="eventlet is not installed"),
]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_under_eventlet(scheme: str, tls: ssl.SSLContext, authority_file: str) -> None:
    authority = [authority_file] if scheme == "https" else []
    with stalling_site(tls if scheme == "https" else None) as site:
        done = subprocess.run(
            [sys.executable, SCRIPT, site.url, *authority],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 6,
            check=False,
        )
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
