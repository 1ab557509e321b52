"""The emulator: the services as one server on loopback."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.client import HTTPMessage
from types import TracebackType
from typing import Any

from .ai_chat_online import AiChatOnline
from .ai_chats import AiChats
from .ai_engine import AiEngine
from .answers import Answers, Backend, Delta, echo
from .exchange import Exchange
from .fault_kinds import Strike
from .faults import Faults, Selector
from .framing import send_reply
from .http_request import BadRequest, read_request
from .images import Images
from .openai import OpenAICompatible
from .openai.dialects import find_dialects
from .record import ReceivedRequest, Records
from .reply import html_reply
from .server import Server
from .service import Service
from .settings import Settings
from .wire import Wire


class Emulator:
    """Serve AiChatOnline, AiChats, AI Engine and the OpenAI protocol over real sockets.

    ::

        with Emulator() as emulator:
            emulator.answer("one answer")
            emulator.fail("reset", after=3)
            ...  # let a client talk to emulator.url
            print(emulator.requests)

    ``backend(messages)`` gives the pieces of each answer that is not scripted; by default they
    repeat the last user message. ``port=0`` takes a free port, ``tls`` is a server's SSLContext.
    ``on_end(request)`` is called when a request is over, in the thread of its connection. All
    further settings are those of ``Settings``.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        on_end: Callable[[ReceivedRequest], None] | None = None,
        **settings: Any,
    ) -> None:
        self._on_end = on_end
        self._initial = self._settings = _checked(Settings(**settings))
        self._answers = Answers(backend or echo)
        self._faults = Faults()
        self._records = Records()
        self._scheme = "http" if tls is None else "https"
        images = Images()
        engine = AiEngine(images)
        online, chats = AiChatOnline(), AiChats(images, engine.markup)
        openai = OpenAICompatible(images)
        self._openai = openai
        self._tokens = (online.tokens, chats.sessions, chats.csrf, engine.nonces)
        # The last one answers the paths that no service knows.
        self._services: tuple[Service, ...] = (
            online,
            chats,
            engine,
            openai,
            images,
        )
        self._server = Server(self._serve, self._admit, host=host, port=port, tls=tls)
        self._started = False
        self._accepted_before = 0

    def start(self) -> Emulator:
        """Bind the port and start to serve."""
        self._server.listen()
        self._started = True
        return self

    def close(self) -> None:
        """Stop: close the port, drop open connections, end all threads."""
        self._server.close()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Return the URL of every service, without a slash at its end."""
        if not self._started:
            raise RuntimeError("the emulator has no URL before start()")
        host, port = self._server.address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Return the received requests in order of arrival, as a copy of the list."""
        return self._records.snapshot()

    @property
    def connections(self) -> int:
        """Tell how many TCP connections were accepted, refused ones included."""
        return self._server.accepted - self._accepted_before

    @property
    def open_connections(self) -> int:
        """Tell how many TCP connections are open now."""
        return self._server.open

    @property
    def settings(self) -> Settings:
        """Return the settings as they are now."""
        return self._settings

    def configure(self, **settings: Any) -> None:
        """Change settings; requests that have already arrived keep the old ones."""
        self._settings = _checked(replace(self._settings, **settings))

    def dialect(self, *names: str) -> None:
        """Let the OpenAI-compatible server speak these dialects from now on; without names its own.

        A dialect says how a server answers and fails; when it fails is for ``fail`` to say. Names
        and what they do: ``DIALECTS``.

        :raises ValueError: if there is no such dialect
        """
        self.configure(dialects=names)

    def answer(self, answer: str | Iterable[Delta]) -> None:
        """Queue the answer of one prompt: a text, sent word by word, or a list of pieces."""
        self._answers.add(answer)

    def fail(
        self,
        fault: str,
        *,
        path: str | None = None,
        service: str | None = None,
        step: str | None = None,
        reused: bool | None = None,
        nth: int = 1,
        times: int | None = 1,
        **settings: Any,
    ) -> None:
        """Let a fault strike the next prompt, or the requests that are selected.

        ``path`` is a glob, ``service`` and ``step`` are as in a request's record, ``reused`` is
        whether its connection served one before; only prompts are struck when neither ``path`` nor
        ``step`` is given. The fault strikes from the ``nth`` such request on, ``times`` times
        (None: for ever). Names and their own settings: ``FAULTS``.
        """
        selector = Selector(path=path, service=service, step=step, reused=reused)
        self._faults.add(fault, selector, nth, times, settings)

    def expire_tokens(self) -> None:
        """Refuse every token, nonce and cookie issued so far."""
        for tokens in self._tokens:
            tokens.expire()

    def age_tokens(self) -> None:
        """Make every issued token old: accepted, and answered with a newer one."""
        for tokens in self._tokens:
            tokens.age()

    def stop_listening(self) -> None:
        """Close the port, so that new connections are refused; open ones stay open."""
        self._server.stop_listening()

    def listen(self) -> None:
        """Open the same port again."""
        self._server.listen()

    def reset(self) -> None:
        """Remove requests, answers and faults, and restore the first settings.

        Tokens stay good and open connections stay open.
        """
        self._answers.clear()
        self._faults.clear()
        self._records.clear()
        self._openai.clear()
        self._settings = self._initial
        self._accepted_before = self._server.accepted
        if self._started:
            self.listen()

    def _admit(self) -> bool:
        return not self._faults.refuses_connection()

    def _serve(self, wire: Wire) -> None:
        """Answer the requests of one connection, one after the other."""
        reused = False
        while True:
            try:
                request = read_request(wire, reused=reused)
            except BadRequest as error:
                self._refuse(wire, error)
                return
            if request is None or not self._exchange(wire, request):
                return
            reused = True

    def _exchange(self, wire: Wire, request: ReceivedRequest) -> bool:
        service = self._find_service(request)
        self._records.add(request)
        exchange = Exchange(request, self._settings, wire, self._answers.take, self._scheme, self.url)
        with exchange.cleanup:
            try:
                reply = self._faults.strike(Strike(exchange, service))
                return send_reply(wire, request, reply, exchange.settings)
            finally:
                request.ended = time.monotonic()
                if self._on_end is not None:
                    self._on_end(request)

    def _find_service(self, request: ReceivedRequest) -> Service:
        """Find the service that answers, and record it in the request."""
        for service in self._services:
            step = service.step(request, self._settings)
            if step is not None:
                request.service, request.step = service.name, step
                return service
        for service in self._services:
            if service.owns(request, self._settings):
                request.service = service.name
                return service
        return self._services[-1]

    def _refuse(self, wire: Wire, error: BadRequest) -> None:
        request = ReceivedRequest(
            method="",
            path="",
            query={},
            headers=HTTPMessage(),
            body=b"",
            connection=wire.number,
            reused=False,
            started=time.monotonic(),
        )
        request.headers["Connection"] = "close"
        send_reply(wire, request, html_reply(error.status, str(error)), self._settings)


def _checked(settings: Settings) -> Settings:
    find_dialects(settings.dialects)
    return settings
