"""Texts that are joined of several, such as reasons and advice, have no second mark where one ends with its own."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from g4f_lite import (
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    ProviderNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.cli.failure import message_of, one_line
from g4f_lite.cli.options import note_fallback
from g4f_lite.contrib.flask.failed_calls import _one_line
from g4f_lite.emulator import Emulator
from g4f_lite.providers.chain import all_failed

from .command import call

# The ends of what services and this library say, each with what comes of it before more.
SENTENCES = {
    "Rate limit reached. Please try again in 20s.": "Please try again in 20s;",
    "The model `x` does not exist or you do not have access to it.": "access to it;",
    "请求过于频繁。": "请求过于频繁;",
    "could not connect to http://127.0.0.1:9: Connection refused; is Ollama running?": "is Ollama running?",
    "Overloaded!": "Overloaded!",
    "Loading model": "Loading model;",
    "it is still thinking...": "thinking...;",
    "it is still thinking …": "thinking …;",
}
KINDS = (
    AuthenticationError, ModelNotSupportedError, ProviderNotFoundError, QuotaExceededError, RateLimitError,
    ResponseStatusError, ServiceError, StreamInterruptedError, TransportError,
)  # fmt: skip


def noted(errors: list[G4FLiteError]) -> str:
    with contextlib.redirect_stderr(io.StringIO()) as written:
        note_fallback(errors, "Echo")
    return written.getvalue()


JOINED: dict[str, Callable[[list[G4FLiteError]], str]] = {
    "an error": lambda errors: str(errors[0]),
    "the command": lambda errors: one_line(message_of(errors[0])),
    "a chain": lambda errors: one_line(str(all_failed("no provider answered", errors, "prompt"))),
    "notes": noted,
    "a log of Flask": lambda errors: _one_line(all_failed("no provider answered", errors, "prompt")),
}
TWO_MARKS = r"(?<!\.)[.。?!,;:][;,]|(?<!\.)\.\.(?!\.)|\.\)"


@st.composite
def failures(draw: st.DrawFn) -> G4FLiteError:
    error = draw(st.sampled_from(KINDS))(draw(st.sampled_from([*SENTENCES])), provider=draw(st.sampled_from("ABC")))
    error.attempts, error.elapsed = draw(st.integers(1, 3)), 0.5
    error.waited = draw(st.sampled_from([0.0, 2.0]))
    error.partial = draw(st.sampled_from(["", "a part"]))
    error.skipped = draw(st.booleans())
    if isinstance(error, RateLimitError):
        error.retry_after = draw(st.sampled_from([None, 20.0]))
    return error


@pytest.mark.once
@pytest.mark.parametrize("how", JOINED)
@given(errors=st.lists(failures(), min_size=1, max_size=3))
def test_no_two_marks_meet(how: str, errors: list[G4FLiteError]) -> None:
    text = JOINED[how](errors)
    assert not re.search(TWO_MARKS, text), text


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_stands_before_more(sentence: str) -> None:
    assert str(ServiceError(sentence)) == sentence
    error = ServiceError(sentence)
    error.waited = 2.0
    assert f"{SENTENCES[sentence]} the call waited 2.0 s" in str(error)


def test_the_command_says_it_so(emulator: Emulator) -> None:
    emulator.dialect("retry-in-words")
    emulator.fail("limit", retry_after=100)
    told = call("chat", "Hello", "-p", f"{emulator.url}/v1:m").stderr
    assert told.endswith("Please try again in 1m40s; try again in 100 s\n")
