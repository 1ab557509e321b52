"""What is sent again, and what never: the server counts."""

from __future__ import annotations

import email.utils
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tenacity

from g4f_lite import (
    AiEngine,
    Answer,
    AuthenticationError,
    ChallengeError,
    DeadlineExceededError,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    TransportError,
)
from g4f_lite.emulator import Emulator
from g4f_lite.http import Exchange

from .conftest import Provide
from .raw_server import Connection, RawServer, every, hello, length
from .test_ending import full_listener

FAST = RetryPolicy(attempts=3, backoff=0)


def _error(status: str, text: str = "", *fields: str) -> bytes:
    return length(text.encode(), *fields, status=status)


RETRIED: dict[str, bytes | Callable[[Connection], object]] = {
    **{
        f"status {status}": _error(f"{status} No")
        for status in (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
    },
    "status 500 with an error object": _error("500 No", '{"error": {"message": "internal"}}'),
    "a rate limit in the text": _error("400 Bad Request", '{"error": {"message": "Rate limit reached for x"}}'),
    "a rate limit inside a 200": length(b'data: {"error": {"message": "Rate limit reached"}}\n\n'),
    "closed without an answer": lambda connection: None,
    "a reset": Connection.reset,
    "a cut head": lambda connection: connection.send(b"HTTP/1.1 200 OK\r\nContent-"),
    "a cut body before the first delta": lambda connection: connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n: hm\n"
    ),
}
NEVER: dict[str, tuple[bytes, type[G4FLiteError]]] = {
    "status 400": (_error("400 No"), ResponseStatusError),
    "status 404": (_error("404 No"), ResponseStatusError),
    "status 501": (_error("501 No"), ResponseStatusError),
    "a redirect": (_error("307 Elsewhere", "", "Location: http://127.0.0.1:1/"), ResponseStatusError),
    "a refused key": (_error("401 No", '{"error": {"message": "bad key"}}'), AuthenticationError),
    "a service's error": (_error("400 No", '{"error": {"message": "too long"}}'), ServiceError),
    "no such model": (_error("404 No", '{"error": {"message": "model x not found"}}'), ModelNotSupportedError),
    "quota": (_error("429 No", '{"error": {"code": "insufficient_quota", "message": "pay"}}'), QuotaExceededError),
    "payment": (_error("402 No"), QuotaExceededError),
    "a challenge with status 503": (_error("503 No", "<title>Just a moment...</title>"), ChallengeError),
    "a challenge with status 200": (_error("200 OK", "<title>Just a moment...</title>"), ChallengeError),
    "a page": (_error("200 OK", "<html>hello</html>"), ResponseFormatError),
}


def _first(bad: bytes | Callable[[Connection], object], times: int) -> Callable[[Connection], None]:
    """Serve the first requests badly, each on a connection that is closed then, and the others well."""

    def serve(connection: Connection) -> None:
        while connection.request() is not None:
            if len(connection.server.requests) <= times:
                connection.send(bad) if isinstance(bad, bytes) else bad(connection)
                return
            connection.send(hello())

    return serve


@pytest.mark.parametrize("kind", RETRIED)
def test_is_retried(kind: str, provide: Provide) -> None:
    with RawServer(_first(RETRIED[kind], 2)) as server:
        assert provide(server, retry=FAST).create(messages="hi") == "Hello world"
        assert len(server.requests) == 3


@pytest.mark.parametrize("kind", RETRIED)
def test_is_sent_once_without_a_policy(kind: str, provide: Provide) -> None:
    with RawServer(_first(RETRIED[kind], 9)) as server:
        with pytest.raises(G4FLiteError) as caught:
            provide(server, retry=None).create(messages="hi")
        assert len(server.requests) == caught.value.attempts == 1


@pytest.mark.parametrize("kind", NEVER)
def test_is_never_retried(kind: str, provide: Provide) -> None:
    answer, error = NEVER[kind]
    with RawServer(every(answer)) as server:
        with pytest.raises(error) as caught:
            provide(server, retry=FAST).create(messages="hi")
        assert type(caught.value) is error
        assert caught.value.step == "prompt"
        assert [request.line[:4] for request in server.requests].count("POST") == 1


def test_the_last_error_says_how_often(provide: Provide) -> None:
    with RawServer(every(_error("503 No", "busy"))) as server:
        with pytest.raises(ResponseStatusError, match=r"busy \(3 attempts in \d") as caught:
            provide(server, retry=FAST).create(messages="hi")
        assert (caught.value.status, caught.value.body, caught.value.attempts) == (503, "busy", 3)


@pytest.mark.parametrize("value", ["0", lambda: email.utils.formatdate(time.time() - 60, usegmt=True)])
def test_retry_after_is_waited_for_in_both_forms(value: Any, provide: Provide) -> None:
    waits: list[float] = []
    refusal = _error("429 No", "", f"Retry-After: {value if isinstance(value, str) else value()}")
    with RawServer(_first(refusal, 1)) as server:
        policy = RetryPolicy(backoff=99, max_backoff=99)
        provider = provide(server, retry=policy, on_retry=lambda error, attempt, wait: waits.append(wait))
        assert provider.create(messages="hi") == "Hello world"
        assert waits == [0]


@pytest.mark.parametrize("status", ["429 No", "503 No"])
def test_a_date_that_is_to_come_is_waited_for(status: str, provide: Provide) -> None:
    waits: list[float] = []
    refusal = _error(status, "", f"Retry-After: {email.utils.formatdate(time.time() + 50, usegmt=True)}")
    with RawServer(every(refusal)) as server:
        provider = provide(server, retry=RetryPolicy(), timeout=300)
        stream = provider.create_generator(messages="hi")

        def note(error: G4FLiteError, attempt: int, wait: float) -> None:
            waits.append(wait)
            stream.close()  # which ends the wait

        provider.on_retry = note
        with pytest.raises(StreamInterruptedError):
            stream.text()
        assert len(server.requests) == 1
    assert len(waits) == 1
    assert 30 < waits[0] <= 50


@pytest.mark.beside
@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue behaves differs")
def test_a_connection_that_takes_too_long_is_tried_again() -> None:
    told: list[int] = []
    with full_listener() as port:
        provider = OpenAICompatible(f"http://127.0.0.1:{port}", model="m", timeout=Timeout(0.05, 5, 30), retry=FAST)
        provider.on_retry = lambda error, attempt, wait: told.append(attempt)
        with provider, pytest.raises(DeadlineExceededError) as caught:
            provider.create(messages="hi")
    assert (caught.value.limit, caught.value.attempts, told) == ("connect", 3, [1, 2])


def test_a_refused_token_is_renewed_without_a_policy_too(emulator: Emulator) -> None:
    with AiEngine(emulator.url, retry=None) as provider:
        assert provider.create(messages="one") == "one"
        emulator.expire_tokens()
        assert provider.create(messages="two") == "two"
    assert [request.step for request in emulator.requests] == ["bootstrap", "prompt", "prompt", "bootstrap", "prompt"]


EXPIRED, BUSY = _error("401 Unauthorized"), _error("429 Too Many Requests", "", "retry-after-ms: 1")


@pytest.mark.parametrize(
    ("answers", "logins"), [([EXPIRED, BUSY, EXPIRED, hello()], [1, 1, 2]), ([EXPIRED, EXPIRED, hello()], [1, 1])]
)
def test_a_token_is_renewed_once_in_each_attempt(answers: list[bytes], logins: list[int]) -> None:
    class Renews(OpenAICompatible):
        def bootstrap(self, exchange: Exchange) -> str:
            attempts.append(exchange.attempts)
            return "token"

    attempts: list[int] = []
    with RawServer(every(*answers)) as server, Renews(server.url, model="m", retry=FAST) as provider:
        if len(logins) == 3:
            assert provider.create(messages="hi") == "Hello world"
        else:
            with pytest.raises(AuthenticationError):
                provider.create(messages="hi")
    assert attempts == logins


@pytest.mark.parametrize(
    "value",
    [
        "61",
        lambda: email.utils.formatdate(time.time() + 3600, usegmt=True),
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "9" * 400,
    ],
)
def test_a_retry_after_that_is_too_long_is_raised_at_once(value: Any, provide: Provide) -> None:
    refusal = _error("429 No", "", f"Retry-After: {value if isinstance(value, str) else value()}")
    with RawServer(every(refusal)) as server:
        with pytest.raises(RateLimitError) as caught:
            provide(server, retry=RetryPolicy(), timeout=300).create(messages="hi")
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 60
        assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-5", "", "1e3", "Wed, 99 Foo 2026"])
def test_a_retry_after_without_sense_is_none(value: str, provide: Provide) -> None:
    with RawServer(_first(_error("503 No", "", f"Retry-After: {value}"), 1)) as server:
        assert provide(server, retry=FAST).create(messages="hi") == "Hello world"


@pytest.mark.once
def test_32_threads_and_a_dead_service_send_32_and_20(provide: Provide) -> None:
    with RawServer(every(_error("503 No"))) as server:
        provider = provide(server, retry=RetryPolicy(attempts=5, backoff=0.001), timeout=30)

        def ask(_: int) -> type[BaseException]:
            with pytest.raises(ResponseStatusError) as caught:
                provider.create(messages="hi")
            return type(caught.value)

        with ThreadPoolExecutor(32) as threads:
            assert set(threads.map(ask, range(32))) == {ResponseStatusError}
        assert len(server.requests) == 32 + 20


def test_on_retry_gets_the_error_the_attempt_and_the_wait(provide: Provide) -> None:
    told: list[tuple[type, int, float]] = []
    with RawServer(_first(_error("503 No"), 2)) as server:
        provider = provide(server, retry=FAST, on_retry=lambda *what: told.append((type(what[0]), *what[1:])))
        provider.create(messages="hi")
    assert told == [(ResponseStatusError, 1, 0.0), (ResponseStatusError, 2, 0.0)]


def test_a_refused_connection_is_retried_and_named(provide: Provide) -> None:
    told: list[int] = []
    with RawServer(lambda connection: None) as server:
        provider = provide(server, retry=FAST, on_retry=lambda error, attempt, wait: told.append(attempt))
    with pytest.raises(TransportError, match=r"could not connect to http://127\.0\.0\.1") as caught:
        provider.create(messages="hi")
    assert (caught.value.cause, told) == ("connection", [1, 2])


# A tenacity.Retrying of the caller's


def test_their_stop_wait_and_callbacks_are_kept(provide: Provide) -> None:
    seen: list[tuple[str, int]] = []
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_fixed(0.001),
        before_sleep=lambda state: seen.append(("sleep", state.attempt_number)),
        after=lambda state: seen.append(("after", state.attempt_number)),
    )
    with RawServer(_first(_error("503 No"), 2)) as server:
        provider = provide(server, retry=retrying)
        assert provider.create(messages="hi") == "Hello world"
        assert len(server.requests) == 3
    assert seen == [("after", 1), ("sleep", 1), ("after", 2), ("sleep", 2)]


def test_they_cannot_retry_what_may_not_be(provide: Provide) -> None:
    retrying = tenacity.Retrying(stop=tenacity.stop_never, retry=tenacity.retry_always)
    with RawServer(every(_error("401 No"))) as server:
        with pytest.raises(AuthenticationError):
            provide(server, retry=retrying).create(messages="hi")
        assert len(server.requests) == 1


def test_their_waits_end_with_the_time_of_the_call(provide: Provide) -> None:
    retrying = tenacity.Retrying(stop=tenacity.stop_never, wait=tenacity.wait_fixed(60))
    with RawServer(every(_error("503 No"))) as server:
        began = time.monotonic()
        with pytest.raises(ResponseStatusError):
            provide(server, retry=retrying, timeout=30).create(messages="hi")
        assert time.monotonic() - began < 10, "a wait that does not fit is not begun"
        assert len(server.requests) == 1


def test_their_waits_end_when_the_answer_is_closed(provide: Provide) -> None:
    with RawServer(every(_error("503 No"))) as server:
        retrying = tenacity.Retrying(wait=tenacity.wait_fixed(60), before_sleep=lambda state: stream.close())
        stream = provide(server, retry=retrying, timeout=300).create_generator(messages="hi")
        with pytest.raises(StreamInterruptedError):
            stream.text()
        assert len(server.requests) == 1


def test_they_share_the_budget(provide: Provide) -> None:
    retrying = tenacity.Retrying(stop=tenacity.stop_never)
    with RawServer(every(_error("503 No"))) as server:
        with pytest.raises(ResponseStatusError):
            provide(server, retry=retrying, timeout=30).create(messages="hi")
        assert len(server.requests) == 1 + 20


def test_two_successes_give_a_retry_back(provide: Provide) -> None:
    busy = _error("503 No")
    with RawServer(every(busy, hello(), hello(), busy, hello(), busy, hello())) as server:
        provider = provide(server, retry=RetryPolicy(backoff=0, budget=1))
        assert [provider.create(messages="hi") for _ in range(3)] == ["Hello world"] * 3
        with pytest.raises(ResponseStatusError, match="too many calls"):
            provider.create(messages="hi")


def test_their_own_predicate_narrows(provide: Provide) -> None:
    retrying = tenacity.Retrying(retry=tenacity.retry_if_exception_type(TransportError))
    with RawServer(every(_error("503 No"))) as server:
        with pytest.raises(ResponseStatusError):
            provide(server, retry=retrying).create(messages="hi")
        assert len(server.requests) == 1


def test_a_text_from_their_callback_is_the_answer(provide: Provide) -> None:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(2), retry_error_callback=lambda state: "come back later"
    )
    with RawServer(every(_error("503 No"))) as server:
        provider = provide(server, retry=retrying)
        answered = provider.create(messages="hi")
        assert type(answered) is Answer
        assert answered == "come back later"
        assert len(server.requests) == 2
        assert list(provider.create_generator(messages="hi")) == ["come back later"]
        with pytest.raises(ResponseStatusError):  # no list of models
            provider.get_models()


def test_a_callback_that_only_takes_note_lets_the_error_out(provide: Provide) -> None:
    noted: list[int] = []
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(2),
        retry_error_callback=lambda state: noted.append(state.attempt_number),
    )
    with RawServer(every(_error("503 No"))) as server, pytest.raises(ResponseStatusError):
        provide(server, retry=retrying).create(messages="hi")
    assert noted == [2]


def test_their_callbacks_see_no_secret(provide: Provide) -> None:
    seen: list[str] = []
    note = lambda state: seen.append(f"{state.outcome.exception()!r}")  # noqa: E731
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), after=note, before_sleep=note)
    with RawServer(every(_error("503 No", "the key was canary-7f3a9c"))) as server, pytest.raises(G4FLiteError):
        provide(server, retry=retrying, api_key="canary-7f3a9c").create(messages="hi")
    assert len(seen) == 3
    assert "canary" not in "".join(seen)


def test_their_object_is_not_changed_and_serves_two_threads(provide: Provide) -> None:
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(3))
    before = dict(vars(retrying))
    with RawServer(every(hello())) as server:
        provider = provide(server, retry=retrying)
        with ThreadPoolExecutor(2) as threads:
            assert set(threads.map(lambda _: provider.create(messages="hi"), range(4))) == {"Hello world"}
    assert vars(retrying) == before


@pytest.mark.parametrize("retry", [tenacity.AsyncRetrying(), 3, "often", tenacity.retry])
def test_what_is_no_policy_is_a_type_error(retry: Any, provide: Provide) -> None:
    with RawServer(every(hello())) as server, pytest.raises(TypeError, match=r"retry must be .*Retrying"):
        provide(server, retry=retry)
