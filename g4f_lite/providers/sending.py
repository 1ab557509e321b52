"""What a provider sends for a prompt: its ``bootstrap``, and its ``request``, or several that it yields."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import requests
from requests.structures import CaseInsensitiveDict

from ..answers.deltas import shown
from ..errors import (
    AuthenticationError,
    G4FLiteError,
    HookError,
    ProviderError,
    RateLimitError,
    ResponseStatusError,
    ServiceError,
    TransportError,
)
from ..http.body import Body
from ..http.checks import complete
from ..http.exchange import Exchange
from ..http.observer import observer
from ..http.pool import Login
from ..prompt import Prompt
from .hooks import Hooks, Requests, mistake, naming, raise_mistake, wrong

MAX_REFUSALS = 10  # of a key or login, which request() may catch in an attempt

TOO_MANY = 429
_OF_IMAGES = (400, 415, 422, 500)  # statuses of servers whose model takes no images; llama.cpp has the last one
_END = object()


class Sender(Hooks, Protocol):
    """The part of a provider that is used here; see :class:`~g4f_lite.Provider`."""

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None: ...
    def explain(self, error: G4FLiteError) -> None: ...


def token_of(provider: Hooks, exchange: Exchange) -> str:
    """Return the token of the session, for which ``bootstrap`` is called if it has none.

    Of the threads that share a session, one calls ``bootstrap``; the others wait for its token.

    :raises HookError: if the code of ``bootstrap`` has a mistake
    """
    pooled = exchange.pooled
    login = pooled.login
    if login is None:
        with pooled.logging_in.held(exchange.deadline.check):
            login = pooled.login  # another thread may have logged in meanwhile
            if login is None:
                with naming(provider, "bootstrap"):
                    returned: object = provider.bootstrap(exchange)
                if not isinstance(returned, str):  # which may have the token in it
                    kind = "None" if returned is None else type(returned).__name__
                    raise mistake(provider, "bootstrap", f'returned {kind}; return a str, "" if there is no token')
                login = pooled.login = Login(returned)
                exchange.bootstraps += 1
    exchange.login = login
    exchange.used.append(login.token)
    return login.token


def send_prompt(provider: Sender, exchange: Exchange, prompt: Prompt, token: str) -> Body:
    """Send the requests for a prompt; return the successful response to the last one, to be read from its beginning.

    :param token: what ``bootstrap`` returned
    :raises G4FLiteError: if one of them does not succeed
    :raises HookError: if the code of ``request`` has a mistake
    """
    with at_step(exchange, "prompt"):  # so that a token that request() itself refuses, as too old, is fetched again
        asked = _made(provider, prompt, token)
    if isinstance(asked, requests.Request):
        return _answered(provider, exchange, prompt, asked)
    with at_step(exchange, "prompt"):
        try:
            return _send_all(provider, exchange, prompt, asked)
        except BaseException:
            # What is yielded now cannot be sent any more, and what is raised now came of the first error, which counts.
            with suppress(Exception):
                asked.close()
            raise


def _made(provider: Hooks, prompt: Prompt, token: str) -> requests.Request | Requests:
    """Call ``request``, and return what is to be sent, or the generator that yields it.

    :raises HookError: if its code has a mistake
    """
    try:
        request: object = provider.request(prompt, token)
    except Exception as error:
        raise_mistake(error, provider, "request")
        raise
    if isinstance(request, requests.Request):
        return _checked(provider, request, "returned")
    if isinstance(request, Generator):
        return request
    raise wrong(provider, "request", request, "a requests.Request, which is prepared and sent later")


def _checked(provider: Hooks, request: requests.Request, gave: str) -> requests.Request:
    """Check a request, and return it.

    :param gave: how ``request`` gave it: ``"returned"`` or ``"yielded"``
    :raises HookError: if it cannot be sent
    """
    url: object = request.url
    if not (isinstance(url, str) and re.match(r"[\w+.-]+://[^/?#]", url)):
        raise mistake(provider, "request", f'{gave} a request to {shown(url)}; write f"{{self.base_url}}/…"')
    headers: object = request.headers
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if value is not None and not isinstance(value, (str, bytes)):  # None leaves out a header of the session
            raise mistake(provider, "request", f"{gave} the header {name} as {type(value).__name__}; make it a str")
    return request


def _wrong_end(provider: Hooks, value: object) -> HookError:
    """Make the error for a ``request`` that yields, and ends without a response, or with a value.

    :param value: what it returned at its end
    """
    if value is not None:
        return mistake(provider, "request", f"returned {shown(value)} after it had yielded; yield it instead")
    return mistake(provider, "request", "yielded no request that succeeded; yield each one that is to be sent")


@contextmanager
def reading(provider: Sender, exchange: Exchange, body: Body | None) -> Iterator[None]:
    """Do what :func:`not_read` does for whatever a ``with`` block raises, where there is a response."""
    try:
        yield
    except BaseException as error:
        if body is not None:
            not_read(error, provider, exchange, body)
        raise


def not_read(error: BaseException, provider: Sender, exchange: Exchange, body: Body) -> None:
    """Close a response that could not be read, and add to the error what the response says about it."""
    body.close()
    exchange.keep_token(body.new_token)
    if isinstance(error, G4FLiteError):
        exchange.failed(error, "prompt")
        complete(error, body)
        provider.explain(error)


@contextmanager
def at_step(exchange: Exchange, step: str) -> Iterator[None]:
    """Record the step in the errors that a ``with`` block raises; in one of a bootstrap, what its response says too."""
    try:
        yield
    except G4FLiteError as error:
        exchange.failed(error, step)
        if step == "bootstrap" and exchange.bodies:
            complete(error, exchange.bodies[-1])
        raise


def pause(exchange: Exchange, seconds: float) -> None:
    """Wait between two requests, at most until the end of the call; a check of a provider leaves it out."""
    exchange.deadline.sleep(seconds)


def _answered(provider: Sender, exchange: Exchange, prompt: Prompt, request: requests.Request) -> Body:
    """Send a request, and return its response if it is successful."""
    body = exchange.follow(request, "prompt")
    observe = observer.get()
    if observe is not None and body.status != TOO_MANY:
        observe(body.status, body.headers)
    try:
        with naming(provider, "check_response", body=body):
            provider.check_response(body, prompt)
    except BaseException as error:
        not_read(error, provider, exchange, body)
        if isinstance(error, ProviderError) and body.status in _OF_IMAGES and prompt.has_images:
            _tell_of_images(error)
        if observe is not None and body.status == TOO_MANY:
            observe(body.status, _naming_wait(error, body.headers))
        raise
    return body


def _tell_of_images(error: ProviderError) -> None:
    """Say of a refusal for which no other reason is known that an image may be it."""
    if type(error) in (ServiceError, ResponseStatusError):
        error.message += "; the messages contain an image, which the model may not take"
        error.args = (error.message,)


def _naming_wait(error: BaseException, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers of a refusal, with the wait that the service names elsewhere, such as in its words."""
    wait = error.retry_after if isinstance(error, RateLimitError) else None
    return headers if wait is None else CaseInsensitiveDict({"Retry-After": f"{wait:g}"})


def _send_all(provider: Sender, exchange: Exchange, prompt: Prompt, asked: Requests) -> Body:
    """Send each request, and hand its response back; its error is raised where the request was yielded.

    A number is a wait.
    """
    answer: _Answer | None = None
    failure: ProviderError | TransportError | None = None
    refusals = 0
    while True:
        step: Any = _END
        body = None if answer is None else answer.body
        with naming(provider, "request", body=body), reading(provider, exchange, body):
            try:
                if failure is None:
                    step = next(asked) if answer is None else asked.send(answer.body)
                else:
                    step = asked.throw(failure)
            except StopIteration as end:
                if answer is None or end.value is not None:
                    raise _wrong_end(provider, end.value) from None
        failure = None
        if answer is not None and step is _END:
            answer.rewind()
            return answer.body
        if isinstance(step, (int, float)) and not isinstance(step, bool) and 0 <= step <= threading.TIMEOUT_MAX:
            pause(exchange, step)
            continue
        if not isinstance(step, requests.Request):
            raise mistake(provider, "request", f"yielded {shown(step)}; yield a requests.Request, or seconds to wait")
        request = _checked(provider, step, "yielded")
        if answer is not None:
            answer.done(exchange)
            answer = None
        try:
            answer = _Answer(_answered(provider, exchange, prompt, request))
        except (ProviderError, TransportError) as error:
            refusals += isinstance(error, AuthenticationError)
            if exchange.deadline.ended is not None:  # by its caller, which is not for request() to catch
                raise
            if refusals == MAX_REFUSALS:  # a request() that logs in again each time would not end
                raise
            failure = error


class _Answer:
    """A response that ``request`` looks at, and which is then read from its beginning if it was the last one."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._chunks, self._seen = body.chunks, list[bytes]()
        body.chunks = self._keeping()

    def _keeping(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._seen.append(chunk)
            yield chunk

    def rewind(self) -> None:
        """Let it be read from its beginning."""
        self.body.chunks = itertools.chain(self._seen, self._chunks)

    def done(self, exchange: Exchange) -> None:
        """Let its connection serve the next request."""
        self.body.drain()
        exchange.keep_token(self.body.new_token)
