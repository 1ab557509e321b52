"""Sends the requests of one call, with its session, its proxy and its limits."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from ..arguments import shown_url
from ..errors import G4FLiteError, ProviderNotConfiguredError
from .body import Body
from .deadline import Deadline
from .failures import FAILURES, closed_by_peer, pass_on_signal, translate
from .pool import PooledSession, Session
from .redact import password_in, redact, scrub, secrets_in, secrets_in_query
from .transfer import Transfer, running_transfer
from .urls import is_loopback, origin_of

logger = logging.getLogger(__name__)


class Route(NamedTuple):
    """How requests travel; None leaves a choice to the session and the environment.

    :param proxy: the URL of the proxy for every request
    :param verify: True, False, or the path of a CA bundle
    :param cert: the path of a client certificate, or a pair with its key
    :param proxies_loopback: whether the proxy is for this machine's own addresses too
    """

    proxy: str | None = None
    verify: bool | str | None = None
    cert: str | tuple[str, str] | None = None
    proxies_loopback: bool = True

    def __repr__(self) -> str:
        return f"Route(verify={self.verify!r}, cert={self.cert!r})"  # a proxy may hold a password


class Exchange:
    """The requests of one call.

    :param pooled: the session that is lent to the call, with its token
    :param deadline: the limits of the call
    :param route: its proxy and TLS settings
    :param name: the provider's name, for logs
    :param secrets: strings that no message may show, besides those of the session
    :param sent: where each request's headers are noted, and its URL with and without what the session added
    :ivar attempts: how many attempts the call has made
    :ivar bodies: the bodies that may not have been read to their end
    """

    def __init__(
        self,
        pooled: PooledSession,
        deadline: Deadline,
        route: Route | None = None,
        name: str = "",
        secrets: list[str] | None = None,
        sent: list[tuple[Mapping[str, str], str, str]] | None = None,
    ) -> None:
        self.pooled = pooled
        self.deadline = deadline
        self.route = route or Route()
        self.name = name
        self.secrets = [] if secrets is None else secrets
        self.sent = [] if sent is None else sent
        self.attempts = 0
        self.bodies: list[Body] = []

    def __repr__(self) -> str:
        return f"Exchange({self.name!r}, {self.pooled!r}, {self.route!r})"  # without its secrets

    def send(self, request: requests.Request, step: str, *, guard: Callable[[str], None] | None = None) -> Body:
        """Send a request once and give its response, whatever the status.

        :param request: the request; the session adds its cookies, and its headers where the request has none
        :param step: ``"bootstrap"``, ``"prompt"`` or ``"image"``
        :param guard: called with each IP address before it is connected to; raises to refuse it
        :raises G4FLiteError: no response came
        """
        session, deadline = self.pooled.session, self.deadline
        began = deadline.elapsed
        refuse_when_offline(request.url)
        proxy: str | None = None
        # What a server took whole it may be thinking about, or drawing.
        awaits = "first" if request.method == "POST" and step != "bootstrap" else "read"
        transfer = Transfer(deadline, guard, awaits)
        try:
            prepared = session.prepare_request(request)
            self.sent.append((prepared.headers, prepared.url or "", request.url))
            if not isinstance(session, Session):
                prepared.register_hook("response", hand_over_redirect)  # type: ignore[no-untyped-call]
            settings = self.settings_for(prepared.url or "")
            proxy = requests.utils.select_proxy(prepared.url or "", settings["proxies"])
            if proxy:
                refuse_when_offline(proxy)
                self.secrets += password_in(proxy)
            try:
                response = _send(session, prepared, settings, transfer)
            except FAILURES as error:
                pass_on_signal(error)
                # A server may close an idle connection at any time, also while a request is on its way to it.  As no
                # byte of an answer came, the request is sent again on a new connection, once (psf/requests#4664).
                if not transfer.reused_connection or transfer.answer_began or not closed_by_peer(error):
                    raise
                deadline.check()
                logger.debug("%s: %s: replacing a connection that the server had closed", self.name, step)
                transfer = Transfer(deadline, guard, awaits)
                response = _send(session, prepared, settings, transfer)
        except G4FLiteError as error:
            self._log_failure(error, request, step, began)
            raise self.failed(error, step)  # noqa: B904  it is the same one
        except FAILURES as error:
            pass_on_signal(error)
            failure = translate(error, deadline, origin_of(request.url), transfer, proxy=proxy)
            self._log_failure(failure, request, step, began)
            raise self.failed(failure, step) from error
        deadline.awaits = awaits
        body = Body(response, deadline)
        self.bodies.append(body)
        # Of these no body may come.  Reading an empty one to its end would give the connection back for other requests,
        # and requests takes 103 Early Hints for such an answer: the real one would be the next request's.
        if response.status_code < 200 or response.status_code in (204, 304):
            response.close()
        # A head that was cut by the watchdog reads like a complete answer without a body.
        if deadline.ended is not None:
            body.close()
            raise self.failed(deadline.error(), step)
        if logger.isEnabledFor(logging.DEBUG):
            self._log_answer(body, request, step, began)
        return body

    def close(self) -> None:
        """Close the connections of responses that were not read to their end."""
        while self.bodies:
            if not (body := self.bodies.pop()).complete:
                body.close()

    def abandon(self) -> None:
        """Close all connections of a failed attempt: what its server may still send, no later request may receive.

        Of a caller's own session, which other calls may be using, only those of responses not read to their end.
        """
        self.close()
        if isinstance(self.pooled.session, Session):
            self.pooled.session.close()

    def keep_token(self, body: Body) -> None:
        """Take over a newer token that came with a response."""
        if body.new_token is not None:
            self.pooled.token = body.new_token

    def failed(self, error: G4FLiteError, step: str) -> G4FLiteError:
        """Note in an error at which step it happened."""
        error.step = error.step or step
        return error

    def proxy_for(self, url: str) -> str | None:
        """Give the URL of the proxy that a request to ``url`` goes through, if any."""
        proxies = self.settings_for(url)["proxies"]
        return requests.utils.select_proxy(url, proxies) or None

    def settings_for(self, url: str) -> dict[str, Any]:
        """Choose proxy, CA bundle and certificate: the call's, else the session's, else the environment's.

        :param url: where the request goes
        :returns: keyword arguments for ``requests.Session.send``
        """
        # All are passed with each request, because the environment's proxies would win over the session's
        # (psf/requests#2018), and its CA bundle over the session's verify (psf/requests#3829).
        session = self.pooled.session
        proxies = dict(session.proxies)
        verify = self.route.verify
        if verify is None and session.verify is True:
            verify = os.environ.get("G4F_LITE_CA_BUNDLE") or None
        elif verify is None:
            verify = session.verify
        if self.route.proxy and (self.route.proxies_loopback or not is_loopback(url)):
            proxies = {"http": self.route.proxy, "https": self.route.proxy}
        elif is_loopback(url) and not requests.utils.select_proxy(url, proxies):
            # Nothing of the environment matters for loopback by http, and requests takes long to look there.
            if url.startswith("http:"):
                return {"proxies": {}, "stream": True, "verify": True, "cert": None}
            # requests would send loopback addresses to the environment's proxy.  An empty proxy prevents that; its
            # no_proxy= would write to os.environ, which all threads see.
            proxies[urlsplit(url).scheme] = ""
        settings = _merged(session, url, proxies, verify, self.route.cert)
        # Without what the session adds: its proxy for this very host would win over the call's.
        if self.route.proxy and self.route.proxy in proxies.values():
            settings["proxies"] = proxies
        return settings

    def hidden(self) -> Iterable[str]:
        """List the strings that no message may show now."""
        sent = (text for headers, *urls in self.sent for text in (*secrets_in(headers), *secrets_in_query(*urls)))
        return [*self.secrets, *self.pooled.secrets(), *password_in(self.route.proxy), *sent]

    def scrub(self, error: BaseException) -> None:
        """Take this call's secrets out of an error and its causes."""
        scrub(error, self.hidden())

    def _log_answer(self, body: Body, request: requests.Request, step: str, began: float) -> None:
        """Log that an answer has begun, and at its end how many bytes came in what time."""
        what = f"{self._shown(request, step)} → {body.status}"
        logger.debug("%s after %.3f s", what, self.deadline.elapsed - began)
        body.on_end = lambda: logger.debug("%s, %d bytes, %.3f s", what, body.bytes, self.deadline.elapsed - began)

    def _log_failure(self, error: G4FLiteError, request: requests.Request, step: str, began: float) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            what, seconds = self._shown(request, step), self.deadline.elapsed - began
            logger.debug("%s: no answer, %s after %.3f s", what, type(error).__name__, seconds)

    def _shown(self, request: requests.Request, step: str) -> str:
        return f"{self.name}: {step}: {request.method} {redact(shown_url(request.url), self.hidden())}"


def _merged(session: requests.Session, url: str, proxies: Any, verify: Any, cert: Any) -> dict[str, Any]:
    """Add the session's and the environment's settings to those of a call."""
    for _ in range(3):
        # urllib iterates over os.environ, which raises when another thread removes a variable meanwhile.
        with suppress(KeyError):
            return dict(session.merge_environment_settings(url, proxies, True, verify, cert))
    return dict(session.merge_environment_settings(url, proxies, True, verify, cert))


def _send(
    session: requests.Session, prepared: requests.PreparedRequest, settings: dict[str, Any], transfer: Transfer
) -> requests.Response:
    """Send a request over a connection that notes in ``transfer`` how far it comes."""
    deadline = transfer.deadline
    # On a caller's own session nobody tells when the request is sent.
    transfer.request_sent = not isinstance(session, Session)
    timeout = (deadline.limit("connect"), deadline.limit(transfer.silence))
    reset = running_transfer.set(transfer)
    try:
        return session.send(prepared, allow_redirects=False, timeout=timeout, **settings)
    except requests.HTTPError as error:
        # From a hook that raises for a status.  The response is read here as any other.
        if error.response is None:
            raise
        return error.response
    finally:
        running_transfer.reset(reset)


def hand_over_redirect(response: requests.Response, **_: Any) -> None:
    """Keep requests from a redirect, whose body it would read to the end, however long that is.

    :raises requests.HTTPError: the response is a redirect; the error holds it
    """
    if response.is_redirect:
        raise requests.HTTPError("a redirect", response=response)


def refuse_when_offline(url: str) -> None:
    """Raise if ``G4F_LITE_OFFLINE=1`` forbids a request.

    :raises ProviderNotConfiguredError: the URL leads to another machine
    """
    if os.environ.get("G4F_LITE_OFFLINE") == "1" and not is_loopback(url):
        raise ProviderNotConfiguredError(
            f"G4F_LITE_OFFLINE=1 allows nothing but loopback, and {origin_of(url)} is not; unset it to go there"
        )
