"""Threads that share a caller's own session log in once, and replace no login that another of them has made.

The service takes one login at a time: each new one revokes the ticket and the cookie of the one before.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from g4f_lite import (
    AuthenticationError,
    Body,
    DeadlineExceededError,
    Delta,
    Finish,
    Prompt,
    Provider,
    ResponseStatusError,
    Timeout,
)
from g4f_lite.http import Exchange

from .raw_server import PATIENCE, Connection, RawServer, Request, length


class Heron(Provider):
    """A provider of a service that gives a cookie and a ticket, which belong together."""

    def bootstrap(self, exchange: Exchange) -> str:
        body = exchange.send(requests.Request("POST", f"{self.base_url}/login"), "bootstrap")
        self.check_response(body)
        return str(body.json())

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return requests.Request("POST", f"{self.base_url}/ask", headers={"Ticket": token})

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield body.json()
        yield Finish()

    def get_models(self) -> list[str]:
        return self.run(self.list_models)

    def list_models(self, exchange: Exchange) -> list[str]:
        ticket = {"Ticket": self.token_for(exchange)}
        body = exchange.send(requests.Request("GET", f"{self.base_url}/models", headers=ticket), "bootstrap")
        self.check_response(body)
        return [body.json()]


class WithCookieAlone(Heron):
    """The same, whose ticket says nothing: the cookie alone tells one login from another."""

    def bootstrap(self, exchange: Exchange) -> str:
        super().bootstrap(exchange)
        return ""


class Service:
    """What the server knows: how many logins there were, and whether the last one is still valid."""

    def __init__(self) -> None:
        self.logins = 0
        self.valid = 0
        self.renewed = threading.Event()  # there was a second login
        self.together: threading.Barrier | None = None  # where requests that are refused wait for each other
        self.first_refusal_waits = False  # until there was another login
        self.waiting = threading.Event()
        self._lock = threading.Lock()

    def serve(self, connection: Connection) -> None:
        while (request := connection.request()) is not None:
            connection.send(self._login() if "/login" in request.line else self._answer(request))

    def _login(self) -> bytes:
        with self._lock:
            self.logins += 1
            self.valid = number = self.logins
        if number > 1:
            self.renewed.set()
        return length(json.dumps(f"ticket-{number}").encode(), f"Set-Cookie: sid={number}; Path=/")

    def _answer(self, request: Request) -> bytes:
        with self._lock:
            cookie, ticket = request.headers.get("cookie"), request.headers.get("ticket")
            if self.valid and cookie == f"sid={self.valid}" and ticket in (f"ticket-{self.valid}", "", None):
                return length(b'"Good day"')
            waits, self.first_refusal_waits = self.first_refusal_waits, False
        if waits:
            self.waiting.set()
            assert self.renewed.wait(PATIENCE)
        if self.together is not None:
            self.together.wait(PATIENCE)
        return length(b"", status="401 Unauthorized")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture(params=[Heron, WithCookieAlone])
def heron(request: pytest.FixtureRequest, service: Service) -> Iterator[Heron]:
    """Give a provider with one session."""
    with RawServer(service.serve) as server, requests.Session() as session:
        yield request.param(base_url=server.url, session=session, retry=None, timeout=30)


def test_threads_that_begin_together_log_in_once(
    service: Service, heron: Heron, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Barrier(4)
    monkeypatch.setattr(heron, "check_ready", lambda: begun.wait(PATIENCE))
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(heron.ask, "abcd")) == ["Good day"] * 4
    assert service.logins == 1


def test_threads_that_are_refused_together_log_in_once(service: Service, heron: Heron) -> None:
    heron.ask("x")
    service.valid, service.together = 0, threading.Barrier(4)
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(heron.ask, "abcd")) == ["Good day"] * 4
    assert service.logins == 2


@pytest.mark.parametrize("what", ["prompt", "models"])
def test_a_thread_that_is_refused_late_takes_the_newer_login(what: str, service: Service, heron: Heron) -> None:
    heron.ask("x")
    service.valid, service.first_refusal_waits = 0, True
    with ThreadPoolExecutor(1) as executor:
        late = executor.submit(heron.get_models if what == "models" else lambda: [str(heron.ask("late"))])
        assert service.waiting.wait(PATIENCE)
        assert heron.ask("early") == "Good day"
        assert late.result() == ["Good day"]
    assert service.logins == 2


def test_a_login_that_is_refused_for_good_is_tried_once_more_by_each_call(service: Service) -> None:
    class Misfit(Heron):
        def request(self, prompt: Prompt, token: str) -> requests.Request:
            return requests.Request("POST", f"{self.base_url}/ask", headers={"Ticket": "another"})

    with RawServer(service.serve) as server, requests.Session() as session:
        misfit = Misfit(base_url=server.url, session=session, retry=None, timeout=30)
        with ThreadPoolExecutor(4) as executor:
            errors = [executor.submit(misfit.ask, "x").exception() for _ in range(4)]
    assert [type(error) for error in errors] == [AuthenticationError] * 4
    assert 2 <= service.logins <= 5


def test_an_error_does_not_show_a_ticket_that_another_thread_has_replaced() -> None:
    class Quotes(Heron):
        def request(self, prompt: Prompt, token: str) -> requests.Request:
            return requests.Request("POST", f"{self.base_url}/ask", json=token)

    def serve(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            number = len(connection.server.requests)
            if "/login" in request.line:
                connection.send(length(json.dumps(f"ticket-{number}-canary").encode()))
            else:
                quotes.run(lambda exchange: setattr(exchange.pooled, "token", "another"))
                connection.send(length(b'{"error": "bad: %b"}' % request.body, status="400 Bad Request"))

    with RawServer(serve) as server, requests.Session() as session:
        quotes = Quotes(base_url=server.url, session=session, retry=None, timeout=30)
        with pytest.raises(ResponseStatusError) as caught:
            quotes.ask("x")
    assert "canary" not in str(caught.value)
    assert "bad: " in str(caught.value)


@pytest.mark.beside
def test_waiting_for_the_login_of_another_thread_ends_with_the_timeout() -> None:
    asked, go = threading.Event(), threading.Event()

    class Slow(Heron):
        def bootstrap(self, exchange: Exchange) -> str:
            asked.set()
            assert go.wait(PATIENCE)
            return ""

    def serve(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(length(b'"Good day"'))

    with RawServer(serve) as server, requests.Session() as session, ThreadPoolExecutor(1) as executor:
        slow = Slow(base_url=server.url, session=session, retry=None)
        first = executor.submit(slow.ask, "x", timeout=30)
        assert asked.wait(PATIENCE)
        with pytest.raises(DeadlineExceededError) as caught:
            slow.ask("y", timeout=Timeout(total=0.01))
        assert caught.value.step == "bootstrap"
        go.set()
        assert first.result() == "Good day"
