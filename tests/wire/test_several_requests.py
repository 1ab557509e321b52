"""A service that takes several requests for one prompt: a job that is asked for, or a chat and its message."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import requests

from g4f_lite import (
    AuthenticationError,
    Body,
    DeadlineExceededError,
    Finish,
    G4FLiteError,
    HookError,
    Prompt,
    Provider,
    RateLimitError,
    ResponseStatusError,
    RetryPolicy,
    Secret,
    ServiceError,
    StreamInterruptedError,
    Timeout,
    TransportError,
)
from g4f_lite.http import Deadline, Exchange
from g4f_lite.http.observer import observer
from g4f_lite.http.redact import HIDDEN

from .raw_server import Connection, RawServer, chunk, chunked, every, head, length

Asked = Generator[requests.Request | float, Body, None]
RETRY = RetryPolicy(attempts=2, backoff=0)


class Wren(Provider):
    """Makes a job of a prompt, and asks for it until it is done."""

    api_key = Secret("WREN_API_KEY", required=False)

    def __init__(self, *, api_key: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.api_key = api_key

    def request(self, prompt: Prompt, token: str) -> Asked:
        headers = self.headers_with(Authorization=f"Bearer {self.api_key}{token}")
        job = yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages, headers=headers)
        url = f"{self.base_url}/jobs/{job.json()['id']}"
        while (yield requests.Request("GET", url, headers=headers)).json()["state"] != "done":
            yield 0.5

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield body.json()["text"]
        yield Finish()

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return ServiceError(parsed["error"]) if parsed and "error" in parsed else None


class Chat(Wren):
    """Begins a chat, and then streams the answer to its message."""

    def request(self, prompt: Prompt, token: str) -> Asked:
        chat = yield requests.Request("POST", f"{self.base_url}/chats")
        yield requests.Request("POST", f"{self.base_url}/chats/{chat.json()['id']}", json=prompt.messages)

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for line in body.lines():
            yield Finish() if line == b"." else line.decode()


def reply(status: str = "200 OK", *fields: str, **value: Any) -> bytes:
    return length(json.dumps(value).encode(), *fields, status=status)


JOB, RUNNING, DONE = reply(id=7), reply(state="running"), reply(state="done", text="Tweet")
POLLED = ["POST /jobs", "GET /jobs/7", "GET /jobs/7"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the list of the seconds that calls would have waited; they do not wait."""
    slept: list[float] = []
    monkeypatch.setattr(Deadline, "sleep", lambda deadline, seconds: slept.append(seconds))
    return slept


def paths(server: RawServer) -> list[str]:
    return [request.line.rpartition(" ")[0] for request in server.requests]


def provider(server: RawServer, kind: type[Provider] = Wren, **settings: Any) -> Provider:
    return kind(base_url=server.url, **{"retry": None, "timeout": 5, **settings})


def test_a_job_is_asked_for_until_it_is_done(waits: list[float]) -> None:
    with RawServer(every(JOB, RUNNING, RUNNING, DONE)) as server:
        stream = provider(server).stream("hi")
        assert stream.text() == "Tweet"
        assert paths(server) == [*POLLED, "GET /jobs/7"]
        assert (waits, stream.attempts, server.connections) == ([0.5, 0.5], 1, 1)


def test_the_answer_to_the_last_request_is_streamed() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(reply(id=3))
        connection.request()
        connection.send(head("Transfer-Encoding: chunked"), chunk(b"One\n"))
        connection.server.go.wait(5)
        connection.send(chunk(b"two\n.\n"), b"0\r\n\r\n")

    with RawServer(serve) as server:
        stream = provider(server, Chat).stream("hi")
        assert next(stream) == "One"
        server.go.set()
        assert stream.text() == "Onetwo"
        assert paths(server) == ["POST /chats", "POST /chats/3"]
        assert json.loads(server.requests[1].body) == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ([reply("503 Service Unavailable"), JOB, DONE], ["POST /jobs", "POST /jobs", "GET /jobs/7"]),
        ([JOB, RUNNING, reply("503 Service Unavailable"), JOB, DONE], [*POLLED, "POST /jobs", "GET /jobs/7"]),
    ],
)
def test_an_attempt_is_all_of_them(answers: list[bytes], sent: list[str], waits: list[float]) -> None:
    with RawServer(every(*answers)) as server:
        stream = provider(server, retry=RETRY).stream("hi")
        assert stream.text() == "Tweet"
        assert (paths(server), stream.attempts) == (sent, 2)
    with RawServer(every(JOB, *[reply("503 Service Unavailable")] * 9)) as server:
        with pytest.raises(ResponseStatusError) as caught:
            provider(server, retry=RetryPolicy(attempts=3, backoff=0)).ask("hi")
        assert (caught.value.attempts, caught.value.step) == (3, "prompt")
        assert len(server.requests) == 4  # the second and the third attempt end at their first request


def test_an_error_of_any_of_them_is_that_of_a_prompt(waits: list[float]) -> None:
    limited = reply("429 Too Many Requests", "Retry-After: 300", "x-request-id: r-1")
    for answers in ([limited], [JOB, limited], [JOB, RUNNING, limited]):
        with RawServer(every(*answers)) as server, pytest.raises(RateLimitError) as caught:
            provider(server, retry=RETRY).ask("hi")
        assert (caught.value.retry_after, caught.value.request_id, caught.value.step) == (300, "r-1", "prompt")
        assert caught.value.provider == "Wren"
    refused = reply("400 Bad Request", error="no such bird")
    with RawServer(every(JOB, refused)) as server, pytest.raises(ServiceError, match="no such bird"):
        provider(server).ask("hi")


def test_a_prompt_that_a_service_is_silent_about_is_not_sent_again() -> None:
    def serve(connection: Connection) -> None:
        connection.request()
        connection.send(JOB)
        connection.silence()

    with RawServer(serve) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            provider(server, retry=RETRY, timeout=Timeout(read=60, first=0.05)).ask("hi")
        assert caught.value.limit == "first"
        assert len(server.requests) <= 2


def test_the_time_limit_is_that_of_the_call() -> None:
    """Its service is never done, and the call is over all the same; so is it while it waits, and when it is closed."""
    with RawServer(every(JOB, RUNNING)) as server:
        for seconds in (0.0, 60.0):
            waiting = provider(server, patient(seconds), retry=RETRY, timeout=0.1)
            with pytest.raises(DeadlineExceededError) as caught:
                waiting.ask("hi")
            assert caught.value.limit == "total"


def patient(seconds: float, asked: Callable[[], object] = list) -> type[Wren]:
    class Patient(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            yield requests.Request("POST", f"{self.base_url}/jobs")
            while True:
                asked()
                yield seconds
                yield requests.Request("GET", f"{self.base_url}/jobs/7")

    return Patient


def test_a_call_that_waits_can_be_closed() -> None:
    with RawServer(every(JOB, RUNNING)) as server:
        stream = provider(server, patient(60, lambda: stream.close())).stream("hi")
        with pytest.raises(StreamInterruptedError):
            stream.start()
        assert paths(server) == ["POST /jobs"]


class WithToken(Wren):
    def bootstrap(self, exchange: Exchange) -> str:
        return str(exchange.send(requests.Request("GET", f"{self.base_url}/token"), "bootstrap").json()["token"])


def test_a_token_that_any_of_them_refuses_is_fetched_again(waits: list[float]) -> None:
    old, new, refused = reply(token="-old"), reply(token="-new"), reply("401 Unauthorized")
    with RawServer(every(old, JOB, RUNNING, refused, new, JOB, DONE)) as server:
        assert provider(server, WithToken, api_key="k").ask("hi") == "Tweet"
        assert paths(server) == ["GET /token", *POLLED, "GET /token", "POST /jobs", "GET /jobs/7"]
        assert server.requests[-1].headers["authorization"] == "Bearer k-new"
    with RawServer(every(old, JOB, refused, new, refused)) as server, pytest.raises(AuthenticationError):
        provider(server, WithToken).ask("hi")


def test_secrets_of_each_are_hidden() -> None:
    key = "a-key-of-some-length"
    for answers in ([reply("500 Oops", error=f"{key} is bad")], [JOB, reply("500 Oops", error=f"{key} is bad")]):
        with RawServer(every(*answers)) as server, pytest.raises(ServiceError) as caught:
            provider(server, api_key=key).ask("hi")
        assert key not in str(caught.value)
        assert HIDDEN in str(caught.value)


def test_the_observer_is_told_of_each(waits: list[float]) -> None:
    seen: list[int] = []
    reset = observer.set(lambda status, headers: seen.append(status))
    try:
        with RawServer(every(reply("202 Accepted", id=7), RUNNING, DONE)) as server:
            provider(server).ask("hi")
    finally:
        observer.reset(reset)
    assert seen == [202, 200, 200]


def test_a_refusal_can_be_caught_where_it_happens(waits: list[float]) -> None:
    class NotYet(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            yield requests.Request("POST", f"{self.base_url}/jobs")
            while True:
                try:
                    yield requests.Request("GET", f"{self.base_url}/jobs/7")
                    return
                except ResponseStatusError as error:
                    if error.status != 404:
                        raise
                    yield error.retry_after or 1

    not_yet = reply("404 Not Found", "Retry-After: 3")
    with RawServer(every(JOB, not_yet, not_yet, DONE)) as server:
        assert provider(server, NotYet).ask("hi") == "Tweet"
        assert waits == [3, 3]
    with RawServer(every(JOB, reply("410 Gone"))) as server, pytest.raises(ResponseStatusError, match="410"):
        provider(server, NotYet).ask("hi")


@pytest.mark.once
def test_a_lost_connection_can_be_caught_too_but_no_end_of_the_call(waits: list[float]) -> None:
    caught: list[type[G4FLiteError]] = []

    class Patient(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            yield requests.Request("POST", f"{self.base_url}/jobs")
            while True:
                try:
                    yield requests.Request("GET", f"{self.base_url}/jobs/7")
                    return
                except G4FLiteError as error:
                    caught.append(type(error))

    def serve(connection: Connection) -> None:
        if connection.number == 1:
            connection.request()
            connection.send(JOB)
        connection.request()
        if connection.number == 3:
            connection.send(DONE)

    with RawServer(serve) as server:
        assert provider(server, Patient).ask("hi") == "Tweet"
        assert caught == [TransportError] * len(caught)
        assert caught
        assert paths(server)[0] == "POST /jobs"
        assert "POST /jobs" not in paths(server)[1:]
    caught.clear()
    with RawServer(every(JOB, reply("404 Not Found"))) as server, pytest.raises(DeadlineExceededError):
        provider(server, Patient, timeout=0.2).ask("hi")
    assert set(caught) <= {ResponseStatusError}  # none, if the machine is so busy that the job took all the time
    caught.clear()

    def serve_until_closed(connection: Connection) -> None:
        connection.request()
        connection.send(JOB)
        connection.request()
        stream.close()

    with RawServer(serve_until_closed) as server:
        stream = provider(server, Patient).stream("hi")
        with pytest.raises(StreamInterruptedError):
            stream.text()
    assert caught == []


def test_an_answer_that_was_looked_at_is_read_from_its_beginning() -> None:
    class Looks(Chat):
        def request(self, prompt: Prompt, token: str) -> Asked:
            body = yield requests.Request("POST", f"{self.base_url}/chats")
            assert next(body.lines()) == b"One"

    with RawServer(every(chunked(b"On", b"e\n", b"two\n", b".\n"))) as server:
        assert provider(server, Looks).ask("hi") == "Onetwo"


def asking(*steps: Any, value: Any = None) -> Any:
    def request(self: Provider, prompt: Prompt, token: str) -> Generator[Any, Any, Any]:
        for step in steps:
            yield step(self) if callable(step) else step
        return value

    return request


def job(self: Provider) -> requests.Request:
    return requests.Request("POST", f"{self.base_url}/jobs")


WRONG: list[tuple[Any, str]] = [
    (asking(None), "Wren.request yielded None; yield a requests.Request, or seconds to wait"),
    (asking(job, "soon"), "Wren.request yielded str ('soon'); yield a requests.Request, or seconds to wait"),
    (asking(True), "Wren.request yielded bool (True); yield a requests.Request, or seconds to wait"),
    (asking(job, -1), "Wren.request yielded int (-1); yield a requests.Request, or seconds to wait"),
    (asking(job, float("nan")), "Wren.request yielded float (nan); yield a requests.Request, or seconds to wait"),
    (asking(), "Wren.request yielded no request that succeeded; yield each one"),
    (asking(0.0), "Wren.request yielded no request that succeeded; yield each one"),
    (asking(job, value=7), "Wren.request returned int (7) after it had yielded; yield it instead"),
    (asking(lambda self: requests.Request("POST", "/jobs")), "Wren.request yielded a request to str ('/jobs'); "),
    (asking(job, lambda self: {}["id"]), "Wren.request raised KeyError: 'id' (test_several_requests.py, line "),
]


@pytest.mark.parametrize(("request_hook", "message"), WRONG, ids=[message[:50] for _, message in WRONG])
def test_a_mistake_names_the_hook(request_hook: Any, message: str) -> None:
    with RawServer(every(JOB)) as server, pytest.raises(HookError) as caught:
        provider(server, type("Wren", (Wren,), {"request": request_hook})).ask("hi")
    assert str(caught.value).startswith(message)


def test_a_response_that_is_not_read_keeps_no_connection() -> None:
    class Unread(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            for _ in range(3):
                yield requests.Request("POST", f"{self.base_url}/jobs")

        def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
            super().check_response(body, prompt)
            body.new_token = body.headers.get("X-Token")

    noted = chunked(b"x" * 1000, fields=["X-Token: t-1"])
    with RawServer(every(noted, chunked(b"y", b"z"), DONE)) as server:
        asked = provider(server, Unread)
        assert asked.ask("hi") == "Tweet"
        assert server.connections == 1
        assert asked.run(asked.token_for) == "t-1"  # with the first of them


def test_its_generator_is_closed_when_the_attempt_fails() -> None:
    ends: list[str] = []
    kept: list[Asked] = []

    class Closes(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            def asked() -> Asked:
                try:
                    yield requests.Request("POST", f"{self.base_url}/jobs")
                    yield -1
                finally:
                    ends.append("closed")

            kept.append(asked())
            return kept[0]

    with RawServer(every(JOB)) as server, pytest.raises(HookError):
        provider(server, Closes).ask("hi")
    assert ends == ["closed"]


def test_what_it_yields_after_the_end_of_the_call_does_not_replace_its_error() -> None:
    class Cancels(Wren):
        def request(self, prompt: Prompt, token: str) -> Asked:
            try:
                yield from super().request(prompt, token)
            finally:
                yield requests.Request("DELETE", f"{self.base_url}/jobs/7")

    with RawServer(lambda c: (c.request(), c.silence())) as server, pytest.raises(DeadlineExceededError):
        provider(server, Cancels, timeout=0.2).ask("hi")
