"""The WSGI application: which request goes where."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from ...arguments import check_whole_number
from ...client.routing import ModelMap, Router
from ...errors import sanitize
from ...providers.openai.keys import clean
from ...providers.selection import ProviderLike
from .access import Access
from .chat import chat
from .endpoints import embeddings, health, images, model, models
from .failures import ApiError
from .pages import page
from .request import Request, Response
from .routing import ANY_MODEL, ClientsRouter
from .streams import Streams

MAX_STREAMS = 64
logger = logging.getLogger("g4f_lite.server")

Endpoint = Callable[[Router, Streams, Request], Response]
ENDPOINTS: dict[str, tuple[str, Endpoint]] = {
    "/v1/chat/completions": ("POST", chat),
    "/v1/embeddings": ("POST", embeddings),
    "/v1/images/generations": ("POST", images),
    "/v1/models": ("GET", models),
    "/v1/models/{model}": ("GET", model),
}


class App:
    """A WSGI application with OpenAI's API; see :func:`create_app`."""

    def __init__(self, router: Router, access: Access, streams: Streams) -> None:
        self.router = router
        self.access = access
        self.streams = streams

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.monotonic()
        request, hint = Request(environ), ""
        try:
            response = self._response(request)
        except ApiError as error:
            response = Response.of_error(error)
            if ANY_MODEL in error.message:
                hint = f"; a provider lacks the model that the client named: {ANY_MODEL} answers every name"
        except Exception:
            logger.exception("%s failed", _line_of(request))
            response = Response.of_error(ApiError(500, "the server failed; its log says why", "server_error"))
        seconds = time.monotonic() - began
        logger.info("%s → %d (%.3f s)%s", _line_of(request), response.status, seconds, hint)
        try:
            start_response(response.status_line, [*response.headers, *self.access.headers(request)])
        except BaseException:
            getattr(response.body, "close", lambda: None)()  # the server does not know of it yet
            raise
        return [] if request.method == "HEAD" else response.body

    def _response(self, request: Request) -> Response:
        if request.path == "/health":
            return health(self.router, self.streams, request)
        self.access.check(request)
        if request.method == "OPTIONS":
            return Response(204, [])
        path = request.path.rstrip("/")
        if path.startswith("/v1/models/"):
            path = "/v1/models/{model}"
        if path not in ENDPOINTS:
            if (found := page(request)) is not None:
                return found
            message = f"this server has no {request.path:.200}; it has {', '.join(ENDPOINTS)}"
            raise ApiError(404, message, code="not_found")
        self.access.check_key(request)
        method, endpoint = ENDPOINTS[path]
        if request.method != method and not (request.method == "HEAD" and method == "GET"):
            raise ApiError(405, f"{path} takes {method} and not {request.method:.20}", headers=[("Allow", method)])
        return endpoint(self.router, self.streams, request)


def _line_of(request: Request) -> str:
    """Return method and path for a log, in one line: a path may hold any character."""
    return sanitize(f"{request.method} {request.path}").replace("\n", "\N{REPLACEMENT CHARACTER}")


def create_app(
    provider: ProviderLike | None = None,
    *,
    models: ModelMap | None = None,
    api_key: str | None = None,
    origins: Iterable[str] = (),
    max_streams: int = MAX_STREAMS,
) -> App:
    """Create a WSGI application with OpenAI's API over a provider, for any WSGI server::

        app = create_app("ollama", api_key="…")

    It also serves a page to chat with at ``/``.

    :param provider: a provider, its class, its name, ``"name:model"``, or a list of these for a Fallback; None lets
        the environment choose, or else uses the embedded model
    :param models: maps model names to ``"provider"``, ``"provider:model"``, another model's name, a provider, or None
        for the default model; ``"*"`` stands for all other names
    :param api_key: the key that each request must have; without one, only requests of this machine to
        ``localhost`` are answered, and a proxy on this machine looks like one of these unless it adds who has asked
    :param origins: the origins, such as ``"https://chat.example.org"``, whose pages may call the server
    :param max_streams: the maximum number of answers in progress; one more is a 429
    :raises ProviderNotFoundError: if no provider has the name
    :raises ValueError: if an argument is invalid
    """
    check_whole_number(max_streams, "max_streams")
    key = None if api_key is None else clean(api_key, "api_key")
    return App(ClientsRouter(provider, models=models), Access(key, origins), Streams(max_streams))
