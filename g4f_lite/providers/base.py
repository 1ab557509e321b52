"""The base class of providers of services over HTTP."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar
from urllib.parse import urlsplit

import requests

from ..arguments import (
    PYTHON_ENDS,
    check_callback,
    check_name,
    check_proxy,
    check_whole_number,
    hide_keys,
    unknown_name,
)
from ..errors import G4FLiteError, ModelNotSupportedError
from ..http.cooldown import CoolDowns
from ..http.pool import POOL_SIZE, SessionPool, set_cookies
from ..http.redact import secrets_in
from ..http.retry import RetryBudget
from ..http.route import Route, refuse_when_offline
from ..http.session import Session
from ..timeout import RETRY, RetryLike, Timeout, TimeoutLike, check_retry
from .basic import BaseProvider as BaseProvider
from .environment import told_source
from .g4f_names import G4FNames
from .pickling import check_lost, state_without_secrets
from .settings import (
    check_cert,
    check_fields,
    check_files,
    check_names,
    check_session,
    check_url,
    check_verify,
    full_signature,
    given_cookies,
    refused_setting,
    require_socks,
)

if TYPE_CHECKING:  # the methods import what a call needs: the first call takes the time, and not the import
    from ..answers.deltas import Delta
    from ..http.body import Body
    from ..http.exchange import Exchange
    from ..http.retry import OnRetry
    from ..prompt import Prompt
    from .call import Call
    from .hooks import Requests

USER_AGENT = "g4f-lite (python-requests)"
Result = TypeVar("Result")


class Provider(BaseProvider, metaclass=G4FNames):
    """The base class of services over HTTP: a subclass defines what to send, and how to read the answer.

    A subclass implements ``request`` and ``deltas``, and ``bootstrap`` and ``service_error`` if it needs them.  A token
    that ``bootstrap`` returned and the service rejects is fetched again, once in each attempt of a call.  With
    ``token_sources = 2`` it is fetched twice, where the second one is from elsewhere; with 0 it is not fetched again.
    A provider may be shared between threads.  Creating one sends nothing and needs no key.

    :param base_url: another URL of the same service
    :param model: the model for calls that name none
    :param proxy: the URL of a proxy for all requests
    :param timeout: the timeout of each call: seconds, a (connect, read) pair, or a Timeout
    :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt
    :param session: a ``requests.Session`` of your own, to use for all requests
    :param cookies: cookies for the service
    :param headers: headers for every request to the service
    :param verify: False, or the path of a CA bundle
    :param cert: the path of a client certificate, or a pair of paths: certificate and key
    :param pool_size: the maximum number of idle sessions to keep
    :param on_retry: called before each retry with the error, the number of the attempt and the wait in seconds; a chain
        that waits for this provider calls it as well
    :cvar model_aliases: other names of models, each with the name that is sent
    :cvar supports_message_history: whether the service takes earlier messages; it only tells programs that read it
    """

    url: str = ""
    api_endpoint: str = ""
    default_model: str = ""
    model_aliases: ClassVar[dict[str, str]] = {}
    supports_message_history: ClassVar[bool] = False
    token_sources: ClassVar[int] = 1  # of a class with a bootstrap: from how many a rejected token is fetched again
    has_bootstrap: ClassVar[bool] = False  # set for each subclass: whether it implements the hook
    fetches_images: ClassVar[bool] = False  # whether to fetch images with the session of the call, not when needed
    known_options: frozenset[str] = frozenset()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        check_names(cls)
        cls.has_bootstrap = cls.bootstrap is not Provider.bootstrap
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
        **unknown: NoReturn,
    ) -> None:
        for name in unknown:
            raise refused_setting(type(self), name)
        self.base_url = self.priced_at = check_url(self.url if base_url is None else base_url, "base_url", self.name)
        self.proxy = None if proxy is None else check_proxy(proxy)
        self.timeout = Timeout.of(timeout, Timeout.of_environment())
        self.retry, self.on_retry = check_retry(retry), check_callback(on_retry, "on_retry")
        self.verify, self.cert = check_verify(verify), check_cert(cert)
        if session is not None and cookies:
            raise ValueError("cookies= and session= cannot be combined; set the cookies in your session")
        self.cookies = check_fields(cookies or {}, "cookies")
        self.headers = check_fields(headers or {}, "headers")
        self._own_session, self._pool_size = check_session(session), check_whole_number(pool_size, "pool_size")
        self._session_cookies = given_cookies(session)
        self._lost: list[str] = []  # the arguments with secrets that pickling left out
        self._set_up()
        self.model = None if model is None else self.get_model(model)

    # The hooks that a subclass implements.

    def bootstrap(self, exchange: Exchange) -> str:
        """Fetch what the service requires before a prompt, and return its token or nonce; "" if there is none.

        It is called once for each session, and again where the service rejects the token, by status 401 or 403 or an
        ``AuthenticationError`` that a hook raises; the prompt is then sent once more.  See ``token_sources``.

        :param exchange: sends requests with the session of this call
        """
        return ""

    @abstractmethod
    def request(self, prompt: Prompt, token: str) -> requests.Request | Requests:
        """Return the request to send for a prompt; or yield several, each after the response to the one before.

        ``body = yield Request(…)`` gives its response, once it has succeeded; an error of the service, or a lost
        connection, is raised there.  A timeout or a close is not: only a ``finally`` sees them, by ``GeneratorExit``.
        A number is yielded to wait for so many seconds.  ``deltas`` reads the response to the last request::

            def request(self, prompt, token):
                chat = yield Request("POST", f"{self.base_url}/chats")
                yield Request("POST", f"{self.base_url}/chats/{chat.json()['id']}", json=prompt.messages)

        All of them are one attempt of the call, under its timeout.

        :param prompt: the prompt, with its model
        :param token: the token that ``bootstrap`` returned
        """

    @abstractmethod
    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        """Read an answer and yield its deltas, with ``Finish`` at the end that the protocol defines.

        :param body: the response body: use ``body.events()``, ``body.lines()`` or ``body.json()``
        :param prompt: the prompt that was sent
        """

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        """Return the error in the body of a failed request; None if the body adds nothing to the status.

        It is called for every status but 2xx, and for a web page with status 200 in the place of an answer.  The status
        decides whether the request is sent again, unless the error has ``may_retry=False``.

        :param status: the HTTP status
        :param parsed: the body as JSON, or None if it is not JSON
        :param text: the body
        """
        return None

    def check_response(self, body: Body, prompt: Prompt | None = None) -> None:
        """Raise unless a response is successful; a web page is not.

        :param prompt: the prompt that was sent; None for another request
        :raises G4FLiteError: if the response is an error
        """
        from ..http.checks import check
        from .hooks import read_error

        check(body, partial(read_error, self))

    def refused_field(self, error: G4FLiteError, prompt: Prompt) -> str | None:
        """Name the field of a prompt that a service refused, and that the prompt may be sent once more without.

        It is then in ``prompt.without``; None where nothing can be given up.
        """
        return None

    def accepted(self, prompt: Prompt) -> None:
        """Remember, for later prompts, that the service took one without the fields in ``prompt.without``."""

    def explain(self, error: G4FLiteError) -> None:
        """Add to an error what this provider knows about its reason, before it is raised."""
        if isinstance(error, ModelNotSupportedError) and self.model is not None:
            error.message = told_source(error.message, self.model, local=self.name == "Local")
            error.args = (error.message,)

    def advise(self, error: G4FLiteError, model: str, exchange: Exchange) -> None:
        """Add to the refusal of a model what the service has instead, for which it may be asked in the same call."""

    def served_model(self, exchange: Exchange) -> str:
        """Return the model to use if none is named anywhere; "" if the service needs no name."""
        return ""

    # What all of them share.

    def begin(self, prompt: Prompt) -> Call:
        from .call import Call

        route = self.route(prompt.proxy)
        return Call(self, self.settled(prompt), route)

    def settled(self, prompt: Prompt) -> Prompt:
        """Return a prompt with what it leaves to the provider: its model, its timeout and its retry policy."""
        model, limits = self.get_model(prompt.model), Timeout.of(prompt.timeout, Timeout.of(self.timeout))
        return replace(prompt, model=model, timeout=limits, retry=self.retry if prompt.retry == "own" else prompt.retry)

    def check(self, prompt: Prompt) -> None:
        self.get_model(prompt.model)
        for name, value in prompt.options.items():
            self._check_option(name, value)
        if proxy := prompt.proxy or self.proxy:
            require_socks(proxy)
        self.check_ready()

    def _check_option(self, name: str, value: Any) -> None:
        """Raise if this provider does not support an option, or cannot send its value."""
        if name not in self.known_options:
            raise TypeError(unknown_name("option", name, sorted(self.known_options), self.name))

    def get_model(self, name: str | None = None) -> str:
        """Return the model name to send for a name or alias; the default model for None.

        :raises ModelNotSupportedError: if there is no such model
        """
        if name is None:
            return getattr(self, "model", None) or self.default_model
        check_name(name)
        name = self.model_aliases.get(name, name)
        if self.models and name not in self.models:
            raise ModelNotSupportedError(unknown_name("model", name, [*self.models, *self.model_aliases], self.name))
        return name

    def close(self) -> None:
        self.pool.close()

    @property
    def session(self) -> requests.Session:
        """The ``requests.Session`` that was used most recently."""
        return self.pool.latest

    def run(
        self,
        action: Callable[[Exchange], Result],
        *,
        proxy: str | None = None,
        session: requests.Session | None = None,
        timeout: TimeoutLike = None,
    ) -> Result:
        """Call ``action(exchange)`` for requests other than prompts, under the provider's timeout and retry policy.

        Those of a client, and its proxy, go before them where it lists the models.  It is a call of its own: it can be
        made in a ``finally`` of ``request`` or ``deltas``, also after the timeout of the prompt's call, and it uses
        another session of the pool.

        :param proxy: the URL of a proxy for its requests
        :param session: a ``requests.Session`` to use instead of the provider's
        :param timeout: another timeout: seconds, a (connect, read) pair, or a Timeout
        """
        if sys.is_finalizing():  # which imports nothing any more
            raise G4FLiteError(PYTHON_ENDS)
        from .call import run
        from .hooks import listing

        self.check_ready()
        given = listing.get()
        limits = Timeout.of(timeout, Timeout.of(given.timeout, self.timeout))
        route = self.route(proxy or given.proxy)
        return run(self, action, timeout=limits, route=route, session=session, retry=given.retry)

    def token_for(self, exchange: Exchange) -> str:
        """Return the token of the session of a call, for requests other than prompts; ``bootstrap`` fetches it once."""
        from .sending import token_of

        return token_of(self, exchange)

    def headers_with(self, **more: str) -> dict[str, Any]:
        """Return these headers and the caller's; without compression, which would delay the pieces of a stream.

        The type of the content is not among them: requests adds that of ``json=``, ``data=`` or ``files=``.

        :param more: headers, with ``_`` in place of each ``-``: ``X_Ticket=ticket`` is the header ``X-Ticket``, because
            servers drop headers with an underscore
        """
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Accept-Encoding": "identity", **named, **self.headers}

    def route(self, proxy: str | None = None) -> Route:
        """Return the proxy and TLS settings of a call: its own proxy, or the provider's or the environment's.

        :raises MissingDependencyError: if the proxy is SOCKS and PySocks is not installed
        """
        given = proxy or self.proxy
        environment = os.environ.get("G4F_LITE_PROXY")
        if given or not environment:
            if given:
                require_socks(given)
            return Route(given, self.verify, self.cert)
        replaces_lost = "proxy" in self._lost
        return Route(check_proxy(environment, "G4F_LITE_PROXY"), self.verify, self.cert, replaces_lost)

    def check_ready(self) -> None:
        """Raise if a call cannot succeed, before anything is sent.

        :raises AuthenticationError: if a secret is missing
        :raises ValueError: if a file of certificates does not exist
        """
        for secret in self.declared_secrets.values():
            secret.check(self)
        if self._lost:
            check_lost(self)
        refuse_when_offline(self.base_url)
        if self.base_url.startswith("https:"):
            check_files(self.verify, self.cert)

    def secrets(self) -> list[str]:
        return [*secrets_in(self.headers), *super().secrets()]

    def _set_up(self) -> None:
        self.budget, self.cool_downs = RetryBudget(), CoolDowns()
        self.pool = SessionPool(own=self._own_session, make=self._make_session, size=self._pool_size)

    def _make_session(self) -> requests.Session:
        session = Session()
        session.headers["User-Agent"] = USER_AGENT
        set_cookies(session, self.cookies, urlsplit(self.base_url).hostname or "")
        return session

    def __getstate__(self) -> dict[str, Any]:
        return state_without_secrets(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._set_up()

    def __repr__(self) -> str:
        known = vars(self)  # without some of it where its arguments were refused, and a tool shows it in a traceback
        model = f", model={hide_keys(self.model or '')!r}" if known.get("model") else ""
        return f"{self.name}(base_url={known.get('base_url', '')!r}{model})"
