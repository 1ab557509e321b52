"""One call to a service: attempts, token refresh, streaming, and cleaning up.

A provider defines what to send and how to read the answer; this module does the rest, for all providers.
"""

# ruff: noqa: B904  it is the same error that is raised again, and a traceback shows that line
from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

import requests

from ..answers.deltas import Delta, Finish, checked, is_content, no_end
from ..answers.images import ImageResponse
from ..answers.interruption import short_interrupt
from ..answers.price import PricedAt
from ..answers.response import Response
from ..answers.short_traceback import shortened
from ..answers.source import CheckedSource
from ..errors import (
    AuthenticationError,
    G4FLiteError,
    ProviderError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from ..http.body import Body
from ..http.checks import complete
from ..http.cooldown import CoolDowns
from ..http.deadline import Deadline
from ..http.exchange import Exchange
from ..http.pool import PooledSession, SessionPool, refuses_headers
from ..http.redact import scrub, secrets_in_fields
from ..http.retry import OnRetry, RetryBudget, attempts
from ..http.route import Route
from ..prompt import Prompt
from ..timeout import CallRetry, RetryLike, RetryPolicy, Timeout
from .hooks import Requests, first_of, naming, quote, raise_unread
from .image_fetch import fetch_image
from .sending import at_step, not_read, send_prompt, token_of

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Service(Protocol):
    """The part of a provider that a call uses; see :class:`~g4f_lite.Provider`."""

    name: str
    base_url: str
    priced_at: PricedAt
    token_sources: ClassVar[int]
    has_bootstrap: ClassVar[bool]
    fetches_images: ClassVar[bool]
    retry: RetryLike
    on_retry: OnRetry | None
    budget: RetryBudget
    cool_downs: CoolDowns
    pool: SessionPool

    def bootstrap(self, exchange: Exchange) -> str: ...
    def served_model(self, exchange: Exchange) -> str: ...
    def request(self, prompt: Prompt, token: str) -> requests.Request | Requests: ...
    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None: ...
    def check_response(self, body: Body, prompt: Prompt | None = None) -> None: ...
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]: ...
    def explain(self, error: G4FLiteError) -> None: ...
    def refused_field(self, error: G4FLiteError, prompt: Prompt) -> str | None: ...
    def accepted(self, prompt: Prompt) -> None: ...
    def advise(self, error: G4FLiteError, model: str, exchange: Exchange) -> None: ...
    def secrets(self) -> list[str]: ...


class Call(CheckedSource):
    """A call in progress: the source of an answer's deltas, which may be closed from any thread.

    :param service: the provider
    :param prompt: the prompt, with its model, its timeout and its retry policy
    :param route: the proxy and TLS settings
    :ivar model: the model; if none was named, known once the server has listed its models
    """

    def __init__(self, service: Service, prompt: Prompt, route: Route) -> None:
        assert isinstance(prompt.timeout, Timeout)
        assert not isinstance(prompt.retry, str)
        self._retry = prompt.retry
        self._service = service
        self._prompt = prompt
        self.model = prompt.model
        self._route = route
        self._deadline = Deadline(prompt.timeout, prompt.allowance)
        self._refreshed = 0
        self._renewed = False
        self.priced_at = service.priced_at
        self.response: Response | None = None  # once the answer has begun
        self.attempts: int | None = None  # once the answer has begun; an error at its end says it
        self._exchange: Exchange | None = None
        super().__init__()

    def close(self) -> None:
        """End the call; if another thread is reading, it is woken and does the cleaning up.

        :raises ValueError: if another thread is reading
        """
        self._deadline.end("closed")
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        service, deadline = self._service, self._deadline
        secrets = partial(_secrets, service, self._prompt)  # without the call, which has the exchange
        with (
            deadline,
            service.pool.lend() as pooled,
            Exchange(pooled, deadline, self._route, service.name, secrets) as exchange,
        ):
            self._exchange = exchange
            model = self._prompt.model or ""
            try:
                opened: Any = attempts(service, exchange, lambda: self._attempt(exchange), self._retry, model=model)
            except ProviderError as error:
                error.may_retry &= self._may_repeat()
                raise
            self.attempts = exchange.attempts
            if isinstance(opened, str):  # the result of a tenacity retry_error_callback
                yield opened
                yield Finish()
                return
            first, rest, body = opened
            self.response = Response(body.status, body.headers)
            last, begun, ended = first, is_content(first), False
            try:
                if begun:
                    deadline.lift_first_limit()
                yield first
                try:
                    for last in rest:
                        if deadline.ended is not None:
                            deadline.check_work()
                        if not begun and (type(last) is str or is_content(last)):
                            begun = True
                            deadline.lift_first_limit()
                        if isinstance(last, ImageResponse):
                            self._fetch(last, exchange)
                        elif isinstance(last, Finish):
                            ended = True
                        yield last
                except Exception as error:
                    raise_unread(error, service, body, begun=True)
                    raise
                body.drain()
                if not begun or not isinstance(last, Finish):  # which the stream calls empty, or which was cut
                    exchange.abandon()
                    if begun and not ended:
                        raise no_end()
            except TransportError as error:
                step, may_retry = error.step or "stream", self._may_repeat()
                text = f"the answer was cut: {error.message}"
                raise StreamInterruptedError(text, step=step, may_retry=may_retry) from error
            except G4FLiteError as error:
                complete(error, body)
                if isinstance(error, ProviderError):
                    error.may_retry &= self._may_repeat()
                raise
            finally:
                rest.close()  # while the session is lent, so that a finally of deltas has another one
                exchange.keep_token(body.new_token)

    def scrub(self, error: BaseException) -> None:
        """Take out of an error all that this call must not show, in place."""
        if self._exchange is not None:
            self._exchange.scrub(error)
        elif not sys.is_finalizing():  # when Python ends, nothing is sent, and re can compile nothing
            scrub(error, _secrets(self._service, self._prompt))

    def _may_repeat(self) -> bool:
        """Return whether the retry policy lets a prompt be sent more than once; one of tenacity's own is not asked."""
        return isinstance(self._retry, RetryPolicy) and self._retry.attempts > 1

    def _attempt(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Send the prompt, and again if that can mend it: with another token or session, or without a field."""
        rejected: AuthenticationError | None = None
        self._refreshed = 0  # while an attempt before this one waited for a rate limit, its token may have expired
        while True:
            try:
                opened = self._send_prompt(exchange)
            except G4FLiteError as error:
                if rejected is not None and isinstance(error, ServiceError) and error.step == "bootstrap":
                    raise rejected from error  # there is no other token
                if not self._has_mended(error, exchange):
                    self._service.advise(error, self._prompt.model or "", exchange)
                    raise
                rejected = error if isinstance(error, AuthenticationError) else None
                exchange.abandon()
            else:
                if self._prompt.without:
                    self._service.accepted(self._prompt)
                return opened

    def _has_mended(self, error: G4FLiteError, exchange: Exchange) -> bool:
        """Change what is sent so that it may be accepted; False if that cannot be done, or has been done already."""
        service = self._service
        if refuses_headers(error) and not self._renewed and service.pool.renew(exchange.pooled):
            logger.info("%s: the headers were rejected as too large; using a new session", service.name)
            self._renewed = True
            return True
        if isinstance(error, AuthenticationError) and service.has_bootstrap and service.token_sources:
            if error.step != "prompt":
                return False  # a bootstrap or image that fails does not mean that the token is invalid
            if exchange.pooled.login is exchange.login and self._refreshed == service.token_sources:
                return False
            with at_step(exchange, "bootstrap"):
                dropped = exchange.drop_token()
            if dropped:
                logger.info("%s: the token was rejected; fetching a new one", service.name)
                self._refreshed += 1
            return True
        field = None if self._prompt.without else service.refused_field(error, self._prompt)
        if field is None:
            return False
        logger.info("%s: the field %s was rejected; sending the prompt without it", service.name, field)
        self._prompt = replace(self._prompt, without=frozenset({field}))
        return True

    def _send_prompt(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Send the prompt and wait for the first delta."""
        service = self._service
        with at_step(exchange, "bootstrap"):
            token = token_of(service, exchange)
            if not self._prompt.model and (model := service.served_model(exchange)):
                self._prompt, self.model = replace(self._prompt, model=model), model
        body = send_prompt(service, exchange, self._prompt, token)
        try:
            try:
                rest = checked(service.deltas(body, self._prompt), "deltas")
                first = first_of(rest, service, body)
            except Exception as error:
                raise_unread(error, service, body, begun=False)
                raise
            if isinstance(first, ImageResponse):
                self._fetch(first, exchange)
        except BaseException as error:
            quote(error, body)
            not_read(error, service, exchange, body)
            raise
        return first, rest, body

    def _fetch(self, image: ImageResponse, exchange: Exchange) -> None:
        """Fetch an image now if the provider requires it, and set how to fetch it later, unless the provider has."""
        if image.fetch is not None:
            return
        service, home = self._service, self._service.base_url
        if service.fetches_images:
            image.fetch_now(lambda url: fetch_image(exchange, url, home=home))
        image.fetch = later_fetch(service, exchange, self._deadline.timeout)


def _secrets(service: Service, prompt: Prompt) -> list[str]:
    """List what no message may show: the provider's secrets, and those that only this call sends."""
    tools = [tool for tool in prompt.options.get("tools", ()) if isinstance(tool, dict)]
    hosted = [tool for tool in tools if "function" not in tool]  # by the service, as those of an MCP server are
    return [*service.secrets(), *prompt.secrets(), *secrets_in_fields([prompt.options.get("extra_body"), *hosted])]


def fetch(exchange: Exchange, request: requests.Request, step: str, service: Service) -> Body:
    """Send a request other than a prompt, and return the body of a successful response.

    :raises G4FLiteError: if it does not succeed
    """
    body = exchange.follow(request, step)
    try:
        with at_step(exchange, step), naming(service, "check_response", body=body):
            service.check_response(body)
    except G4FLiteError as error:
        body.close()
        service.explain(error)
        raise
    return body


def later_fetch(service: Service, exchange: Exchange, timeout: Timeout) -> Callable[[str], bytes]:
    """Return what fetches an image of an answer when it is needed, in a call of its own.

    :param exchange: the exchange of the answer's call, whose secrets may be in the URL of the image
    """
    hidden, route = [*exchange.hidden()], exchange.route

    def fetch_later(later: Exchange, url: str) -> bytes:
        later.secrets = lambda: [*service.secrets(), *hidden]
        return fetch_image(later, url, home=service.base_url)

    return lambda url: run(service, lambda later: fetch_later(later, url), timeout=timeout, route=route)


@short_interrupt
def run(
    service: Service,
    action: Callable[[Exchange], Result],
    *,
    timeout: Timeout,
    route: Route,
    session: requests.Session | None = None,
    retry: CallRetry = "own",
) -> Result:
    """Call ``action`` under a retry policy, for requests other than prompts, such as a list of models."""
    lent = service.pool.lend() if session is None else nullcontext(PooledSession(session))
    policy = service.retry if retry == "own" else retry

    def act() -> Result:
        with at_step(exchange, "bootstrap"):
            return action(exchange)

    try:
        with (
            Deadline(timeout) as deadline,
            lent as pooled,
            Exchange(pooled, deadline, route, service.name, service.secrets) as exchange,
            at_step(exchange, "bootstrap"),
            naming(service, getattr(action, "__name__", "run"), action),
        ):
            exchange.login = pooled.login
            try:
                return attempts(service, exchange, act, policy, may_be_text=False)
            except AuthenticationError:
                renews = service.has_bootstrap and service.token_sources
                if exchange.login is None or exchange.bootstraps or not renews:
                    raise
                exchange.abandon()
                exchange.drop_token()  # an old one, which the service takes no more
                return attempts(service, exchange, act, policy, may_be_text=False)
    except G4FLiteError as error:
        raise shortened(error)
