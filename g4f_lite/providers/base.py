"""What a provider is, and what every provider over HTTP can do."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import requests

from ..answers.answer import Answer
from ..answers.deltas import Delta
from ..answers.stream import AnswerStream, Source
from ..arguments import check_model_name, check_proxy, check_whole_number, unknown_name
from ..errors import AuthenticationError, G4FLiteError, ModelNotSupportedError
from ..http.body import Body
from ..http.checks import check
from ..http.cooldown import CoolDowns
from ..http.exchange import Exchange, Route, refuse_when_offline
from ..http.pool import POOL_SIZE, Session, SessionPool, set_cookies
from ..http.redact import names_secret, secrets_in
from ..http.retry import OnRetry, RetryBudget, RetryLike, check_retry
from ..messages import Image, Message
from ..prompt import Prompt
from ..timeout import RetryPolicy, Timeout, TimeoutLike
from .call import Call, run
from .settings import (
    check_callback,
    check_cert,
    check_fields,
    check_session,
    check_url,
    check_verify,
    full_signature,
    require_socks,
)

USER_AGENT = "g4f-lite (python-requests)"
RETRY = RetryPolicy()
Result = TypeVar("Result")


class BaseProvider(ABC):
    """Something that answers prompts.

    A subclass has one method, ``begin``, which gives the deltas of an answer::

        class Shout(BaseProvider):
            def begin(self, prompt):
                yield last_user_message(prompt.messages).upper()
                yield Finish()
    """

    working: ClassVar[bool] = True
    models: Sequence[str] = ()

    @property
    def known_options(self) -> frozenset[str] | None:
        """The options that it takes; None where any may be tried."""
        return None

    @property
    def name(self) -> str:
        """What errors and logs call this provider."""
        return type(self).__name__

    @abstractmethod
    def begin(self, prompt: Prompt) -> Source | Generator[Delta, None, None]:
        """Give the deltas of an answer; nothing is sent before the first of them is needed.

        :param prompt: a prompt that ``check`` has let pass
        """

    def check(self, prompt: Prompt) -> None:  # noqa: B027  most can be asked anything
        """Raise where this provider cannot be asked a prompt; nothing is sent.

        :raises ModelNotSupportedError: it has no such model
        :raises TypeError: it does not take an option
        :raises ValueError: it cannot be asked this
        """

    def refusal(self, prompt: Prompt) -> Exception | None:
        """Give what ``check`` raises, or None where this provider can be asked a prompt."""
        try:
            self.check(prompt)
        except (G4FLiteError, TypeError, ValueError) as error:
            return error
        return None

    def answer(self, prompt: Prompt) -> AnswerStream:
        """Prepare the answer to a prompt; see :meth:`create_generator`, which makes a prompt of its arguments.

        :raises G4FLiteError: this provider cannot be asked the prompt; so do TypeError and ValueError
        """
        self.check(prompt)
        return AnswerStream(lambda: self.begin(prompt), provider=self.name, model=self.get_model(prompt.model) or None)

    def create_generator(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> AnswerStream:
        """Prepare an answer as a stream.  Nothing is sent before it is read; bad arguments raise here.

        :param model: a model's name; the provider's default where None
        :param messages: one string, or a list of ``{"role": …, "content": …}``
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param system: a system text to put first
        :param images: images to show with the last user message: bytes, paths or URLs
        :param options: what else the service is told, such as ``temperature``; None counts as not given
        :raises ValueError: an argument makes no sense
        :raises TypeError: an argument has the wrong type
        :raises ModelNotSupportedError: the provider has no such model
        """
        return self.answer(Prompt.of(model, messages, proxy, timeout, system=system, images=images, **options))

    def create(
        self,
        model: str | None = None,
        messages: str | Sequence[Message] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        **options: Any,
    ) -> Answer:
        """Ask and give the whole answer; the arguments are those of :meth:`create_generator`.

        :raises G4FLiteError: there is no whole answer
        """
        return self.answer(Prompt.of(model, messages, proxy, timeout, system=system, images=images, **options)).text()

    def get_model(self, name: str | None = None) -> str | None:
        """Give the name to send for a model's name or alias; that of the default for None."""
        return name

    def get_models(self) -> list[str]:
        """Give the names of the models; empty where any name may be tried."""
        return list(self.models)

    def close(self) -> None:  # noqa: B027  not every provider holds something
        """End idle connections; calls in progress finish."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Provider(BaseProvider):
    """A service over HTTP: a subclass says what to send and how to read it, nothing else.

    Two methods must be there, ``request`` and ``deltas``; two more may be, ``bootstrap`` and ``service_error``.
    A provider may be shared between threads.  Making one sends nothing and needs no key.

    :param base_url: another address of the same service
    :param model: the model to ask where a call names none
    :param proxy: the URL of a proxy for all requests
    :param timeout: limits for each call: seconds, a (connect, read) pair, or a Timeout
    :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
    :param session: a ``requests.Session`` of your own, which is then the only one
    :param cookies: cookies for the service
    :param headers: headers for every request to the service
    :param verify: False, or the path of a CA bundle
    :param cert: a client certificate
    :param pool_size: how many idle sessions are kept
    :param on_retry: called before each retry with the error, the attempt's number and the wait in seconds
    """

    url: str = ""
    api_endpoint: str = ""
    default_model: str = ""
    model_aliases: ClassVar[dict[str, str]] = {}
    supports_message_history: ClassVar[bool] = False
    refreshes_token: ClassVar[bool] = False  # whether a refused token is fetched again, once in a call
    fetches_images: ClassVar[bool] = False  # at once, with the session of the call; else when their bytes are needed
    known_options: frozenset[str] = frozenset()
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.__signature__ = full_signature(cls, Provider)

    def __init__(
        self,
        *,
        base_url: str | None = None,
        model: str | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: RetryLike = RETRY,
        session: requests.Session | None = None,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        pool_size: int = POOL_SIZE,
        on_retry: OnRetry | None = None,
    ) -> None:
        self.base_url = check_url(self.url if base_url is None else base_url, "base_url", self.name)
        self.proxy = None if proxy is None else check_proxy(proxy)
        self.timeout = Timeout.of(timeout, Timeout.of_environment())
        self.retry, self.on_retry = check_retry(retry), check_callback(on_retry, "on_retry")
        self.verify, self.cert = check_verify(verify), check_cert(cert)
        if session is not None and cookies:
            raise ValueError("cookies= and session= exclude each other: put the cookies into your session")
        self.cookies = check_fields(cookies or {}, "cookies")
        self.headers = check_fields(headers or {}, "headers")
        self._own_session, self._pool_size = check_session(session), check_whole_number(pool_size, "pool_size")
        self._lost: list[str] = []  # secrets that were given as arguments and left out of a pickle
        self._set_up()
        self.model = None if model is None else self.get_model(model)

    # What a subclass says of its service.

    def bootstrap(self, exchange: Exchange) -> str:
        """Fetch what the service wants before a prompt, and give its token or nonce; "" where there is none.

        :param exchange: sends requests with the session of this call
        """
        return ""

    @abstractmethod
    def request(self, prompt: Prompt, token: str) -> requests.Request:
        """Say what to send for a prompt.

        :param prompt: the prompt, with the model to ask
        :param token: what ``bootstrap`` gave
        """

    @abstractmethod
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        """Read an answer; yield ``Finish`` at the protocol's own end.

        :param body: what came; ``body.events()``, ``body.lines()`` or ``body.json()``
        :param prompt: what was asked
        """

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        """Read the body of a refused request; None where it says nothing that the status does not.

        :param status: the HTTP status
        :param parsed: the body as JSON, or None where it is not JSON
        :param text: the body
        """
        return None

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        """Raise unless a response is the beginning of an answer.

        :param prompt: what was asked; None for a request that is not a prompt
        """
        check(body, self.service_error)

    def refused_field(self, error: G4FLiteError, prompt: Prompt) -> str | None:
        """Name the field of a prompt that a service refused, and that the prompt may be sent once more without.

        It is then in ``prompt.without``; None where nothing can be given up.
        """
        return None

    def accepted(self, prompt: Prompt) -> None:
        """Remember, for later prompts, that the service took one without the fields in ``prompt.without``."""

    def explain(self, error: G4FLiteError) -> None:
        """Add to an error what this provider knows about its reason, before it is raised."""

    def served_model(self, exchange: Exchange) -> str:
        """Find the model to ask where none is named anywhere; "" where the service needs no name."""
        return ""

    # How it is done, for all of them.

    def begin(self, prompt: Prompt) -> Call:
        limits = Timeout.of(prompt.timeout, self.timeout)
        return Call(self, replace(prompt, model=self.get_model(prompt.model), timeout=limits))

    def check(self, prompt: Prompt) -> None:
        self.get_model(prompt.model)
        for name in prompt.options:
            if name not in self.known_options:
                raise TypeError(unknown_name("option", name, sorted(self.known_options), self.name))
        self.route(prompt.proxy)
        self.check_ready()

    def get_model(self, name: str | None = None) -> str:
        """Give the name to send for a model's name or alias; the default's for None.

        :raises ModelNotSupportedError: there is no such model
        """
        if name is None:
            return getattr(self, "model", None) or self.default_model
        check_model_name(name)
        name = self.model_aliases.get(name, name)
        if self.models and name not in self.models:
            raise ModelNotSupportedError(unknown_name("model", name, [*self.models, *self.model_aliases], self.name))
        return name

    def close(self) -> None:
        self.pool.close()

    @property
    def session(self) -> requests.Session:
        """The ``requests.Session`` that was used last."""
        return self.pool.latest

    def run(
        self, action: Callable[[Exchange], Result], *, proxy: str | None = None, session: requests.Session | None = None
    ) -> Result:
        """Run ``action(exchange)``, which is not a prompt, under this provider's limits and retry policy.

        :param proxy: the URL of a proxy for it
        :param session: a ``requests.Session`` to use in place of the provider's
        """
        self.check_ready()
        return run(self, action, timeout=self.timeout, route=self.route(proxy), session=session)

    def headers_with(self, **more: str) -> dict[str, Any]:
        """Give the headers of a request: those given here and the caller's; a stream is not compressed."""
        return {"Accept-Encoding": "identity", "Content-Type": "application/json", **more, **self.headers}

    def route(self, proxy: str | None = None) -> Route:
        """Give the way of a call's requests: its proxy, or else the provider's or the environment's, and TLS settings.

        :raises MissingDependencyError: the proxy needs PySocks, which is not installed
        """
        given = proxy or self.proxy
        environment = os.environ.get("G4F_LITE_PROXY")
        if given or not environment:
            require_socks(given)
            return Route(given, self.verify, self.cert)
        instead_of_given = "proxy" in self._lost
        return Route(check_proxy(environment, "G4F_LITE_PROXY"), self.verify, self.cert, instead_of_given)

    def check_ready(self) -> None:
        """Raise where a call is bound to fail.

        :raises AuthenticationError: something secret is missing
        """
        for what in self._lost:
            if what == "proxy" and os.environ.get("G4F_LITE_PROXY"):
                continue
            hint = "set G4F_LITE_PROXY" if what == "proxy" else f"give {what}= again"
            raise AuthenticationError(
                f"the {what} of this provider held a secret, which a pickle does not carry; {hint}", provider=self.name
            )
        refuse_when_offline(self.base_url)

    def secrets(self) -> list[str]:
        """List the strings that no message may show."""
        return secrets_in(self.headers)

    def _set_up(self) -> None:
        self.budget, self.cool_downs = RetryBudget.of(self.retry), CoolDowns()
        self.pool = SessionPool(own=self._own_session, make=self._make_session, size=self._pool_size)

    def _make_session(self) -> requests.Session:
        session = Session()
        session.headers["User-Agent"] = USER_AGENT
        set_cookies(session, self.cookies, urlsplit(self.base_url).hostname or "")
        return session

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in ("pool", "budget", "cool_downs")}
        lost = list(self._lost)
        secret_headers = {name for name in self.headers if names_secret(name)}
        if secret_headers:
            state["headers"] = {name: self.headers[name] for name in self.headers if name not in secret_headers}
            lost.append("headers")
        if self.cookies:
            state["cookies"] = {}
            lost.append("cookies")
        if self._own_session is not None:
            state["_own_session"] = None
            lost.append("session")
        if self.proxy and urlsplit(self.proxy).password:
            state["proxy"] = None
            lost.append("proxy")
        return {**state, "_lost": lost}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._set_up()

    def __repr__(self) -> str:
        model = f", model={self.model!r}" if self.model else ""
        return f"{self.name}(base_url={self.base_url!r}{model})"
