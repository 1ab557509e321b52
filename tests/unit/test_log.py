"""Logging, as the environment asks for it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from e2e.command import SECONDS, start

ASK = """
import g4f_lite
retry = g4f_lite.RetryPolicy(backoff=0)
try:
    g4f_lite.OpenAICompatible("http://127.0.0.1:9", model="m", retry=retry).create(messages="hi")
except g4f_lite.TransportError:
    pass
"""


@pytest.fixture(scope="module")
def errors() -> dict[str, str]:
    """Ask a dead port in a new process for each level, all at once, and give their standard errors."""
    with ExitStack() as stack:
        levels = ("info", "debug", "loud", "sk-proj-canary4567890canary4567890", "")
        processes = {level: stack.enter_context(start(code=ASK, G4F_LITE_LOG=level)) for level in levels}
        written = {level: process.communicate(timeout=SECONDS)[1].decode() for level, process in processes.items()}
    assert {process.returncode for process in processes.values()} == {0}, written
    return written


def test_info_tells_of_retries(errors: dict[str, str]) -> None:
    lines = errors["info"].splitlines()
    assert len(lines) == 2
    assert all("INFO OpenAICompatible: attempt" in line and "Connection refused" in line for line in lines)


def test_debug_tells_of_each_request(errors: dict[str, str]) -> None:
    *lines, raised = [line for line in errors["debug"].splitlines() if " DEBUG " in line]
    assert raised.endswith("g4f_lite.answers.short_traceback DEBUG TransportError, raised from here:")
    assert len(lines) == 3
    asked = "g4f_lite.http.exchange DEBUG OpenAICompatible: prompt: POST http://127.0.0.1:9/chat/completions"
    assert all(f"{asked}: no answer, TransportError after 0." in line for line in lines)


def test_a_word_that_is_no_level_is_a_warning(errors: dict[str, str]) -> None:
    assert "UserWarning: G4F_LITE_LOG must be info or debug, not 'loud'" in errors["loud"]


def test_a_key_in_the_place_of_a_level_is_hidden(errors: dict[str, str]) -> None:
    (said,) = [said for level, said in errors.items() if "canary" in level]
    assert "not '***'" in said
    assert "canary" not in said


def test_nothing_is_said_otherwise(errors: dict[str, str]) -> None:
    assert errors[""] == ""
