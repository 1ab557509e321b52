"""What a provider is, and what every provider over HTTP can do."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from ..answer import Answer, AnswerStream
from ..deltas import Delta
from ..errors import AuthenticationError, G4FLiteError, ModelNotSupportedError
from ..http.body import Body
from ..http.checks import check
from ..http.deadline import Timeout, TimeoutLike
from ..http.exchange import Exchange, Route, refuse_when_offline
from ..http.pool import POOL_SIZE, Session, SessionPool, set_cookies
from ..http.redact import SECRET_NAME, secrets_in
from ..http.retry import OnRetry, RetryBudget, RetryLike, RetryPolicy, check_retry
from ..messages import Image, Message, Messages
from .arguments import (
    check_callback,
    check_cert,
    check_fields,
    check_model_name,
    check_options,
    check_pool_size,
    check_proxy,
    check_session,
    check_url,
    check_verify,
    require_socks,
    unknown_name,
    what_is_said,
)
from .call import Call, run
from .settings import full_signature

USER_AGENT = "g4f-lite (python-requests)"
RETRY = RetryPolicy()


class BaseProvider(ABC):
    """Something that answers prompts."""

    working: ClassVar[bool] = True
    models: Sequence[str] = ()

    @property
    def known_options(self) -> frozenset[str] | None:
        """The options that it can be told; None where any may be tried."""
        return None

    @property
    def name(self) -> str:
        """What errors and logs call this provider."""
        return type(self).__name__

    @abstractmethod
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
        :param images: pictures to show with the last user message: bytes, paths or URLs
        :param options: what else the service can be told, such as ``temperature``
        :raises ValueError: an argument makes no sense;  :raises TypeError: it has the wrong type
        :raises ModelNotSupportedError: the provider has no such model
        """

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
        return self.create_generator(model, messages, proxy, timeout, system=system, images=images, **options).text()

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

    It may be shared between threads.  Making one sends nothing and needs no key.

    :param base_url: another address of the same service
    :param model: the model to ask where a call names none
    :param proxy: the URL of a proxy for all requests
    :param timeout: limits for each call: seconds, a (connect, read) pair, or a Timeout
    :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
    :param session: a ``requests.Session`` of your own, which is then the only one
    :param cookies: cookies for the service
    :param headers: headers for every request to the service
    :param verify: False, or the path of a CA bundle;  :param cert: a client certificate
    :param pool_size: how many idle sessions are kept
    :param on_retry: called before each retry with the error, the attempt's number and the wait in seconds
    """

    url: str = ""
    api_endpoint: str = ""
    default_model: str = ""
    model_aliases: ClassVar[dict[str, str]] = {}
    supports_message_history: ClassVar[bool] = False
    refreshes_token: ClassVar[bool] = False
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
        self._own_session, self._pool_size = check_session(session), check_pool_size(pool_size)
        self._lost: list[str] = []  # secrets that were given as arguments and left out of a pickle
        self._set_up()
        self.model = None if model is None else self.get_model(model)

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
        checked = what_is_said(model, messages, system, images)
        name = self.get_model(model)
        self._check_options(options)
        self._check_prompt(name, checked)
        route, limits = self._route(proxy), Timeout.of(timeout, self.timeout)
        self._check_ready()
        return AnswerStream(
            lambda: Call(self, name, checked, options, limits, route), provider=self.name, model=name or None
        )

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
        self._pool.close()

    @property
    def session(self) -> requests.Session:
        """The ``requests.Session`` that was used last."""
        return self._pool.latest

    def _bootstrap(self, exchange: Exchange) -> str:
        """Fetch what the service wants before a prompt: a nonce, a token, a cookie."""
        return ""

    def _unnamed_model(self, exchange: Exchange) -> str:
        """Find the model to ask where none is named anywhere."""
        return ""

    def _check_prompt(self, model: str, messages: Messages) -> None:
        """Raise where the service cannot be asked this.

        :raises ValueError: it cannot
        """

    @abstractmethod
    def _request(self, model: str, messages: Messages, token: str, options: dict[str, Any]) -> requests.Request:
        """Say what to send for a prompt."""

    @abstractmethod
    def _deltas(self, response: Body) -> Iterator[Delta]:
        """Read an answer; yield ``Finish`` at the protocol's own end."""

    def _service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        """Read the body of a refused request; None where it says nothing of the service's own."""
        return None

    def _check_response(self, response: Body) -> None:
        """Raise unless a response is the beginning of an answer."""
        check(response, self._service_error)

    # How it is done, for all of them.

    def _set_up(self) -> None:
        self._budget = RetryBudget()
        self._pool = SessionPool(own=self._own_session, make=self._make_session, size=self._pool_size)

    def _make_session(self) -> requests.Session:
        session = Session()
        session.headers["User-Agent"] = USER_AGENT
        set_cookies(session, self.cookies, urlsplit(self.base_url).hostname or "")
        return session

    def _headers(self, **more: str) -> dict[str, str]:
        """Give the caller's headers with a request's own before them; a stream is asked for uncompressed."""
        return {"Accept-Encoding": "identity", "Content-Type": "application/json", **more, **self.headers}

    def _route(self, proxy: str | None = None) -> Route:
        given = check_proxy(proxy) if proxy is not None else self.proxy
        environment = os.environ.get("G4F_LITE_PROXY")
        if given or not environment:
            require_socks(given)
            return Route(given, self.verify, self.cert)
        instead_of_given = "proxy" in self._lost
        return Route(check_proxy(environment, "G4F_LITE_PROXY"), self.verify, self.cert, instead_of_given)

    def _run(self, action: Any, *, proxy: str | None = None, session: requests.Session | None = None) -> Any:
        """Run ``action(exchange)``, which is no prompt, under this provider's limits and retry policy."""
        self._check_ready()
        return run(self, action, timeout=self.timeout, route=self._route(proxy), session=session)

    def _check_options(self, options: dict[str, Any]) -> None:
        check_options(options, self.known_options, self.name)

    def _check_ready(self) -> None:
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

    def _secrets(self) -> list[str]:
        """List the strings that no message may show."""
        return secrets_in(self.headers)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in ("_pool", "_budget")}
        lost = list(self._lost)
        secret_headers = {name for name in self.headers if SECRET_NAME.search(name)}
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
