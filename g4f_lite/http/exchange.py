"""One call's way to the wire: sends its requests with its session, its proxy and its limits."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from ..errors import G4FLiteError, ProviderNotConfiguredError
from .body import Body
from .deadline import Deadline, running_call
from .failures import FAILURES, closed_by_peer, translate
from .pool import Session, Visitor
from .redact import password_in, redact, scrub, secrets_in, secrets_in_query, without_credentials
from .urls import is_loopback, origin_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """How requests travel; None leaves a thing to the session and the environment.

    :param proxy: the URL of the proxy for every request
    :param proxies_loopback: whether it is for this machine's own addresses too
    :param direct: whether no proxy is used, whoever has set one: the session and the environment neither
    :param verify: True, False, or the path of a CA bundle
    :param cert: the path of a client certificate, or a pair with its key
    """

    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    verify: bool | str | None = None
    cert: str | tuple[str, str] | None = None
    proxies_loopback: bool = True
    direct: bool = False


@dataclass
class Exchange:
    """The requests of one call.

    :param visitor: the session, lent to this call
    :param call: its limits
    :param route: its proxy and TLS settings
    :param name: the provider's name, for logs
    :param secrets: strings that no message may show, besides the visitor's
    :ivar sent: each request's headers, and its URL with and without what the session added
    """

    visitor: Visitor
    call: Deadline
    route: Route = field(default_factory=Route)
    name: str = ""
    secrets: list[str] = field(default_factory=list, repr=False)
    sent: list[tuple[Mapping[str, str], str, str]] = field(default_factory=list, repr=False)
    attempts: int = 0
    bodies: list[Body] = field(default_factory=list)

    def send(self, request: requests.Request, step: str, *, guard: Callable[[str], None] | None = None) -> Body:
        """Send a request once and give its response, whatever the status.

        A kept-alive connection that turns out closed before a byte of the answer is replaced, once.

        :param step: ``"bootstrap"``, ``"prompt"`` or ``"image"``
        :param guard: called with each address before it is connected to; raises to refuse it
        :raises G4FLiteError: no response came
        """
        session, call = self.visitor.session, self.call
        began = call.elapsed
        refuse_when_offline(request.url)
        proxy: str | None = None
        try:
            prepared = session.prepare_request(request)
            self.sent.append((prepared.headers, prepared.url or "", request.url))
            if not isinstance(session, Session):
                prepared.register_hook("response", hand_over_redirect)  # type: ignore[no-untyped-call]
            settings = self._settings(session, prepared.url or "")
            proxy = requests.utils.select_proxy(prepared.url or "", settings["proxies"])
            if proxy:
                refuse_when_offline(proxy)
                self.secrets += password_in(proxy)
            try:
                response = self._send_once(session, prepared, settings, guard)
            except FAILURES as error:
                if not call.reused_connection or call.answer_began or not closed_by_peer(error):
                    raise
                call.check()
                logger.debug("%s: %s: replacing a connection that the server had closed", self.name, step)
                response = self._send_once(session, prepared, settings, guard)
        except G4FLiteError as error:
            self._log_failure(error, request, step, began)
            raise self.failed(error, step)  # noqa: B904  it is the same one
        except FAILURES as error:
            failure = translate(error, call, origin_of(request.url), proxy)
            self._log_failure(failure, request, step, began)
            raise self.failed(failure, step) from error
        body = Body(response, call)
        self.bodies.append(body)
        if call.ended is not None:
            body.close()
            raise self.failed(call.error(), step)
        if logger.isEnabledFor(logging.DEBUG):
            self._log_answer(body, request, step, began)
        return body

    def close(self) -> None:
        """Close the connections of responses that were not read to their end."""
        while self.bodies:
            if not (body := self.bodies.pop()).complete:
                body.close()

    def keep_token(self, body: Body) -> None:
        """Take over a newer token that came with a response."""
        if body.new_token is not None:
            self.visitor.token = body.new_token

    def failed(self, error: G4FLiteError, step: str) -> G4FLiteError:
        """Note where an error happened."""
        error.step = error.step or step
        return error

    def proxy_for(self, url: str) -> str | None:
        """Give the URL of the proxy that a request to ``url`` goes through, if any."""
        proxies = self._settings(self.visitor.session, url)["proxies"]
        return requests.utils.select_proxy(url, proxies) or None

    def hidden(self) -> Iterable[str]:
        """List the strings that no message may show now."""
        sent = (text for headers, *urls in self.sent for text in (*secrets_in(headers), *secrets_in_query(*urls)))
        return [*self.secrets, *self.visitor.secrets(), *password_in(self.route.proxy), *sent]

    def scrub(self, error: BaseException) -> None:
        """Take this call's secrets out of an error and its causes."""
        scrub(error, self.hidden())

    def _log_answer(self, body: Body, request: requests.Request, step: str, began: float) -> None:
        """Say that an answer has begun, and in the end how much came, and in what time."""
        what = f"{self._shown(request, step)} → {body.status}"
        logger.debug("%s after %.3f s", what, self.call.elapsed - began)
        body.on_end = lambda: logger.debug("%s, %d bytes, %.3f s", what, body.bytes, self.call.elapsed - began)

    def _log_failure(self, error: G4FLiteError, request: requests.Request, step: str, began: float) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            what, seconds = self._shown(request, step), self.call.elapsed - began
            logger.debug("%s: no answer, %s after %.3f s", what, type(error).__name__, seconds)

    def _shown(self, request: requests.Request, step: str) -> str:
        return f"{self.name}: {step}: {request.method} {redact(without_credentials(request.url), self.hidden())}"

    def _send_once(
        self,
        session: requests.Session,
        prepared: requests.PreparedRequest,
        settings: dict[str, Any],
        guard: Callable[[str], None] | None,
    ) -> requests.Response:
        call = self.call
        call.connecting = call.reused_connection = call.answer_began = call.past_proxy = False
        call.address_guard = guard
        timeout = (call.limit("connect"), call.limit("read"))
        reset = running_call.set(call)
        try:
            return session.send(prepared, allow_redirects=False, timeout=timeout, **settings)
        except requests.HTTPError as error:
            if error.response is None:
                raise
            return error.response  # that a hook did not like: it is read here as any other
        finally:
            running_call.reset(reset)

    def _settings(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Choose proxy, CA bundle and certificate: the call's, the session's, the environment's."""
        if self.route.direct:
            return {"proxies": {}, "stream": True, "verify": True, "cert": None}
        proxies = dict(session.proxies)
        verify = self.route.verify
        if verify is None and session.verify is True:
            verify = os.environ.get("G4F_LITE_CA_BUNDLE") or None
        elif verify is None:
            verify = session.verify
        if self.route.proxy and (self.route.proxies_loopback or not is_loopback(url)):
            proxies = {"http": self.route.proxy, "https": self.route.proxy}
        elif is_loopback(url) and not requests.utils.select_proxy(url, proxies):
            if url.startswith("http:"):  # nothing of the environment counts here, and requests is slow to look there
                return {"proxies": {}, "stream": True, "verify": True, "cert": None}
            # Else requests takes the environment's proxy; its own no_proxy= writes to os.environ, for all threads.
            proxies[urlsplit(url).scheme] = ""
        settings = _merged(session, url, proxies, verify, self.route.cert)
        if self.route.proxy and self.route.proxy in proxies.values():
            settings["proxies"] = proxies  # else one that the session has for this very host would win
        return settings


def _merged(session: requests.Session, url: str, proxies: Any, verify: Any, cert: Any) -> dict[str, Any]:
    """Add what the session and the environment say."""
    for _ in range(3):
        with suppress(KeyError):  # urllib walks through the environment, of which another thread removed something
            return dict(session.merge_environment_settings(url, proxies, True, verify, cert))
    return dict(session.merge_environment_settings(url, proxies, True, verify, cert))


def hand_over_redirect(response: requests.Response, **_: Any) -> None:
    """Take a redirect out of requests' hands, which would read its body to the end, however long that is.

    :raises requests.HTTPError: with the response, which is a redirect
    """
    if response.is_redirect:
        raise requests.HTTPError("a redirect", response=response)


def refuse_when_offline(url: str) -> None:
    """Raise when ``G4F_LITE_OFFLINE=1`` forbids a request.

    :raises ProviderNotConfiguredError: it does
    """
    if os.environ.get("G4F_LITE_OFFLINE") == "1" and not is_loopback(url):
        raise ProviderNotConfiguredError(
            f"G4F_LITE_OFFLINE=1 allows nothing but loopback, and {origin_of(url)} is not; unset it to go there"
        )
