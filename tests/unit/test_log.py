"""Logging, as the environment asks for it."""

from __future__ import annotations

import subprocess
import sys

ASK = """
import g4f_lite
retry = g4f_lite.RetryPolicy(backoff=0)
try:
    g4f_lite.OpenAICompatible("http://127.0.0.1:9", model="m", retry=retry).create(messages="hi")
except g4f_lite.TransportError:
    pass
"""


def errors_of(level: str) -> str:
    """Ask a dead port in a new process and give its standard error."""
    environment = {"G4F_LITE_LOG": level, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def test_info_tells_of_retries() -> None:
    lines = errors_of("info").splitlines()
    assert len(lines) == 2
    assert all("INFO OpenAICompatible: attempt" in line and "Connection refused" in line for line in lines)


def test_debug_tells_of_each_request() -> None:
    *lines, raised = [line for line in errors_of("debug").splitlines() if " DEBUG " in line]
    assert raised.endswith("g4f_lite.answers.short_traceback DEBUG TransportError, raised from here:")
    assert len(lines) == 3
    asked = "g4f_lite.http.exchange DEBUG OpenAICompatible: prompt: POST http://127.0.0.1:9/chat/completions"
    assert all(f"{asked}: no answer, TransportError after 0." in line for line in lines)


def test_a_word_that_is_no_level_is_a_warning() -> None:
    assert "UserWarning: G4F_LITE_LOG must be info or debug, not 'loud'" in errors_of("loud")


def test_nothing_is_said_otherwise() -> None:
    assert errors_of("") == ""
