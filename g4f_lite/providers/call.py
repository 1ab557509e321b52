"""One call: attempts, a token refreshed once, the first delta, the rest, and everything given back.

A provider says what to send and how to read it; this says how that is done, for all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

import requests

from ..answers.characters import whole_characters
from ..answers.deltas import Delta, Finish, is_content, nothing_came
from ..answers.images import ImageResponse
from ..errors import AuthenticationError, G4FLiteError, StreamInterruptedError, TransportError
from ..http import redirects
from ..http.body import Body
from ..http.checks import complete
from ..http.cooldown import CoolDowns
from ..http.deadline import Deadline
from ..http.exchange import Exchange, Route
from ..http.pool import PooledSession, SessionPool
from ..http.retry import OnRetry, RetryBudget, RetryLike, names_cool_down, retrying
from ..prompt import Prompt
from ..timeout import RetryPolicy, Timeout
from .image_fetch import fetch_image

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Service(Protocol):
    """What a call needs of a provider; :class:`~g4f_lite.Provider` explains it."""

    base_url: str
    refreshes_token: ClassVar[bool]
    fetches_images: ClassVar[bool]
    retry: RetryLike
    on_retry: OnRetry | None
    budget: RetryBudget
    cool_downs: CoolDowns
    pool: SessionPool

    @property
    def name(self) -> str: ...
    def bootstrap(self, exchange: Exchange) -> str: ...
    def served_model(self, exchange: Exchange) -> str: ...
    def request(self, prompt: Prompt, token: str) -> requests.Request: ...
    def check_response(self, body: Body, prompt: Prompt | None = None) -> None: ...
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]: ...
    def explain(self, error: G4FLiteError) -> None: ...
    def refused_field(self, error: G4FLiteError, prompt: Prompt) -> str | None: ...
    def accepted(self, prompt: Prompt) -> None: ...
    def route(self, proxy: str | None = None) -> Route: ...
    def secrets(self) -> list[str]: ...


class Call:
    """A prompt in progress: the source of an answer's deltas, which may be closed from any thread.

    :param service: the provider
    :param prompt: the prompt, with the model to ask and the time limits of this call
    """

    def __init__(self, service: Service, prompt: Prompt) -> None:
        assert isinstance(prompt.timeout, Timeout)
        self._service = service
        self._prompt = prompt
        self._deadline = Deadline(prompt.timeout, share=prompt.share)
        self._refreshed = False
        self._deltas = self._run()

    @property
    def model(self) -> str | None:
        """The model that is asked; where none was named, known once the server has listed its models."""
        return self._prompt.model

    def __iter__(self) -> Generator[Delta, None, None]:
        return self._deltas

    def close(self) -> None:
        """End the call; a reader in another thread is woken, and cleans up there.

        :raises ValueError: there is such a reader
        """
        self._deadline.end("closed")
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        service = self._service
        route = service.route(self._prompt.proxy)
        with in_call(service, self._deadline, route, service.pool.lend()) as exchange:
            exchange.secrets += self._prompt.secrets()
            opened: Any = attempts(service, exchange, lambda: self._attempt(exchange), model=self._prompt.model or "")
            if isinstance(opened, str):  # of a retry_error_callback
                yield opened
                yield Finish()
                return
            first, rest, body = opened
            last, begun = first, is_content(first)
            try:
                if begun:
                    self._deadline.lift_first_limit()
                yield first
                for last in rest:
                    if not begun and is_content(last):
                        begun = True
                        self._deadline.lift_first_limit()
                    if isinstance(last, ImageResponse):
                        self._fetch(last, exchange)
                    yield last
                body.drain()
                if not begun or not isinstance(last, Finish):  # which the stream will call empty, or interrupted
                    exchange.abandon()
            except TransportError as error:
                step = error.step or "stream"
                raise StreamInterruptedError(f"the answer was cut: {error.message}", step=step) from error
            except G4FLiteError as error:
                complete(error, body)
                raise
            finally:
                if not body.complete:
                    body.close()
                exchange.keep_token(body)

    def _attempt(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Ask, and once more where that can be mended at once: with another token, or without a refused field."""
        try:
            return self._ask(exchange)
        except G4FLiteError as error:
            if not self._has_mended(error, exchange):
                raise
        exchange.abandon()
        opened = self._ask(exchange)
        if self._prompt.without:
            self._service.accepted(self._prompt)
        return opened

    def _has_mended(self, error: G4FLiteError, exchange: Exchange) -> bool:
        """Change what is sent so that it may be accepted; False where that cannot be done, or has been done."""
        service = self._service
        if isinstance(error, AuthenticationError) and service.refreshes_token:
            if self._refreshed or error.step != "prompt":  # a refused bootstrap or image says nothing about the token
                return False
            logger.info("%s: the token was refused; fetching another", service.name)
            self._refreshed = True
            exchange.pooled.token = None
            return True
        field = None if self._prompt.without else service.refused_field(error, self._prompt)
        if field is None:
            return False
        logger.info("%s: the field %s was refused; sending the prompt without it", service.name, field)
        self._prompt = replace(self._prompt, without=frozenset({field}))
        return True

    def _ask(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Send the prompt and wait for the first delta."""
        service, pooled = self._service, exchange.pooled
        with at_step(exchange, "bootstrap"):
            if pooled.token is None:
                pooled.token = service.bootstrap(exchange)
            if not self._prompt.model and (model := service.served_model(exchange)):
                self._prompt = replace(self._prompt, model=model)
        body = redirects.send(exchange, service.request(self._prompt, pooled.token), "prompt")
        try:
            service.check_response(body, self._prompt)
            rest = whole_characters(service.deltas(body, self._prompt))
            first = next(rest, None)
            if first is None:
                raise nothing_came()
            if isinstance(first, ImageResponse):
                self._fetch(first, exchange)
            return first, rest, body
        except BaseException as error:
            body.close()
            exchange.keep_token(body)
            if isinstance(error, G4FLiteError):
                exchange.failed(error, "prompt")
                complete(error, body)
                service.explain(error)
            raise

    def _fetch(self, image: ImageResponse, exchange: Exchange) -> None:
        """Let an image's bytes be had: at once where the provider says so, else when they are needed."""
        service, home = self._service, self._service.base_url
        if service.fetches_images:
            image.fetch_now(lambda url: fetch_image(exchange, url, home=home))
        limits, route = self._deadline.timeout, exchange.route
        image.fetch = lambda url: run(
            service, lambda later: fetch_image(later, url, home=home), timeout=limits, route=route
        )


def fetch(exchange: Exchange, request: requests.Request, step: str, service: Service) -> Body:
    """Send a request that is not a prompt, and raise unless it succeeded.

    :raises G4FLiteError: it did not
    """
    body = redirects.send(exchange, request, step)
    try:
        with at_step(exchange, step):
            service.check_response(body)
    except G4FLiteError as error:
        body.close()
        service.explain(error)
        raise
    return body


@contextmanager
def at_step(exchange: Exchange, step: str) -> Iterator[None]:
    """Note in the errors of a ``with`` block where they happened."""
    try:
        yield
    except G4FLiteError as error:
        exchange.failed(error, step)
        raise


def run(
    service: Service,
    action: Callable[[Exchange], Result],
    *,
    timeout: Timeout,
    route: Route,
    session: requests.Session | None = None,
) -> Result:
    """Run something that is not a prompt, such as a list of models, under the provider's limits and policy."""
    lent = service.pool.lend() if session is None else _own(session)
    with in_call(service, Deadline(timeout), route, lent) as exchange, at_step(exchange, "bootstrap"):
        return attempts(service, exchange, lambda: action(exchange), may_be_text=False)


def attempts(
    service: Service,
    exchange: Exchange,
    action: Callable[[], Result],
    *,
    model: str | None = None,
    may_be_text: bool = True,
) -> Result:
    """Run an action under the provider's retry policy and budget.

    :param model: the model whose cool-down is kept; None for what is not a prompt
    """
    deadline = exchange.deadline

    def counted() -> Result:
        while pause := _pause(service, model, deadline):
            logger.info("%s: waiting %.2f s for a rate limit that another call met", service.name, pause)
            deadline.sleep(pause)
        exchange.attempts += 1
        try:
            return action()
        except G4FLiteError as error:
            if model is not None and names_cool_down(error):
                service.cool_downs.begin(model, getattr(error, "retry_after", 0.0), _policy_of(service).max_retry_after)
            exchange.scrub(error)  # before a caller's own callbacks see it
            exchange.abandon()
            raise

    def on_retry(error: G4FLiteError, attempt: int, wait: float) -> None:
        _describe(error, service, exchange)
        logger.info("%s: attempt %d failed, the next in %.2f s: %s", service.name, attempt, wait, error)
        if service.on_retry is not None:
            service.on_retry(error, attempt, wait)

    controller = retrying(service.retry, deadline, service.budget, on_retry, may_be_text=may_be_text)
    result: Result = controller(counted)
    service.budget.give_back()
    return result


def _pause(service: Service, model: str | None, deadline: Deadline) -> float:
    """Give the seconds to wait before a prompt is sent, for a rate limit of its model; 0 for none."""
    if model is None or service.retry is None:
        return 0.0
    return service.cool_downs.wait(model, min(_policy_of(service).max_retry_after, deadline.remaining()))


def _policy_of(service: Service) -> RetryPolicy:
    """Give the provider's policy, or the usual numbers where it has another kind of one, or none."""
    return service.retry if isinstance(service.retry, RetryPolicy) else RetryPolicy()


@contextmanager
def in_call(
    service: Service, deadline: Deadline, route: Route, lent: AbstractContextManager[PooledSession]
) -> Iterator[Exchange]:
    """Give the exchange of a call that is watched, and make its errors fit to be seen.

    :param lent: the session that is lent to it
    """
    with deadline, lent as pooled:
        exchange = Exchange(pooled, deadline, route, service.name, service.secrets())
        try:
            yield exchange
        except BaseException as error:
            exchange.abandon()
            if isinstance(error, G4FLiteError):
                _describe(error, service, exchange)
            raise
        exchange.close()


@contextmanager
def _own(session: requests.Session) -> Iterator[PooledSession]:
    yield PooledSession(session)


def _describe(error: G4FLiteError, service: Service, exchange: Exchange) -> None:
    error.provider = service.name
    error.attempts = exchange.attempts
    error.elapsed = exchange.deadline.elapsed
    error.step = error.step or "stream"
    exchange.scrub(error)
