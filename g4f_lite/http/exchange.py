"""Sends the requests of one call, with its session, its proxy and its limits."""

from __future__ import annotations

import copy
import functools
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.cookies import RequestsCookieJar

from ..arguments import safe_url
from ..errors import G4FLiteError, ResponseFormatError
from .body import Body
from .deadline import Deadline
from .failures import FAILURES, closed_by_peer, translate
from .pool import Login, PooledSession
from .redact import password_in, redact, scrub, secrets_in, secrets_in_query
from .route import Route, check_found_proxy, proxy_among, refuse_when_offline
from .session import Session, hand_over_redirect
from .signals import pass_on_signal
from .transfer import Transfer, running_transfer
from .unsendable import not_a_method, unsendable
from .urls import as_sent, origin_of, parse_origin, redirected

logger = logging.getLogger(__name__)

_METHOD = r"[\w!#$%&'*+.^`|~-]+"
MAX_REDIRECTS = 3
MAX_SENT_COOKIE_BYTES = 64 * 1024  # more than servers take: nginx and gunicorn 8 KiB, others 64
_KEEPS_METHOD = (307, 308)
_FOLLOWED_BY_GET = (301, 302, 303, *_KEEPS_METHOD)


class Exchange:
    """The requests of one call.

    As a context manager it closes what the call leaves behind, and completes an error that ends the call.

    :param pooled: the session that is lent to the call, with its token
    :param deadline: the limits of the call
    :param route: its proxy and TLS settings
    :param name: the provider's name, for logs
    :param secrets: lists the strings that no message may show, besides those of the session
    :param sent: where each request's headers are noted, and its URL with and without what the session added
    :ivar confirm: see :class:`.transfer.Transfer`
    :ivar socket_path: see :class:`.transfer.Transfer`
    :ivar attempts: how many attempts the call has made
    :ivar bootstraps: how many tokens it has fetched
    :ivar login: the token that it uses
    :ivar bodies: the bodies that may not have been read to their end
    """

    def __init__(
        self,
        pooled: PooledSession,
        deadline: Deadline,
        route: Route | None = None,
        name: str = "",
        secrets: Callable[[], list[str]] = list,
        sent: list[tuple[Mapping[str, str], str, str]] | None = None,
    ) -> None:
        self.pooled = pooled
        self.deadline = deadline
        self.route = route or Route()
        self.name = name
        self.secrets = secrets
        self.used: list[str] = []  # secrets: passwords of proxies, and tokens, which a later one replaces
        self.sent = [] if sent is None else sent
        self.confirm: Callable[[Deadline], None] | None = None
        self.socket_path = ""
        self.attempts = 0
        self.bootstraps = 0
        self.login: Login | None = None
        self.bodies: list[Body] = []

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies of its session."""
        return self.pooled.session.cookies

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is None:
            self.close()
            return
        self.abandon()
        if isinstance(error, G4FLiteError):
            self.describe(error)

    def __repr__(self) -> str:
        return f"Exchange({self.name!r}, {self.pooled!r}, {self.route!r})"  # without its secrets

    def follow(self, request: requests.Request, step: str) -> Body:
        """Send a request, follow up to three redirects to the same scheme, host and port, and give the response.

        Method, headers and body stay the same, and whoever gets them is the one that was meant to; requests would take
        a prompt anywhere.  Any other redirect is given as it is.

        :param step: ``"bootstrap"``, ``"prompt"`` or ``"image"``
        """
        for _ in range(MAX_REDIRECTS):
            body = self.send(request, step)
            followed = _FOLLOWED_BY_GET if request.method == "GET" else _KEEPS_METHOD
            target = redirected(body.response.url, body.headers.get("Location")) if body.status in followed else None
            if target is None or parse_origin(target) != parse_origin(request.url):
                return body
            body.drain()
            request = copy.copy(request)
            request.url = target
        return self.send(request, step)

    def send(self, request: requests.Request, step: str, *, guard: Callable[[str], None] | None = None) -> Body:
        """Send a request once and give its response, whatever the status.

        :param request: the request; the session adds its cookies, and its headers where the request has none
        :param step: ``"bootstrap"``, ``"prompt"`` or ``"image"``
        :param guard: called with each IP address before it is connected to; raises to refuse it
        :raises G4FLiteError: if no response came
        """
        session, deadline = self.pooled.session, self.deadline
        began = time.monotonic()
        proxy: str | None = None
        wrapped: G4FLiteError | None = None  # raised on the way, such as by an address guard
        # What a server took whole it may be thinking about, or drawing.
        awaits = "first" if step == "prompt" or (request.method == "POST" and step != "bootstrap") else "read"
        new_transfer = functools.partial(Transfer, deadline, guard, self.confirm, self.socket_path, awaits)
        transfer = new_transfer()
        if not isinstance(session, Session):  # nobody tells there when the request is sent
            transfer.silence = awaits
        try:
            method: object = request.method  # which requests would take for a string, whatever it is
            if not isinstance(method, str) or not re.fullmatch(_METHOD, method, re.ASCII):
                raise not_a_method(method, step)
            send, url = self._sender(session, request)
            refuse_when_offline(url)
            settings = self.route.settings_for(session, url)
            proxy = proxy_among(settings["proxies"], url)
            if proxy:
                self.used += password_in(proxy)
                check_found_proxy(proxy)
                refuse_when_offline(proxy)
            try:
                response = _send(send, settings, transfer)
            except FAILURES as error:
                pass_on_signal(error)
                # A server may close an idle connection at any time, also while a request is on its way to it.  As no
                # byte of an answer came, the request is sent again on a new connection, once (psf/requests#4664).
                if not transfer.reused_connection or transfer.answer_began or not closed_by_peer(error):
                    raise
                deadline.check()
                logger.debug("%s: %s: replacing a connection that the server had closed", self.name, step)
                transfer = new_transfer()
                response = _send(send, settings, transfer)
        except G4FLiteError as error:
            self._log_failure(error, request, step, began)
            raise self.failed(error, step)  # noqa: B904  it is the same one
        except (*FAILURES, TypeError, AttributeError) as error:
            pass_on_signal(error)
            failure: G4FLiteError | None = unsendable(error, request, step)
            if failure is None:
                if not isinstance(error, FAILURES):
                    raise
                failure = translate(error, deadline, origin_of(request.url), transfer, proxy=proxy)
            self._log_failure(failure, request, step, began)
            if failure.__traceback__ is None:
                raise self.failed(failure, step) from error
            wrapped = failure
        if wrapped is not None:  # by urllib3; outside of the handler, as what holds an error cannot be its context
            raise self.failed(wrapped, step)
        deadline.awaits = awaits
        body = Body(response, deadline)
        body.step = step
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

    def _sender(self, session: requests.Session, request: requests.Request) -> tuple[Callable[..., Any], str]:
        """Prepare a request; give the function that sends it, and the URL that it goes to."""
        if not _overrides_request(session):
            prepared = session.prepare_request(request)
            self._note_sent(prepared, request)
            if not isinstance(session, Session):
                prepared.register_hook("response", hand_over_redirect)  # type: ignore[no-untyped-call]
            return functools.partial(session.send, prepared), prepared.url or ""

        def note(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            """Note what the session has added, and sign as it would."""
            auth = request.auth or session.auth
            if auth is not None:
                auth = requests.auth.HTTPBasicAuth(*auth) if isinstance(auth, tuple) else auth
                prepared = auth(prepared)
            self._note_sent(prepared, request)
            return prepared

        send = functools.partial(
            session.request,
            request.method,
            request.url,
            headers=request.headers,
            json=request.json,
            data=request.data,
            params=request.params,
            cookies=request.cookies,
            files=request.files,
            auth=note,
            hooks={"response": hand_over_redirect},
        )
        return send, as_sent(request.url)

    def _note_sent(self, prepared: requests.PreparedRequest, request: requests.Request) -> None:
        """Note the headers and the URL that are sent, for no message may show what is secret in them.

        :raises ResponseFormatError: if there are too many cookies, as each word in them is looked for in each message
        """
        if len(prepared.headers.get("Cookie") or "") > MAX_SENT_COOKIE_BYTES:
            limit = f"{MAX_SENT_COOKIE_BYTES:,} bytes"
            raise ResponseFormatError(f"{origin_of(request.url)} has set more cookies than the {limit} that are sent")
        self.sent.append((prepared.headers, prepared.url or "", request.url))

    def keep_token(self, token: str | None) -> None:
        """Use a newer token from now on, which came with a response; None where none did."""
        if token is not None:
            self.pooled.token = token
            self.login = self.pooled.login
            self.used.append(token)

    def drop_token(self) -> bool:
        """Forget the token of this call, which was rejected.

        :returns: False if another thread, on the same session, has replaced or dropped it already
        """
        with self.pooled.logging_in.held(self.deadline.check):
            if self.pooled.login is not self.login:
                return False
            self.pooled.token = None
            return True

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

    def failed(self, error: G4FLiteError, step: str) -> G4FLiteError:
        """Note in an error at which step it happened."""
        error.step = error.step or step
        return error

    def describe(self, error: G4FLiteError) -> None:
        """Note in an error of the call whose it is and how far it came, and take this call's secrets out of it."""
        error.provider = self.name
        error.attempts = self.attempts
        error.elapsed = self.deadline.elapsed
        error.waited = self.deadline.waited
        error.step = error.step or "stream"
        self.scrub(error)

    def hidden(self) -> list[str]:
        """List the strings that no message may show now."""
        sent = (text for headers, *urls in self.sent for text in (*secrets_in(headers), *secrets_in_query(*urls)))
        return [*self.secrets(), *self.used, *self.pooled.secrets(), *password_in(self.route.proxy), *sent]

    def scrub(self, error: BaseException) -> None:
        """Take this call's secrets out of an error and its causes."""
        scrub(error, self.hidden())

    def _log_answer(self, body: Body, request: requests.Request, step: str, began: float) -> None:
        """Log that an answer has begun, and at its end how many bytes came in what time."""
        what = f"{self._shown(request, step)} → {body.status}"
        logger.debug("%s after %.3f s", what, time.monotonic() - began)
        body.on_end = lambda: logger.debug("%s, %d bytes, %.3f s", what, body.bytes, time.monotonic() - began)

    def _log_failure(self, error: G4FLiteError, request: requests.Request, step: str, began: float) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            what, seconds = self._shown(request, step), time.monotonic() - began
            logger.debug("%s: no answer, %s after %.3f s", what, type(error).__name__, seconds)

    def _shown(self, request: requests.Request, step: str) -> str:
        return f"{self.name}: {step}: {request.method} {redact(safe_url(request.url), self.hidden())}"


def _overrides_request(session: requests.Session) -> bool:
    """Return whether a session has a ``request`` of its own, which signs or logs, as google-auth's has."""
    return getattr(session.request, "__func__", None) is not requests.Session.request


def _send(send: Callable[..., Any], settings: dict[str, Any], transfer: Transfer) -> requests.Response:
    """Send a request over a connection that notes in ``transfer`` how far it comes.

    :param send: sends it
    """
    timeout = transfer.deadline.limit("connect"), transfer.deadline.limit(transfer.awaits)
    reset = running_transfer.set(transfer)
    try:
        response: requests.Response = send(allow_redirects=False, timeout=timeout, **settings)
        return response
    except requests.HTTPError as error:
        # From a hook that raises for a status.  The response is read here as any other.
        if error.response is None:
            raise
        return error.response
    finally:
        running_transfer.reset(reset)
