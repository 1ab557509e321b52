"""Which failures count against a member of a chain, and what of them other callers are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

import g4f_lite
from g4f_lite import (
    AllProvidersFailedError,
    AnswerStream,
    AuthenticationError,
    ChallengeError,
    ContentFilterError,
    ContextLengthExceededError,
    DeadlineExceededError,
    EmptyResponseError,
    EngineError,
    Fallback,
    G4FLiteError,
    HookError,
    MissingDependencyError,
    ModelNotSupportedError,
    OpenAICompatible,
    OutputError,
    Prompt,
    ProviderError,
    ProviderNotConfiguredError,
    QuotaExceededError,
    RateLimitError,
    RefusalError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from g4f_lite.answers.deltas import Delta, Finish, no_content
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN, OPEN_SECONDS, CircuitBreaker
from g4f_lite.providers.failure_words import words_of
from g4f_lite.testing import Scripted

SERVER = "http://127.0.0.1:9/v1"
PRIVATE = "BOBS-PRIVATE-QUESTION"
CHAT = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}


class Busy(RateLimitError):
    """An error of a provider's own."""


def of_chain(*errors: G4FLiteError) -> AllProvidersFailedError:
    return AllProvidersFailedError(PRIVATE, errors=list(errors))


def connection(cause: str, wrapped: OSError | None = None) -> TransportError:
    error = TransportError(PRIVATE, cause=cause)
    error.__cause__ = wrapped
    return error


COUNTED = [
    (ProviderError(PRIVATE), "an error"),
    (ResponseStatusError(PRIVATE, status=500), "an error, status 500"),
    (ResponseStatusError(PRIVATE, status=307), "an error"),
    (ResponseStatusError(PRIVATE, status=409), "an error, status 409"),
    (RateLimitError(PRIVATE, status=429), "too many requests, status 429"),
    (Busy(PRIVATE, status=400), "too many requests, status 400"),
    (QuotaExceededError(PRIVATE, status=402), "its quota is used up, status 402"),
    (AuthenticationError(PRIVATE, status=400), "it did not accept the key, status 400"),
    (AuthenticationError(PRIVATE, status=401), "it did not accept the key, status 401"),
    (ChallengeError(PRIVATE, status=403), "it asked for a human being, status 403"),
    (ResponseFormatError(PRIVATE, status=200), "what it sent could not be read"),
    (EmptyResponseError(PRIVATE), "its answer was empty"),
    (StreamInterruptedError(PRIVATE), "its answer was cut"),
    (connection("connection"), "the connection failed"),
    (connection("connection", ConnectionRefusedError(2, PRIVATE)), "the connection failed: No such file or directory"),
    (connection("dns"), "its name could not be looked up"),
    (connection("tls", OSError(2, PRIVATE)), "TLS failed"),
    (connection("proxy"), "the proxy did not let it through"),
    (DeadlineExceededError(PRIVATE), "no answer in time"),
    (DeadlineExceededError(PRIVATE, limit="connect", seconds=10), "no connection for 10 s"),
    (DeadlineExceededError(PRIVATE, limit="first", seconds=30), "no answer for 30 s"),
    (DeadlineExceededError(PRIVATE, limit="read", seconds=2.5), "silence in its answer for 2.5 s"),
    (EngineError(PRIVATE), "its process failed"),
    (of_chain(ServiceError(PRIVATE), TransportError(PRIVATE)), "no provider answered"),
]
NOT_COUNTED = [
    *(ResponseStatusError(PRIVATE, status=status) for status in (400, 404, 405, 413, 415, 422, 431, 451, 501)),
    ProviderError(PRIVATE, status=400),
    AuthenticationError(PRIVATE, status=403),
    ServiceError(PRIVATE),
    ContextLengthExceededError(PRIVATE, status=400),
    ContentFilterError(PRIVATE, status=400),
    OutputError(PRIVATE),
    RefusalError(PRIVATE),
    EmptyResponseError(PRIVATE, finish_reason="length"),
    EmptyResponseError(PRIVATE, finish_reason="content_filter"),
    EmptyResponseError(PRIVATE, finish_reason="stop"),
    no_content(Finish()),
    HookError(PRIVATE),
    ModelNotSupportedError(PRIVATE),
    ProviderNotConfiguredError(PRIVATE),
    MissingDependencyError(PRIVATE),
    ProviderError(PRIVATE, skipped=True),
    of_chain(ServiceError(PRIVATE), RateLimitError(PRIVATE, skipped=True)),
]


def kinds(kind: type[G4FLiteError] = G4FLiteError) -> Iterator[type[G4FLiteError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def skipped_after(error: G4FLiteError) -> str:
    """Return what is said of a member that has failed with an error so often that it is skipped; "" if it is not."""
    breaker = CircuitBreaker(lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(error)
    return str(breaker.skipped(wait, "Groq")) if (wait := breaker.wait()) else ""


@pytest.mark.parametrize(("error", "words"), COUNTED)
def test_a_failure_that_counts_is_told_in_our_own_words(error: G4FLiteError, words: str) -> None:
    assert words_of(error) == words
    told = skipped_after(error)
    assert told.startswith(f"Groq: skipped, because it failed before ({words}); ")
    assert PRIVATE not in told


@pytest.mark.parametrize("error", NOT_COUNTED, ids=repr)
def test_a_failure_of_which_the_member_is_not_at_fault_does_not_count(error: G4FLiteError) -> None:
    assert (words_of(error), skipped_after(error)) == (None, "")


def test_each_kind_of_error_of_a_provider_is_decided() -> None:
    """A new one that derives from ProviderError needs a word, or a None, which its parent's may not be right for."""
    decided = {kind for error in (*[error for error, _ in COUNTED], *NOT_COUNTED) for kind in type(error).__mro__}
    public = {getattr(g4f_lite, name) for name in dir(g4f_lite) if name.endswith("Error")} & set(kinds(ProviderError))
    assert {kind.__name__ for kind in public - decided} == {"NotJsonError", "OutputTruncatedError"}  # of the caller


def asked(chain: Fallback, **options: Any) -> str:
    """Return the answer, or the text of the error."""
    try:
        return str(chain.ask("Hello", retry=None, **options))
    except G4FLiteError as error:
        return str(error)


@responses.activate
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 500, "body": f"cannot answer: {PRIVATE}"}, "an error, status 500"),
        ({"status": 500, "json": {"error": {"message": f"at prompt {PRIVATE}"}}}, "an error, status 500"),
        ({"json": {"choices": [{"message": {"content": {"value": PRIVATE}}}]}}, "what it sent could not be read"),
        ({"body": f": {PRIVATE}\n\n"}, "its answer was empty"),
        ({"body": requests.ConnectionError(ConnectionResetError(104, PRIVATE))}, "the connection failed: "),
    ],
)
def test_nobody_reads_what_a_service_sent_to_another_caller(answer: dict[str, Any], words: str) -> None:
    responses.post(f"{SERVER}/chat/completions", **answer)
    chain = Fallback([OpenAICompatible(SERVER, model="m")], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        asked(chain)
    told = asked(chain)
    assert f"skipped, because it failed before ({words}" in told
    assert PRIVATE not in told


FLAGGED = {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["violence"]}}


@responses.activate
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"json": {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}}, EmptyResponseError),
        ({"json": {"choices": [], "usage": {"prompt_tokens": 4}}}, EmptyResponseError),
        ({"json": {"choices": [{"message": {"content": ""}, "finish_reason": None}]}}, EmptyResponseError),
        ({"body": "data: [DONE]\n\n"}, EmptyResponseError),
        ({"body": "<html>Your request looks like an attack.</html>", "status": 403}, AuthenticationError),
        ({"json": {"error": FLAGGED}, "status": 403}, ContentFilterError),
        ({"json": {"error": FLAGGED}}, ContentFilterError),
        ({"body": "no such field", "status": 422}, ResponseStatusError),
    ],
)
def test_a_call_that_is_at_fault_itself_does_not_take_the_service_from_others(
    answer: dict[str, Any], kind: type[G4FLiteError]
) -> None:
    for _ in range(FAILURES_TO_OPEN):
        responses.post(f"{SERVER}/chat/completions", **answer)
    responses.post(f"{SERVER}/chat/completions", json=CHAT)
    chain = Fallback([OpenAICompatible(SERVER, model="m")], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(AllProvidersFailedError) as caught:
            chain.ask("Hello", retry=None)
        assert [type(error) for error in caught.value.errors] == [kind]
    assert asked(chain) == "Hi"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def close_elsewhere(stream: AnswerStream) -> None:
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()


class TextOnly(Scripted):
    def check(self, prompt: Prompt) -> None:
        prompt.check_text_only("TextOnly")


TRIALS = [
    ([EmptyResponseError("empty", finish_reason="length")], {}),
    ([DeadlineExceededError("late")], {}),
    ([], {"images": b"\x89PNG\r\n\x1a\n"}),
]


@pytest.mark.parametrize(("script", "options"), TRIALS)
def test_a_trial_that_says_nothing_of_the_member_leaves_it_to_the_next_call(
    script: list[G4FLiteError], options: dict[str, Any]
) -> None:
    clock = Clock()
    down: list[Any] = [TransportError("down")] * FAILURES_TO_OPEN
    chain = Fallback([TextOnly(*down, *script, "mended"), Scripted(*["second"] * 9)], clock=clock)
    assert [asked(chain) for _ in range(FAILURES_TO_OPEN + 1)] == ["second"] * (FAILURES_TO_OPEN + 1)
    clock.now += OPEN_SECONDS
    assert [asked(chain, **options), asked(chain)] == ["second", "mended"]


@pytest.mark.parametrize("moment", ["prepared", "awaited"])
def test_a_trial_that_its_caller_closes_leaves_the_member_to_the_next_call(moment: str) -> None:
    clock, trials = Clock(), list[AnswerStream]()

    class Closed(Scripted):
        def begin(self, prompt: Prompt) -> Iterator[Delta]:
            if trials and moment == "prepared":
                close_elsewhere(trials.pop())
            return self.awaited(prompt)

        def awaited(self, prompt: Prompt) -> Iterator[Delta]:
            if trials:
                close_elsewhere(trials.pop())
                raise TransportError("closed")
            yield from super().begin(prompt)

    chain = Fallback([Closed(*[TransportError("down")] * FAILURES_TO_OPEN, "mended")], clock=clock)
    for _ in range(FAILURES_TO_OPEN):
        asked(chain)
    clock.now += OPEN_SECONDS
    trial = chain.create_generator(messages="Hello")
    trials.append(trial)
    with pytest.raises(G4FLiteError):
        trial.text()
    assert asked(chain) == "mended"


@pytest.mark.parametrize(("cause", "proxy", "counts"), [("proxy", "http://127.0.0.1:9", False), ("proxy", None, True)])
def test_the_proxy_of_a_call_is_not_the_members(cause: str, proxy: str | None, counts: bool) -> None:
    down = TransportError("no way through", cause=cause)
    chain = Fallback([Scripted(*[down] * FAILURES_TO_OPEN, "asked")], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        asked(chain, proxy=proxy)
    assert (asked(chain) != "asked") == counts


@pytest.mark.parametrize("others", [[], [ServiceError("refused")]])
def test_a_short_timeout_does_not_close_a_chain_in_a_chain(others: list[G4FLiteError]) -> None:
    late = Scripted(*[DeadlineExceededError("late")] * FAILURES_TO_OPEN, "asked")
    chain = Fallback([Fallback([late, *(Scripted(*[error] * 9) for error in others)])], clock=lambda: 1000.0)
    for _ in range(FAILURES_TO_OPEN):
        asked(chain)
    assert asked(chain) == "asked"


def test_a_call_from_before_a_failed_trial_does_not_begin_another() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(TransportError("down"))
    clock.now += OPEN_SECONDS
    assert breaker.wait() == 0
    breaker.failed(TransportError("down"))
    breaker.failed(RefusalError("no"))
    assert breaker.wait() == OPEN_SECONDS
