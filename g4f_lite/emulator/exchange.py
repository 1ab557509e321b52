"""One request and its way to an answer, as a service gets it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

from .answers import Delta, Message
from .record import ReceivedRequest
from .settings import Settings
from .wire import ClientGone, Wire

_logger = logging.getLogger("g4f_lite.emulator")


class BackendError(Exception):
    """The backend raised; a service shows it as its own kind of error."""


class Exchange:
    """Hold a request, the settings at its arrival, and the way to its answer.

    ``cleanup`` runs when the answer has been sent, or has failed.
    """

    def __init__(
        self,
        request: ReceivedRequest,
        settings: Settings,
        wire: Wire,
        take: Callable[[list[Message]], Iterator[Delta]],
        scheme: str,
        url: str,
    ) -> None:
        self.request = request
        self.settings = settings
        self.cleanup = ExitStack()
        self.empty = False
        """Whether to answer with nothing, neither scripted nor the backend's."""
        self.backend_error: str | None = None
        """What to fail with in place of an answer."""
        self.retry_after: float | None = None
        """How many seconds a client must wait after a rate limit, if the server says it."""
        self._wire = wire
        self._take = take
        host = request.headers.get("Host")
        self._origin = f"{scheme}://{host}" if host else url

    def deltas(self, messages: list[Message]) -> Iterator[Delta]:
        """Return the pieces of the answer.

        :raises BackendError: if the backend raised
        """
        if self.backend_error is not None:
            raise BackendError(self.backend_error)
        if self.empty:
            return
        try:
            pieces = self._take(messages)
            close = getattr(pieces, "close", None)
            if close is not None:
                self.cleanup.callback(close)
            yield from pieces
        except Exception as error:
            _logger.warning("the backend failed", exc_info=True)
            raise BackendError(str(error) or type(error).__name__) from error

    def texts(self, messages: list[Message]) -> Iterator[str]:
        """Return the text of the answer alone."""
        return (piece for piece in self.deltas(messages) if isinstance(piece, str))

    def url(self, path: str) -> str:
        """Return an absolute URL on this server, under the name by which the client called it."""
        return self._origin + path

    def wait(self, seconds: float | None) -> None:
        """Keep the client waiting; end at once when it leaves."""
        self._wire.wait(seconds)

    def hang_up(self, *, reset: bool) -> NoReturn:
        """End the connection without an answer."""
        if reset:
            self._wire.reset()
        raise ClientGone("a fault ended the connection")
