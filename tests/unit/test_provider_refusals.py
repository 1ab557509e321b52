"""The check of a provider of one's own refuses its prompt, and each request before that, as for a token or a job."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import requests
import responses

from g4f_lite import (
    AuthenticationError,
    Body,
    Finish,
    G4FLiteError,
    Prompt,
    QuotaExceededError,
    RateLimitError,
    ServiceError,
)
from g4f_lite.http import Exchange, parse_json
from g4f_lite.providers.sending import MAX_REFUSALS
from g4f_lite.testing import Reply, check_provider, provider_check

from .quill_provider import REPLIES, TEXT, LogsIn, Quill


@pytest.fixture(autouse=True)
def _few_early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the answers in few places: where is the point of other tests."""
    monkeypatch.setattr(provider_check, "EARLY_ENDS", 3)


class InTheBody(Quill):
    """Its service refuses with status 200."""

    error: type[G4FLiteError] = AuthenticationError

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        for event in body.events():
            if event.event == "error":
                raise self.error(event.data)
            yield Finish() if event.data == "[DONE]" else parse_json(event.data)


class MistakesIt(InTheBody):
    error = RateLimitError


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (InTheBody, None),
        (MistakesIt, r"a refusal of the prompt is a RateLimitError \(expired\), and not"),
        (Quill, "a refusal of the prompt is a ResponseFormatError"),
    ],
)
def test_a_refusal_in_the_body(kind: type[Quill], message: str | None) -> None:
    make = partial(kind, api_key="the-good-key")
    refusal = "event: error\ndata: expired\n\n"
    if message is None:
        check_provider(make, REPLIES, text=TEXT, refusal=refusal)
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, REPLIES, text=TEXT, refusal=refusal)


class TakesAnyToken(Quill):
    """Reads the response to its token request, whatever the status."""

    def bootstrap(self, exchange: Exchange) -> str:
        return str(exchange.send(requests.Request("GET", f"{self.base_url}/token"), "bootstrap").json()["token"])


class TakesAnyLogin(LogsIn):
    """Does not look at the response to its login."""

    def bootstrap(self, exchange: Exchange) -> str:
        exchange.send(requests.Request("POST", f"{self.base_url}/token"), "bootstrap")
        return ""


class ReadsItsToken(Quill):
    """Its service refuses to give a token with status 200."""

    def bootstrap(self, exchange: Exchange) -> str:
        fields = exchange.send(requests.Request("GET", f"{self.base_url}/token"), "bootstrap").json()
        if "denied" in fields:
            raise AuthenticationError(fields["denied"])
        return str(fields["token"])


DENIED = '{"denied": "no such user"}'
REFUSED = Reply(status=401, body=DENIED)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("kind", "refusal", "message"),
    [
        (TakesAnyToken, REFUSED, r"a refusal of the request to /token is a ResponseFormatError .*check_response"),
        (
            TakesAnyToken,
            {"/token": REFUSED},
            r"a refusal of the request to /token: .*bootstrap raised KeyError",
        ),
        (TakesAnyLogin, REFUSED, "a refusal of the request to /token is not an AuthenticationError"),
        (Quill, {"/token": DENIED}, r"a refusal of the request to /token: .*bootstrap raised KeyError"),
        (ReadsItsToken, {"/token": DENIED}, None),
    ],
)
def test_a_token_request_that_is_refused(kind: type[Quill], refusal: Any, message: str | None) -> None:
    make = partial(kind, api_key="the-good-key")
    if message is None:
        check_provider(make, REPLIES, text=TEXT, refusal=refusal)
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, REPLIES, text=TEXT, refusal=refusal)


class Polls(Quill):
    """Asks for a job until it is done."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        headers = self.headers_with(Authorization=token, Key=self.api_key)
        job = yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages, headers=headers)
        url = f"{self.base_url}/jobs/{job.json()['id']}"
        while (yield requests.Request("GET", url, headers=headers)).json()["state"] == "running":
            yield 600.0

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[str | Finish]:
        yield body.json()["text"]
        yield Finish()


class Impatient(Polls):
    """Takes what it gets."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages)
        yield requests.Request("GET", f"{self.base_url}/jobs/7")


class GoesOn(Polls):
    """Takes a refusal of the first request for an answer."""

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        headers = self.headers_with(Authorization=token, Key=self.api_key)
        with suppress(AuthenticationError):
            yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages, headers=headers)
        while (yield requests.Request("GET", f"{self.base_url}/jobs/7", headers=headers)).json()["state"] == "running":
            yield 600.0


class LogsInItself(Polls):
    """Logs in again where its job outlives its login, and does not give up."""

    token_sources = 0

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages)
        while True:
            try:
                job = yield requests.Request(
                    "GET", f"{self.base_url}/jobs/7", headers=self.headers_with(Authorization=token, Key=self.api_key)
                )
            except AuthenticationError:
                token = (yield requests.Request("GET", f"{self.base_url}/token")).json()["token"]
            else:
                if job.json()["state"] == "done":
                    return


class LogsInOnce(Polls):
    """Logs in again where its job outlives its login, once."""

    token_sources = 0

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages)
        url, tokens_left = f"{self.base_url}/jobs/7", 1
        while True:
            try:
                job = yield requests.Request(
                    "GET", url, headers=self.headers_with(Authorization=token, Key=self.api_key)
                )
            except AuthenticationError:
                if not tokens_left:
                    raise
                tokens_left -= 1
                token = (yield requests.Request("GET", f"{self.base_url}/token")).json()["token"]
            else:
                if job.json()["state"] == "done":
                    return


STATES = ['{"state": "running"}', '{"state": "running"}', '{"state": "done", "text": "Good day"}']
JOB = {"/token": REPLIES["/token"], "/jobs": '{"id": 7}', "/jobs/7": STATES}


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (GoesOn, "a refusal of the request to /jobs is not an AuthenticationError"),
        (LogsInItself, "the prompt was refused 5 times, and the provider asked again each time; raise the second"),
        (LogsInOnce, None),
    ],
)
def test_any_request_of_a_job_may_be_refused(kind: type[Quill], message: str | None) -> None:
    make = partial(kind, api_key="the-good-key")
    if message is None:
        check_provider(make, JOB, text="Good day")
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, JOB, text="Good day")


class KnowsItsQuota(Polls):
    """Its service says with status 200 that nothing is left."""

    error: type[G4FLiteError] = QuotaExceededError

    def request(self, prompt: Prompt, token: str) -> Generator[requests.Request | float, Body, None]:
        headers = self.headers_with(Authorization=token, Key=self.api_key)
        job = yield requests.Request("POST", f"{self.base_url}/jobs", json=prompt.messages, headers=headers)
        if "error" in job.json():
            raise self.error("nothing is left")
        while (yield requests.Request("GET", f"{self.base_url}/jobs/7", headers=headers)).json()["state"] == "running":
            yield 600.0


class MistakesItsQuota(KnowsItsQuota):
    error = ServiceError


USED_UP = '{"error": "used up"}'


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        (KnowsItsQuota, QuotaExceededError, None),
        (KnowsItsQuota, RateLimitError, None),
        (
            MistakesItsQuota,
            QuotaExceededError,
            "/jobs is a ServiceError .nothing is left., and not a QuotaExceededError",
        ),
        (GoesOn, QuotaExceededError, "a refusal of the request to /jobs is not a QuotaExceededError"),
    ],
)
def test_a_refusal_may_be_another_error(kind: type[Quill], wanted: type[G4FLiteError], message: str | None) -> None:
    make, refusal = partial(kind, api_key="the-good-key"), {"/jobs": (USED_UP, wanted)}
    if message is None:
        check_provider(make, JOB, text="Good day", refusal=refusal)
    else:
        with pytest.raises(AssertionError, match=message):
            check_provider(make, JOB, text="Good day", refusal=refusal)


@pytest.mark.once
def test_a_prompt_may_be_refused_for_its_rate() -> None:
    refusal = {"/chat": ("event: error\ndata: slow down\n\n", RateLimitError)}
    check_provider(partial(MistakesIt, api_key="the-good-key"), REPLIES, text=TEXT, refusal=refusal)


def test_a_login_that_is_refused_for_good_ends_the_call() -> None:
    with responses.RequestsMock() as web:
        web.post("http://quill.test/jobs", json={"id": 7})
        web.get("http://quill.test/jobs/7", status=401)
        web.get("http://quill.test/token", json={"token": "t"})
        with pytest.raises(AuthenticationError):
            LogsInItself(base_url="http://quill.test", api_key="the-good-key").ask("Hello")
        assert [call.request.path_url for call in web.calls].count("/jobs/7") == MAX_REFUSALS


@pytest.mark.once
def test_a_job_is_asked_for_until_it_is_done() -> None:
    check_provider(partial(Polls, api_key="the-good-key"), JOB, text="Good day")
    with pytest.raises((AssertionError, G4FLiteError), match="KeyError: 'text'"):
        check_provider(partial(Impatient, api_key="the-good-key"), JOB, text="Good day")


class HidesARefusal(Quill):
    """Words what the service says of a refused token, which is not fetched again then."""

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        error = parsed.get("error") if isinstance(parsed, dict) and status != 429 else None
        return ServiceError(error) if isinstance(error, str) else None


def test_a_refusal_with_words_of_the_services_own_is_one() -> None:
    with pytest.raises(
        AssertionError, match=r"makes a ServiceError of status 401 .*; return AuthenticationError\(…\), or"
    ):
        check_provider(partial(HidesARefusal, api_key="the-good-key"), REPLIES, text=TEXT)
