"""One call: attempts, a token refreshed once, the first delta, the rest, and everything given back.

A provider says what to send and how to read it; this says how that is done, for all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from ..collected import is_content
from ..deltas import Delta, Finish
from ..errors import AuthenticationError, EmptyResponseError, G4FLiteError, StreamInterruptedError, TransportError
from ..http.body import Body
from ..http.deadline import Deadline, Timeout
from ..http.exchange import Exchange, Route
from ..http.pool import Visitor
from ..http.retry import retrying
from ..messages import Messages

if TYPE_CHECKING:
    from .base import Provider

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Call:
    """A prompt in progress: an iterator of deltas, which may be closed from any thread.

    :ivar model: the model that is asked; where none was named, known once the server has told its models
    """

    def __init__(
        self,
        provider: Provider,
        model: str,
        messages: Messages,
        options: dict[str, Any],
        timeout: Timeout,
        route: Route,
    ) -> None:
        self._provider = provider
        self.model: str | None = model or None
        self._messages = messages
        self._options = options
        self._route = route
        self._deadline = Deadline(timeout)
        self._refreshed = False
        self._deltas = self._run()

    def __iter__(self) -> Iterator[Delta]:
        return self._deltas

    def close(self) -> None:
        """End the call; a reader in another thread is woken, and cleans up there.

        :raises ValueError: there is such a reader
        """
        self._deadline.end("closed")
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        with in_call(self._provider, self._deadline, self._route) as exchange:
            opened: Any = attempts(self._provider, exchange, lambda: self._attempt(exchange))
            if isinstance(opened, str):  # of a retry_error_callback
                yield opened
                yield Finish()
                return
            first, rest, body = opened
            try:
                deltas = chain((first,), rest)
                for delta in deltas:
                    begun = is_content(delta)
                    if begun:
                        self._deadline.answer_came()
                    yield delta
                    if begun:
                        break
                yield from deltas
                body.drain()
            except TransportError as error:
                raise StreamInterruptedError(f"the answer was cut: {error.message}", step="stream") from error
            finally:
                if not body.complete:
                    body.close()

    def _attempt(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Ask; a refused token is fetched again, once in a call."""
        try:
            return self._ask(exchange)
        except AuthenticationError as error:
            if not self._provider.refreshes_token or self._refreshed or error.step != "prompt":
                raise  # a refused bootstrap or picture says nothing about the token
            logger.info("%s: the token was refused; fetching another", self._provider.name)
        self._refreshed = True
        exchange.visitor.token = None
        return self._ask(exchange)

    def _ask(self, exchange: Exchange) -> tuple[Delta, Iterator[Delta], Body]:
        """Send the prompt and wait for the first delta."""
        provider, visitor = self._provider, exchange.visitor
        if visitor.token is None:
            with at_step(exchange, "bootstrap"):
                visitor.token = provider._bootstrap(exchange)
        with at_step(exchange, "bootstrap"):
            self.model = self.model or provider._unnamed_model(exchange)
        request = provider._request(self.model, self._messages, visitor.token, self._options)
        body = exchange.send(request, "prompt")
        try:
            provider._check_response(body)
            rest = iter(provider._deltas(body))
            try:
                return next(rest), rest, body
            except StopIteration:
                raise EmptyResponseError("the answer ended before it began") from None
        except BaseException as error:
            body.close()
            if isinstance(error, G4FLiteError):
                exchange.failed(error, "prompt")
            raise


def fetch(exchange: Exchange, request: requests.Request, step: str, provider: Provider) -> Body:
    """Send a request that is no prompt, and raise unless it succeeded.

    :raises G4FLiteError: it did not
    """
    body = exchange.send(request, step)
    try:
        with at_step(exchange, step):
            provider._check_response(body)
    except G4FLiteError:
        body.close()
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
    provider: Provider,
    action: Callable[[Exchange], Result],
    *,
    timeout: Timeout,
    route: Route,
    session: requests.Session | None = None,
) -> Result:
    """Run something that is no prompt, such as a list of models, under the provider's limits and policy."""
    limits = replace(timeout, first=None)  # there is no first piece
    with in_call(provider, Deadline(limits), route, session) as exchange, at_step(exchange, "bootstrap"):
        return attempts(provider, exchange, lambda: action(exchange), may_be_text=False)


def attempts(
    provider: Provider, exchange: Exchange, action: Callable[[], Result], *, may_be_text: bool = True
) -> Result:
    """Run an action under the provider's retry policy and budget."""

    def counted() -> Result:
        exchange.attempts += 1
        try:
            return action()
        except G4FLiteError as error:
            exchange.scrub(error)  # before a caller's own callbacks see it
            exchange.close()
            raise

    def on_retry(error: G4FLiteError, attempt: int, wait: float) -> None:
        _describe(error, provider, exchange)
        logger.info("%s: attempt %d failed, the next in %.2f s: %s", provider.name, attempt, wait, error)
        if provider.on_retry is not None:
            provider.on_retry(error, attempt, wait)

    controller = retrying(provider.retry, exchange.call, provider._budget, on_retry, may_be_text=may_be_text)
    result: Result = controller(counted)
    provider._budget.give_back()
    return result


@contextmanager
def in_call(
    provider: Provider, call: Deadline, route: Route, session: requests.Session | None = None
) -> Iterator[Exchange]:
    """Borrow a session for a call that is watched, and make its errors fit to be seen."""
    lent = provider._pool.lend() if session is None else _own(session)
    with call, lent as visitor:
        exchange = Exchange(visitor, call, route, provider.name, provider._secrets())
        try:
            yield exchange
        except G4FLiteError as error:
            _describe(error, provider, exchange)
            raise
        finally:
            exchange.close()


@contextmanager
def _own(session: requests.Session) -> Iterator[Visitor]:
    yield Visitor(session)


def _describe(error: G4FLiteError, provider: Provider, exchange: Exchange) -> None:
    error.provider = provider.name
    error.attempts = exchange.attempts
    error.elapsed = exchange.call.elapsed
    error.step = error.step or "stream"
    exchange.scrub(error)
