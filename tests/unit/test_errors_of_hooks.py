"""The errors that a provider of one's own makes: what is sent again, and what the response adds to them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    AuthenticationError,
    Body,
    EmptyResponseError,
    Finish,
    G4FLiteError,
    HookError,
    ModelNotSupportedError,
    OpenAICompatible,
    Prompt,
    Provider,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
    StreamInterruptedError,
)

URL = "http://heron.example/talk"
Making = Callable[[str, int], "G4FLiteError | None"]


class Heron(Provider):
    url = "http://heron.example"
    default_model = "wader"

    def __init__(self, making: Making = lambda text, status: None, **settings: Any) -> None:
        super().__init__(retry=RetryPolicy(backoff=0), **settings)
        self.making = making

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/talk", json=prompt.messages)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            kind, _, rest = line.decode().partition(" ")
            if kind == "D":
                yield rest
            elif kind == "Z":
                yield Finish()
            elif kind == "!E":
                raise self.making(rest, 200) or ServiceError(rest)

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return self.making(text, status)


@pytest.fixture
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mocked:
        yield mocked


class HeronError(ProviderError):
    """An error of a package of one's own."""


MADE: dict[str, tuple[Making, dict[int, int]]] = {
    "none": (lambda text, status: None, {503: 3, 429: 3, 408: 3, 501: 1, 400: 1}),
    "its own words": (lambda text, status: ServiceError(f"mine: {text}"), {503: 3, 429: 3, 408: 3, 501: 1, 400: 1}),
    "with the status": (lambda text, status: ServiceError(text, status=status), {503: 3, 429: 3, 501: 1}),
    "without a retry": (lambda text, status: ServiceError(text, may_retry=False), {503: 1, 429: 1}),
    "another status": (lambda text, status: ResponseStatusError(text, status=status), {503: 3, 501: 1}),
    "its own class": (lambda text, status: HeronError(text), {503: 3, 501: 1}),
    "a limit": (lambda text, status: RateLimitError(text), {503: 3, 429: 3, 400: 3}),
    "a used-up limit": (lambda text, status: QuotaExceededError(text), {503: 1, 429: 1}),
    "a key": (lambda text, status: AuthenticationError(text), {503: 1, 400: 1}),
    "a model": (lambda text, status: ModelNotSupportedError(text), {503: 1, 404: 1}),
}


@pytest.mark.parametrize(
    ("making", "status", "attempts"),
    [(making, status, attempts) for making, expected in MADE.values() for status, attempts in expected.items()],
    ids=[f"{name} {status}" for name, (_, expected) in MADE.items() for status in expected],
)
def test_the_status_decides_what_is_sent_again(
    service: responses.RequestsMock, making: Making, status: int, attempts: int
) -> None:
    service.post(URL, "out of order", status=status)
    with pytest.raises(G4FLiteError) as caught:
        Heron(making).ask("Hello")
    found: Any = caught.value
    assert (len(service.calls), found.attempts, found.status, found.body) == (
        attempts,
        attempts,
        status,
        "out of order",
    )


def test_the_wait_of_a_status_is_respected_whatever_the_error_is_called(service: responses.RequestsMock) -> None:
    service.post(URL, "out of order", status=503, headers={"Retry-After": "120"})
    with pytest.raises(ServiceError) as caught:
        Heron(lambda text, status: ServiceError(text)).ask("Hello")
    assert (len(service.calls), caught.value.retry_after) == (1, 120)


def test_an_error_within_an_answer_is_not_sent_again(service: responses.RequestsMock) -> None:
    service.post(URL, "!E 31 out of order\n")
    with pytest.raises(ServiceError, match="31 out of order") as caught:
        Heron().ask("Hello")
    assert (len(service.calls), caught.value.status) == (1, 200)
    assert caught.value.body == "!E 31 out of order\n"


class Silent(Heron):
    """Passes over the lines that it does not know, and takes the end of the body for that of the answer."""

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            if line.startswith(b"D "):
                yield line[2:].decode()
        yield Finish("eof")


@pytest.mark.parametrize("kind", [Heron, Silent])
def test_a_response_that_says_nothing_known_is_quoted(service: responses.RequestsMock, kind: type[Heron]) -> None:
    service.post(URL, "?E 31 refused\nfor you, ann-s3cret-77\n" + "é" * 2000)
    with pytest.raises(EmptyResponseError) as caught:
        kind(headers={"Authorization": "ann-s3cret-77"}).ask("Hello")
    message = r": deltas yielded nothing from the response to POST /talk, which begins with '?E 31 refused for you, ***"
    assert message in str(caught.value)
    assert caught.value.body.startswith("?E 31 refused\nfor you, ***")
    assert "s3cret" not in repr(vars(caught.value))
    assert 150 < len(caught.value.body) <= 200
    assert (len(service.calls), caught.value.status) == (1, 200)


def test_an_answer_that_has_begun_is_not_quoted(service: responses.RequestsMock) -> None:
    service.post(URL, "D Good\n!E 31 out of order\n")
    with pytest.raises(ServiceError) as caught:
        Heron().ask("Hello")
    assert (caught.value.partial, caught.value.body, caught.value.status) == ("Good", "", 200)
    service.replace(responses.POST, URL, "D Good\n")
    with pytest.raises(StreamInterruptedError):
        Heron().ask("Hello")


def test_a_wait_may_be_in_a_header_of_the_services_own(service: responses.RequestsMock) -> None:
    class Waits(Heron):
        def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
            if body.status == 420:
                raise RateLimitError("slow down", retry_after=int(body.headers["X-Wait-Ms"]) / 1000)
            super().check_response(body, prompt)

    service.post(URL, status=420, headers={"X-Wait-Ms": "1"})
    service.post(URL, "D Good\nZ\n")
    assert Waits().ask("Hello") == "Good"
    service.reset()
    service.post(URL, "slow down", status=420, headers={"X-Wait-Ms": "120000"})
    with pytest.raises(RateLimitError, match="; try again in 120 s") as caught:
        Waits().ask("Hello")
    assert (caught.value.retry_after, caught.value.status, len(service.calls)) == (120, 420, 1)


class NamesTenant(OpenAICompatible):
    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        self.tenant = body.headers["X-Tenant"]
        super().check_response(body, prompt)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "chat/completions", lambda server: server.ask("Hello")),
        ("GET", "models", lambda server: server.get_models()),
    ],
)
def test_a_mistake_in_the_check_of_a_response_names_it(
    service: responses.RequestsMock, method: str, path: str, call: Callable[[OpenAICompatible], object]
) -> None:
    service.add(method, f"http://heron.example/{path}", json={})
    line = NamesTenant.check_response.__code__.co_firstlineno + 1
    place = rf" \(test_errors_of_hooks\.py, line {line}\)"
    with pytest.raises(HookError, match=rf"\.check_response raised KeyError: .*{place}") as caught:
        call(NamesTenant("http://heron.example", model="wader"))
    assert isinstance(caught.value.__cause__, KeyError)
    assert len(service.calls) == 1


def digest_of(text: Any) -> str:
    return hashlib.sha256(text).hexdigest()


class Signs(Heron):
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", URL, headers={"Sign": digest_of("not bytes")})


def test_the_line_of_a_mistake_is_that_of_the_function_in_which_it_is() -> None:
    line = digest_of.__code__.co_firstlineno + 1
    with pytest.raises(
        HookError, match=rf"^Signs\.request raised TypeError: .* \(test_errors_of_hooks\.py, line {line}\)$"
    ):
        Signs().ask("hi")


class Berths(Heron):
    """Reads a field of each response without a look at whether it is there."""

    def request(self, prompt: Prompt, token: str) -> Any:
        berth = (yield requests.Request("POST", f"{self.base_url}/berth")).json()["berth"]
        yield requests.Request("POST", URL, json={"berth": berth}, headers=self.headers_with(X_Key="k-4711-heron"))

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield body.json()["text"]
        yield Finish()


@pytest.mark.parametrize(
    ("answers", "hook", "body"),
    [
        (
            ['{"ok": false, "fault": "F"}'],
            "Berths.request raised KeyError: 'berth'",
            '{"ok": false, "fault": "F"}',
        ),
        (
            ['{"berth": 7}', '{"fault": "k-4711-heron"}'],
            "Berths.deltas raised KeyError: 'text'",
            '{"fault": "***"}',
        ),
        (['{"ok": true, "access_token": "t-1"}'], "Berths.request raised KeyError: 'berth'", ""),
    ],
    ids=["request", "deltas", "a token"],
)
def test_a_mistake_quotes_the_response_that_was_read(
    service: responses.RequestsMock, answers: list[str], hook: str, body: str
) -> None:
    for url, answer in zip(("http://heron.example/berth", URL), answers, strict=False):
        service.post(url, answer)
    with pytest.raises(HookError) as caught:
        Berths().ask("hi")
    mistake, _, quoted = str(caught.value).partition("; the response begins with ")
    assert mistake.startswith(f"{hook} (test_errors_of_hooks.py, line ")
    assert (quoted.strip("'"), caught.value.body) == (body, body)


@pytest.mark.parametrize("wait", ["900", b"9", True, -5, float("nan")], ids=repr)
@pytest.mark.parametrize("status", [200, 429])
def test_a_wait_that_is_not_in_seconds_is_a_mistake_of_the_hook(wait: Any, status: int) -> None:
    def make(text: str, status: int) -> G4FLiteError:
        return RateLimitError("busy", retry_after=wait)

    with responses.RequestsMock() as mocked:
        mocked.post(URL, body="!E busy\n", status=status)
        hook = "deltas" if status == 200 else "service_error"
        with pytest.raises(
            HookError, match=rf"Heron\.{hook} made a RateLimitError with retry_after=.*; make it seconds"
        ):
            Heron(make).ask("x")
